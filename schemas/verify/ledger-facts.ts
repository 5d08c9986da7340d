import { hexOf } from '../bytes.ts'
import type { LedgerWriter, Problem } from '../verification.ts'
import { isCount, type LedgerStatement } from './ledger-line.ts'
import type { VerifyTools } from './tools.ts'
import { leafHash, nodeHash } from './tree.ts'

/** Six interims missed: less is a busy machine. */
export const SILENT_MS = 60_000

/** Where an entry stands. */
export interface EntryPlace {
  readonly object: string
  readonly offset: number
  readonly entry: number
}

/** How far a tape was in the store. */
export interface TapePoint {
  readonly chunks: number
  readonly frames: number
  /** Hex; of the header's statement where there is no chunk yet. */
  readonly head: string
}

/** What the ledger says of one session. */
export interface SessionFacts {
  readonly session: string
  readonly gateway: string
  readonly at: string
  readonly header: string
  readonly place: EntryPlace
  close?: { readonly frames: number; readonly chunks: number; readonly root: string; readonly place: EntryPlace }
  /** The last one: an earlier one may have been broken off. */
  recover?: {
    readonly outcome: string
    readonly frames: number
    readonly recovered: number
    readonly chunks: number
    readonly by: string
    readonly at: string
    readonly place: EntryPlace
  }
  interim?: TapePoint & { readonly at: string; readonly place: EntryPlace }
  /** Matters it is held for. */
  holds?: ReadonlySet<string>
  deleted?: { readonly rule: string; readonly held: boolean; readonly at: string; readonly place: EntryPlace }
  /** Told that it could not be recorded any further; `never`: not a single frame was accepted. */
  failed?: { readonly what: string; readonly never: boolean; readonly place: EntryPlace }
}

interface Writer {
  readonly gateway: string
  n: number
  entries: number
  readonly numbers: Set<number>
  lastAt: string
  records: boolean
  running: boolean
  /** When it last said gateway.start or gateway.interim. */
  heardMs: number
  place: EntryPlace
  /** Its open tapes, as its interims say. */
  readonly open: Map<string, TapePoint>
}

type Report = (problem: Problem) => void

/** What a ledger's entries say when they are put together: who wrote, what became of every session, who fell silent. */
export class LedgerFacts {
  readonly sessions = new Map<string, SessionFacts>()
  /** Session numbers that a local journal had given before there was a ledger, by gateway. */
  readonly imported = new Map<string, number>()
  /** Checkpoints that entries tell of, by size. */
  readonly mentioned = new Map<number, { readonly root: string; readonly at: EntryPlace }>()
  readonly #tools: VerifyTools
  readonly #report: Report
  readonly #writers = new Map<string, Writer>()

  constructor(tools: VerifyTools, report: Report) {
    this.#tools = tools
    this.#report = report
  }

