import type { BundleManifest, TapeState } from '../bundle.ts'
import type { EntryKeys } from './entry-keys.ts'
import { isCount, type LedgerStatement, parseLine } from './ledger-line.ts'

/** What the log says of one session of the period, as of the watermark. */
export interface PeriodSession {
  readonly session: string
  readonly gateway: string
  readonly number: number
  readonly at: string
  readonly header: string
  readonly identity: string
  /** Of the identity; empty where the log does not say it. */
  readonly kind: string
  readonly target: string
  readonly policy: string
  readonly durability: string
  /** The leaf that opened it. */
  readonly open: number
  /** The leaf that says what became of it, the last of them. */
  end: number | null
  closed?: {
    readonly at: string
    readonly reason: string
    readonly frames: number
    readonly chunks: number
    readonly root: string
  }
  recovered?: { readonly at: string; readonly outcome: string; readonly frames: number; readonly recovered: number }
  failed?: { readonly what: string; readonly never: boolean }
  deleted?: { readonly at: string; readonly rule: string; readonly held: boolean }
}

/** One entry of the period's lines that its writer has signed. */
export interface PeriodEntry {
  readonly index: number
  readonly statement: LedgerStatement
  /** Whether its time lies in the period. */
  readonly within: boolean
}

export type PeriodRange = Pick<BundleManifest, 'period' | 'scope'>

interface Numbers {
  first: number
  last: number
  count: number
  /** Numbers between first and last of sessions whose time is not in the period: a clock was set back. */
  outside: number
  readonly gaps: string[]
}

/** What followed a gateway's last number of the period so far. It counts once another of the period follows. */
interface Beyond {
  last: number
  count: number
  gaps: string[]
}

/** Gaps told of one writer; more are counted by what is between first and last. */
const MAX_GAPS = 100

/**
 * The log's lines of a period put together, in the order of the log: which sessions were opened, what became of them, and whether the numbers
 * that every gateway gives its sessions have gaps. Only entries that a trusted key has signed count.
 */
export class PeriodLog {
  readonly #range: PeriodRange
  readonly #keys: EntryKeys
  readonly #texts = new Map<string, string>()
  readonly #holds = new Map<string, Set<string>>()
  readonly sessions = new Map<string, PeriodSession>()
  /** Session numbers by who gives them, those out of scope included. */
  readonly numbers = new Map<string, Numbers>()
  readonly #beyond = new Map<string, Beyond>()
  /** Sessions of the period that are not in scope. */
  outOfScope = 0
  /** Lines that are no entries, entries of strangers, entries that are not what their writer signed. */
  malformed = 0
  strangers = 0
  bad = 0
  /** Of all sessions opened in the period. */
  readonly targets = new Set<string>()
  /** Keys that signed. */
  readonly keyIds = new Set<string>()

  constructor(range: PeriodRange, keys: EntryKeys) {
    this.#range = range
    this.#keys = keys
  }

  /** Takes the next line; what it says, where it is to be believed. */
  async add(index: number, line: Uint8Array): Promise<PeriodEntry | undefined> {
    const entry = parseLine(line)
    const state = entry === undefined ? 'malformed' : await this.#keys.check(entry)
    if (entry === undefined) this.malformed += 1
    else if (state === 'unknown') this.strangers += 1
    else if (state === 'bad') this.bad += 1
    if (entry === undefined || state !== 'good') return undefined
    this.keyIds.add(entry.keyId)
    const { statement } = entry
    const within = isWithin(statement.at, this.#range.period)
    if (statement.type === 'session.open') this.#open(index, statement, within)
    else this.#of(index, statement)
    return { index, statement, within }
  }

  #open(index: number, statement: LedgerStatement, within: boolean): void {
    const { session, number, header, identity, kind, target, policy, durability, at, gateway } = statement
    if (typeof session !== 'string' || !isCount(number)) return
    this.#numbered(gateway, number, within)
    if (!within) return
    const text = (value: unknown): string => (typeof value === 'string' ? value : '')
    this.targets.add(this.#one(text(target)))
    const { scope } = this.#range
    const inScope =
      (scope.target.length === 0 || scope.target.includes(text(target))) &&
      (scope.identity.length === 0 || scope.identity.includes(text(identity)))
    if (!inScope) {
      this.outOfScope += 1
      return
    }
    this.sessions.set(session, {
      session,
      gateway: this.#one(gateway),
      number,
      at,
      header: text(header),
      identity: this.#one(text(identity)),
      kind: this.#one(text(kind)),
      target: this.#one(text(target)),
      policy: this.#one(text(policy)),
      durability: this.#one(text(durability)),
      open: index,
      end: null,
    })
  }

  /** One copy of a text that most sessions share: an identity, a policy's hash. */
  #one(text: string): string {
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }

