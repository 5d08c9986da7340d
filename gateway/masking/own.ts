import { type Automaton, buildAutomaton } from './automaton.ts'
import type { Accepts, Owner } from './engine.ts'
import { HIT_ENTITIES, OVERLOAD_ID } from './hits.ts'
import type { CompiledPattern } from './pattern/pattern.ts'
import type { MaskingRules } from './rules.ts'

/** A pattern of the policy, and what its hits are called. */
export interface OwnPattern {
  readonly id: string
  readonly entity: string
  readonly compiled: CompiledPattern
}

/** What the rules look for beside the built-in detectors. Its automaton runs beside theirs, which is full. */
export interface OwnDetectors {
  readonly automaton: Automaton
  readonly accepts: Accepts
  /** What hits are called whose number is past those of HIT_ENTITIES. */
  readonly names: readonly (readonly [entity: string, rule: string])[]
}

/** What the kernel has room for. */
const MAX_TABLE_SIZE = 0x10000
/** Of all patterns together, in ordinary text: half of the speed would be gone past that. */
const MAX_RATE = 1 / 100

/** Throws RangeError where they are too many, or are tried too often, for one automaton. */
export function ownDetectors(patterns: readonly OwnPattern[]): OwnDetectors | undefined {
  if (patterns.length === 0) return undefined
  const rate = patterns.reduce((sum, { compiled }) => sum + compiled.rate, 0)
  if (rate > MAX_RATE)
    throw new RangeError(
      `together they are tried every ${Math.round(1 / rate)} bytes of ordinary text, and may be every ${1 / MAX_RATE}`,
    )
  const owners: Owner[] = patterns.flatMap(({ compiled }, index) =>
    compiled.detectors.map((detector) => ({ detector, entityId: OVERLOAD_ID + 1 + index })),
  )
  const triggers = patterns.flatMap(({ compiled }) => compiled.detectors.map((detector) => detector.triggers))
  const automaton = buildAutomaton(triggers.flatMap((texts, owner) => texts.map((text) => ({ text, owner }))))
  if (automaton.table.length > MAX_TABLE_SIZE)
    throw new RangeError(
      `together they need a table of ${automaton.table.length} entries of ${MAX_TABLE_SIZE}: fewer, or with longer fixed parts`,
    )
  return {
    automaton,
    accepts: automaton.accepts.map((found) => found.map((owner) => owners[owner]).filter((owner) => owner !== undefined)),
    names: patterns.map(({ id, entity }) => [entity, patternRule(id)]),
  }
}

/** How a pattern is called where a rule is named: on the tape, in an explanation. */
export function patternRule(id: string): string {
  return `pattern:${id}`
}

/** The entity and the rule of a hit. */
export function hitName(id: number, { own }: MaskingRules): readonly [entity: string, rule: string] {
  const name = own?.names[id - OVERLOAD_ID - 1]
  if (name !== undefined) return name
  const entity = HIT_ENTITIES[id] ?? 'overload'
  return [entity, `detector:${entity}`]
}