  /** An entry that its writer has signed; in the order of the ledger. */
  add(statement: LedgerStatement, place: EntryPlace): void {
    const writer = this.#writer(statement, place)
    writer.place = place
    writer.entries += 1
    writer.lastAt = statement.at
    this.#numbered(writer, statement, place)
    switch (statement.type) {
      case 'gateway.start':
        writer.records = true
        writer.running = true
        writer.open.clear()
        writer.heardMs = Date.parse(statement.at)
        return
      case 'gateway.stop':
        writer.running = false
        writer.open.clear()
        return
      case 'gateway.interim':
        this.#interim(writer, statement, place)
        return
      case 'session.open':
        this.#open(writer, statement, place)
        return
      case 'session.close':
        this.#close(statement, place)
        return
      case 'session.recover':
        this.#recover(statement, place)
        return
      case 'recording.failed':
        this.#of(statement, place, (session) => {
          session.failed = { what: textOf(statement['what']), never: statement['frames'] === 0, place }
        })
        return
      case 'retention.delete':
        this.#of(statement, place, (session) => {
          const held = (session.holds?.size ?? 0) > 0
          session.deleted = { rule: textOf(statement['rule']), held, at: statement.at, place }
        })
        return
      case 'hold.set':
      case 'hold.clear':
        this.#held(statement, place)
        return
      case 'journal.import':
        if (isCount(statement['sessions'])) this.imported.set(statement.gateway, statement['sessions'])
        return
      default:
        // Of a kind that says nothing of tapes, or that a later version has brought.
        return
    }
  }

  /** Everything has been added; `nowMs` is the time of the verification. */
  finish(nowMs: number): void {
    for (const { gateway, running, open, heardMs, place } of this.#writers.values()) {
      if (!running || open.size === 0 || nowMs - heardMs <= SILENT_MS) continue
      this.#report({
        verdict: 'VALID-INCOMPLETE',
        part: 'interim',
        what: `${gateway} was last heard of at ${new Date(heardMs).toISOString()}, with ${open.size} open sessions, and did not say gateway.stop`,
        ...place,
      })
      this.#silent.add(gateway)
    }
    for (const { gateway, running, heardMs } of this.#writers.values())
      if (running && nowMs - heardMs > SILENT_MS) this.#silent.add(gateway)
  }
  readonly #silent = new Set<string>()

  writers(): LedgerWriter[] {
    return [...this.#writers.values()].map(({ gateway, entries, numbers, records, running, lastAt, open }) => ({
      gateway,
      entries,
      sessions: numbers.size,
      state: !records ? 'other' : !running ? 'stopped' : this.#silent.has(gateway) ? 'silent' : 'running',
      lastAt,
      open: open.size,
    }))
  }

  #writer({ gateway, at }: LedgerStatement, place: EntryPlace): Writer {
    const known = this.#writers.get(gateway)
    if (known !== undefined) return known
    const made: Writer = {
      gateway,
      n: 0,
      entries: 0,
      numbers: new Set(),
      lastAt: at,
      records: false,
      running: false,
      heardMs: Date.parse(at),
      place,
      open: new Map(),
    }
    this.#writers.set(gateway, made)
    return made
  }

  #numbered(writer: Writer, { gateway, n }: LedgerStatement, place: EntryPlace): void {
    const expected = writer.n + 1
    if (n > expected) {
      const which = n === expected + 1 ? `entry ${expected}` : `entries ${expected} to ${n - 1}`
      this.#report({
        verdict: 'INVALID',
        part: 'numbering',
        what: `${which} of ${gateway} ${n === expected + 1 ? 'is' : 'are'} missing`,
        ...place,
      })
    } else if (n < expected)
      this.#report({
        verdict: 'INVALID',
        part: 'numbering',
        what: `entry ${n} of ${gateway} stands behind its entry ${writer.n}`,
        ...place,
      })
    writer.n = Math.max(writer.n, n)
  }

  #open(writer: Writer, statement: LedgerStatement, place: EntryPlace): void {
    const { gateway, at } = statement
    const { session, number, header } = statement
    if (typeof session !== 'string' || !isCount(number) || typeof header !== 'string') {
      this.#unreadable(statement, place)
      return
    }
    const wrong = (what: string): void => this.#report({ verdict: 'INVALID', part: 'entry', what, ...place })
    if (!session.endsWith(`-${gateway}-${String(number).padStart(8, '0')}`))
      wrong(`session ${session} is not number ${number} of ${gateway}`)
    if (writer.numbers.has(number)) wrong(`${gateway} has given session number ${number} twice`)
    writer.numbers.add(number)
    if (this.sessions.has(session)) wrong(`session ${session} is opened twice`)
    else this.sessions.set(session, { session, gateway, at, header, place })
  }

  #close(statement: LedgerStatement, place: EntryPlace): void {
    const { frames, chunks, root } = statement
    if (!isCount(frames) || !isCount(chunks) || typeof root !== 'string') {
      this.#unreadable(statement, place)
      return
    }
    this.#of(statement, place, (session) => {
      session.close = { frames, chunks, root, place }
      this.#writers.get(session.gateway)?.open.delete(session.session)
    })
  }

  #recover(statement: LedgerStatement, place: EntryPlace): void {
    const { frames, recovered, outcome, chunks = 0, gateway, at } = statement
    if (!isCount(frames) || !isCount(recovered) || !isCount(chunks) || typeof outcome !== 'string') {
      this.#unreadable(statement, place)
      return
    }
    this.#of(statement, place, (session) => {
      session.recover = { outcome, frames, recovered, chunks, by: gateway, at, place }
      this.#writers.get(session.gateway)?.open.delete(session.session)
    })
  }

  #held(statement: LedgerStatement, place: EntryPlace): void {
    const { matter = '', type } = statement
    if (typeof matter !== 'string') {
      this.#unreadable(statement, place)
      return
    }
    this.#of(statement, place, (session) => {
      const holds = new Set(session.holds)
      if (type === 'hold.set') holds.add(matter)
      else holds.delete(matter)
      session.holds = holds
    })
  }

  #interim(writer: Writer, statement: LedgerStatement, place: EntryPlace): void {
    const { open, root, tapes, more, checkpoint, at } = statement
    if (!isCount(open) || typeof root !== 'string' || !Array.isArray(tapes)) {
      this.#unreadable(statement, place)
      return
    }
    const atMs = Date.parse(at)
    if (writer.running && writer.open.size > 0 && atMs - writer.heardMs > SILENT_MS)
      this.#report({
        verdict: 'VALID-INCOMPLETE',
        part: 'interim',
        what: `${writer.gateway} said nothing from ${new Date(writer.heardMs).toISOString()} to ${at}, with ${writer.open.size} open sessions`,
        ...place,
      })
    writer.heardMs = atMs
    for (const row of tapes as readonly unknown[]) {
      const [session, chunks, frames, head]: readonly unknown[] = Array.isArray(row) ? row : []
      if (typeof session !== 'string' || !isCount(chunks) || !isCount(frames) || typeof head !== 'string') {
        this.#unreadable(statement, place)
        return
      }
      writer.open.set(session, { chunks, frames, head })
      const facts = this.sessions.get(session)
      if (facts !== undefined) facts.interim = { chunks, frames, head, at, place }
    }
    if (typeof checkpoint === 'object' && checkpoint !== null) {
      const { size, root: seen } = checkpoint as Record<string, unknown>
      if (isCount(size) && typeof seen === 'string' && !this.mentioned.has(size))
        this.mentioned.set(size, { root: seen, at: place })
    }
    if (more === true) return
    if (open !== writer.open.size || root !== hexOf(interimRoot(this.#tools, writer.open)))
      this.#report({
        verdict: 'VALID-INCOMPLETE',
        part: 'interim',
        what: `${writer.gateway} says it has ${open} open sessions; its entries lead to ${writer.open.size}, or to others`,
        ...place,
      })
  }

  #of({ session, type }: LedgerStatement, place: EntryPlace, set: (session: SessionFacts) => void): void {
    const facts = typeof session === 'string' ? this.sessions.get(session) : undefined
    if (facts !== undefined) set(facts)
    // What was opened before there was a ledger may end, be recovered and be deleted in it.
    else if (typeof session !== 'string' || !this.#isImported(session))
      this.#report({ verdict: 'INVALID', part: 'entry', what: `${type} of ${textOf(session)}, which was never opened`, ...place })
  }

  /** Whether the session is from before the ledger. */
  #isImported(session: string): boolean {
    return isImported(this.imported, session)
  }

  #unreadable({ type, gateway, n }: LedgerStatement, place: EntryPlace): void {
    this.#report({ verdict: 'INVALID', part: 'entry', what: `entry ${n} of ${gateway} is no ${type} as it should be`, ...place })
  }
}