  #numbered(gateway: string, number: number, within: boolean): void {
    const known = this.numbers.get(gateway)
    if (known === undefined && !within) return
    const numbers = known ?? { first: number, last: number - 1, count: 0, outside: 0, gaps: [] }
    this.numbers.set(gateway, numbers)
    const beyond = this.#beyond.get(gateway) ?? { last: numbers.last, count: 0, gaps: [] }
    this.#beyond.set(gateway, beyond)
    if (number !== beyond.last + 1 && numbers.gaps.length + beyond.gaps.length < MAX_GAPS)
      beyond.gaps.push(`${beyond.last}-${number}`)
    beyond.last = Math.max(beyond.last, number)
    if (!within) {
      beyond.count += 1
      return
    }
    numbers.gaps.push(...beyond.gaps)
    numbers.outside += beyond.count
    numbers.last = beyond.last
    numbers.count += 1
    this.#beyond.set(gateway, { last: beyond.last, count: 0, gaps: [] })
  }

  #of(index: number, statement: LedgerStatement): void {
    const id = statement['session']
    const session = typeof id === 'string' ? this.sessions.get(id) : undefined
    if (session === undefined) return
    const { type, at } = statement
    const count = (name: string): number => (isCount(statement[name]) ? statement[name] : 0)
    const text = (name: string): string => (typeof statement[name] === 'string' ? statement[name] : '')
    const held = this.#holds.get(session.session) ?? new Set<string>()
    switch (type) {
      case 'session.close':
        session.closed = { at, reason: text('reason'), frames: count('frames'), chunks: count('chunks'), root: text('root') }
        break
      case 'session.recover':
        session.recovered = { at, outcome: text('outcome'), frames: count('frames'), recovered: count('recovered') }
        break
      case 'recording.failed':
        session.failed = { what: text('what'), never: statement['frames'] === 0 }
        break
      case 'retention.delete':
        session.deleted = { at, rule: text('rule'), held: held.size > 0 }
        break
      case 'hold.set':
        this.#holds.set(session.session, held.add(text('matter')))
        return
      case 'hold.clear':
        held.delete(text('matter'))
        return
      default:
        return
    }
    session.end = index
  }
}

/** What the log alone says of a tape; `tape`: that there must be one, sealed or recovered. */
export function expectedState({ closed, recovered, failed, deleted }: PeriodSession): {
  readonly state: TapeState | 'tape'
  readonly problem: string
} {
  if (deleted?.held) return { state: 'missing', problem: `deleted at ${deleted.at} by rule ${deleted.rule}, under legal hold` }
  if (deleted !== undefined) return { state: 'deleted', problem: `deleted at ${deleted.at} by rule ${deleted.rule}` }
  if (closed !== undefined) return { state: 'tape', problem: '' }
  if (recovered?.outcome === 'absent')
    return { state: 'absent', problem: 'opened, and its process ended before anything of it was stored' }
  if (recovered !== undefined) return { state: 'tape', problem: '' }
  if (failed?.never) return { state: 'absent', problem: `opened, and could not be recorded: ${failed.what}` }
  if (failed !== undefined)
    return { state: 'damaged', problem: `could not be recorded any further, and was not recovered: ${failed.what}` }
  return { state: 'live', problem: 'not ended at the watermark' }
}

/** Whether the entry's time lies in [from, to). */
export function isWithin(at: string, { from, to }: BundleManifest['period']): boolean {
  const ms = Date.parse(at)
  return ms >= Date.parse(from) && ms < Date.parse(to)
}
