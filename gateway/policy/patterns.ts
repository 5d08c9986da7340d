import { ApplianceError } from '../../schemas/errors.ts'
import type { PolicyFile } from '../../schemas/policy.ts'
import type { MaskForm, Pattern } from '../../schemas/policy-masking.ts'
import { checkSyntax } from '../linear-pattern.ts'
import { knownSecret } from '../masking/known-secret.ts'
import { type OwnDetectors, type OwnPattern, ownDetectors, patternRule } from '../masking/own.ts'
import { type CompiledPattern, compilePattern } from '../masking/pattern/pattern.ts'

/** Sets of detectors that know secrets: as many as targets are likely to be in use. Secrets change, so the first made goes first. */
const MAX_KNOWING = 64

/** Fewer bits than this are tried out quickly by whoever can have tags made: no tag, unless the pattern asks for one. */
const MIN_TAG_BITS = 40

/** A pattern as the policy has it, ready to scan. Throws SyntaxError saying what is wrong with it. */
export function readPattern({ regex, validator, context }: Pattern): CompiledPattern {
  // The engine is our own, the language is not: what RE2 does not read is no pattern.
  checkSyntax(regex)
  return compilePattern({
    regex,
    ...(validator === undefined ? {} : { validator }),
    ...(context === undefined ? {} : { context }),
  })
}

/** The patterns of a policy, compiled once; an identity that is exempt from some has detectors of its own, made when it first comes. */
export class PolicyPatterns {
  readonly #patterns: readonly OwnPattern[]
  readonly #made = new Map<string, OwnDetectors | undefined>()
  readonly #knowing = new Map<string, OwnDetectors>()
  /** The policy's forms with those of its patterns, by rule and by entity. */
  readonly forms: Readonly<Record<string, MaskForm>>

  constructor({ patterns = [] }: PolicyFile, forms: Readonly<Record<string, MaskForm>>) {
    this.#patterns = patterns.map((pattern) => ({
      id: pattern.id,
      entity: pattern.entity ?? pattern.id,
      compiled: readPattern(pattern),
    }))
    this.forms = {
      ...forms,
      ...Object.fromEntries(
        patterns.map(({ id, entity = id, mask }, index) => {
          const bits = this.#patterns[index]?.compiled.bits ?? 0
          return [patternRule(id), mask ?? forms[entity] ?? (bits < MIN_TAG_BITS ? 'plain' : 'tag')]
        }),
      ),
    }
  }

  /** Those whose id does not fit; and whatever is in `known`, which nobody is exempt from. Throws POLICY_INVALID where there is no room for that. */
  without(free: (id: string) => boolean, known: readonly string[] = []): OwnDetectors | undefined {
    const left = this.#patterns.filter(({ id }) => !free(id))
    const ids = left.map(({ id }) => id).join()
    if (known.length === 0) {
      if (!this.#made.has(ids)) this.#made.set(ids, ownDetectors(left))
      return this.#made.get(ids)
    }
    const key = JSON.stringify([ids, ...known])
    const had = this.#knowing.get(key)
    if (had !== undefined) return had
    const made = withKnown([...left, ...known.map(knownSecret).filter((pattern) => pattern !== undefined)])
    if (made === undefined) return undefined
    const [oldest] = this.#knowing.keys()
    if (this.#knowing.size >= MAX_KNOWING && oldest !== undefined) this.#knowing.delete(oldest)
    this.#knowing.set(key, made)
    return made
  }
}

/** Room is kept when a policy is read (STAND_INS); a credential that needs more is not sent to where it could not be recognised. */
function withKnown(patterns: readonly OwnPattern[]): OwnDetectors | undefined {
  try {
    return ownDetectors(patterns)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ApplianceError(
      'POLICY_INVALID',
      `the patterns of the policy leave no room to recognise the target's credential: ${error.message}`,
    )
  }
}