/** `<start>-<gateway>-<number>`: whether its gateway's journal had come as far. */
export function isImported(imported: ReadonlyMap<string, number>, session: string): boolean {
  const number = Number(SESSION_ID.exec(session)?.[2] ?? 0)
  return number > 0 && number <= (imported.get(writerOf(session) ?? '') ?? 0)
}

/** Which process recorded the session, by its id. */
export function writerOf(session: string): string | undefined {
  return SESSION_ID.exec(session)?.[1]
}

const SESSION_ID = /^\d{8}T\d{6}Z-([a-z0-9-]+)-(\d{8,})$/

/** RFC 6962 root over `session chunks frames head` of every open tape, in the order of the sessions. */
export function interimRoot({ sha256 }: Pick<VerifyTools, 'sha256'>, open: ReadonlyMap<string, TapePoint>): Uint8Array {
  const encoder = new TextEncoder()
  let hashes = [...open]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([session, { chunks, frames, head }]) => leafHash(sha256, encoder.encode(`${session} ${chunks} ${frames} ${head}`)))
  if (hashes.length === 0) return sha256(new Uint8Array(0))
  while (hashes.length > 1) {
    const above: Uint8Array[] = []
    for (let at = 0; at < hashes.length; at += 2) {
      const [left, right] = [hashes[at], hashes[at + 1]]
      if (left !== undefined) above.push(right === undefined ? left : nodeHash(sha256, left, right))
    }
    hashes = above
  }
  return hashes[0] ?? sha256(new Uint8Array(0))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200) : typeof value
}
