import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import type { Desk } from '../recorder/desk/desk.ts'
import type { Records } from '../recorder/desk/records.ts'
import type { Ledger } from '../recorder/ledger/ledger.ts'
import { ApplianceError } from '../schemas/errors.ts'
import { PolicyFile } from '../schemas/policy.ts'
import type { PolicyContext } from './policy/check.ts'
import { compilePolicy, type Policy } from './policy/policy.ts'
import { openYaml } from './yaml.ts'

/** How long a change of the file, or an approval of it, may go unnoticed. */
const LOOK_EVERY_MS = 1_000
const IN_FORCE = 'in-force.yaml'

export interface PolicyPlaces {
  /** The file that people edit. */
  readonly file: string
  /** Where what is in force is kept, for the next start and the other gateways. */
  readonly records: Records
  readonly context: PolicyContext
}

interface Following {
  readonly desk: Pick<Desk, 'submit' | 'granted' | 'consume'>
  readonly ledger: Pick<Ledger, 'append'>
  /** Keeps its text beside the tapes. */
  readonly keep: (policy: Policy) => Promise<void>
  readonly approvalTtlMs: number
  /** Called with each policy that comes into force, before anybody is told. */
  readonly onActivated: (policy: Policy) => void
  /** A changed file that is not in force, and why. */
  readonly onRefused: (why: string) => void
}

/**
 * The policy in force. A changed file comes into force without a restart, and, where the policy in force asks for approvals
 * (`activation.approval`), only once they are there: until then the old one stays, also over restarts.
 */
export class PolicyKeeper implements AsyncDisposable {
  readonly #places: PolicyPlaces
  #current: Policy
  #text: string
  /** The version of the file last looked at; '' to look again. */
  #seen = ''
  /** What waits for its approval. */
  #asked: string | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()

  private constructor(places: PolicyPlaces, current: Policy, text: string) {
    this.#places = places
    this.#current = current
    this.#text = text
  }

  /** Rejects POLICY_INVALID with every mistake of the file, also where an older policy is in force; and where that one asks for approval and is none any more. */
  static async open(places: PolicyPlaces): Promise<PolicyKeeper> {
    const text = await readFile(places.file, 'utf8')
    const policy = compilePolicy(text, places.file, places.context)
    const kept = await keptText(places)
    const before = kept === undefined ? undefined : policyBefore(kept, places.context)
    if (before !== undefined && kept !== undefined && before.hash !== policy.hash && asksApproval(before))
      return new PolicyKeeper(places, before, kept)
    const made = new PolicyKeeper(places, policy, text)
    await made.#keep(text)
    return made
  }

  get current(): Policy {
    return this.#current
  }

  /** From now on the file is watched. */
  follow(following: Following): void {
    this.#timer = setInterval(() => void this.look(following), LOOK_EVERY_MS).unref()
  }

  /** Looks at the file, and at what waits for an approval, now. */
  look(following: Following): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look(following))
      .catch((error: unknown) => following.onRefused(error instanceof Error ? error.message : String(error)))
    return this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  async #look(following: Following): Promise<void> {
    const { mtimeMs, size, ino, uid } = await stat(this.#places.file)
    const version = `${mtimeMs} ${size} ${ino}`
    if (version === this.#seen && this.#asked === undefined) return
    const changed = version !== this.#seen
    this.#seen = version
    const text = await readFile(this.#places.file, 'utf8')
    const next = compilePolicy(text, this.#places.file, this.#places.context)
    if (next.hash === this.#current.hash) {
      this.#asked = undefined
      return
    }
    const by = ownerOf(uid)
    if (!asksApproval(this.#current)) return this.#activate(next, text, following, { by })
    const binding = createHash('sha256').update(`policy.activate\n${this.#current.hash}\n${next.hash}`).digest('hex')
    // Another process of this gateway may have had the approval, and used it.
    const kept = await keptText(this.#places)
    if (kept === text && kept !== this.#text) return this.#activate(next, text, following, { by })
    const grant = await following.desk.granted(binding)
    if (grant !== undefined) {
      if (await following.desk.consume(grant.id)) await this.#activate(next, text, following, { by, request: grant.id })
      return
    }
    if (!changed && this.#asked === next.hash) return
    this.#asked = next.hash
    const { groups, count } = approversOf(this.#current)
    const request = await following.desk.submit({
      about: 'policy',
      requester: by,
      requesterKind: 'service',
      kind: 'policy.activate',
      command: lineChanges(this.#text, text),
      facts: { policy: next.hash, previous: this.#current.hash },
      rules: [],
      reason: 'the policy file was changed',
      approvers: { groups: [...groups], count },
      binding,
      ttlMs: following.approvalTtlMs,
    })
    following.onRefused(`a changed policy waits for its approval: request ${request.id}; the old one stays in force`)
  }

  async #activate(
    next: Policy,
    text: string,
    { keep, ledger, onActivated }: Following,
    who: { readonly by: string; readonly request?: string },
  ): Promise<void> {
    const previous = this.#current.hash
    try {
      await keep(next)
      await ledger.append({ type: 'policy.activate', policy: next.hash, previous, ...who })
      await this.#keep(text)
    } catch (error) {
      // A store that was away may be there at the next look.
      this.#seen = ''
      throw error
    }
    this.#current = next
    this.#text = text
    this.#asked = undefined
    onActivated(next)
  }

  #keep(text: string): Promise<void> {
    return this.#places.records.replace(IN_FORCE, text)
  }
}

function keptText({ records }: PolicyPlaces): Promise<string | undefined> {
  return records.read(IN_FORCE)
}

/**
 * What was in force at the last start: written for the configuration and the version of then. Where it asks for approval and can no longer be enforced,
 * nothing takes its place (POLICY_INVALID); where it asks for none it counts no more: undefined.
 */
function policyBefore(kept: string, context: PolicyContext): Policy | undefined {
  try {
    return compilePolicy(kept, IN_FORCE, context)
  } catch (error) {
    if (!mayAskApproval(kept)) return undefined
    throw new ApplianceError(
      'POLICY_INVALID',
      `what is in force (policy/${IN_FORCE} in the data folder) asks for approval of another policy, and cannot be enforced any more: bring back what it needs, or remove it, and the policy file comes into force without approval\n${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

/** So does what cannot even be read. */
function mayAskApproval(text: string): boolean {
  try {
    return asksApproval(openYaml(text, IN_FORCE, PolicyFile, 'POLICY_INVALID').value)
  } catch {
    return true
  }
}

function asksApproval({ activation }: { readonly activation?: unknown }): boolean {
  return activation !== undefined
}

function approversOf({ activation }: Policy): NonNullable<Policy['activation']> {
  if (activation === undefined) throw new Error('this policy asks for no approval')
  return activation
}

/** Whoever may write the file: the system knows a number, and its own name. */
function ownerOf(uid: number): string {
  const own = userInfo()
  return own.uid === uid ? `file:${own.username}` : `file:uid ${uid}`
}

/** What stands between the first and the last line that differ, before and after. */
export function lineChanges(before: string, after: string): string {
  const [old, made] = [before.split('\n'), after.split('\n')]
  let head = 0
  while (head < old.length && head < made.length && old[head] === made[head]) head++
  let tail = 0
  while (tail < Math.min(old.length, made.length) - head && old.at(-1 - tail) === made.at(-1 - tail)) tail++
  const gone = old.slice(head, old.length - tail).map((line) => `- ${line}`)
  const come = made.slice(head, made.length - tail).map((line) => `+ ${line}`)
  return [`@@ line ${head + 1} @@`, ...gone, ...come].join('\n')
}
