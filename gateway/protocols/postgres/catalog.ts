import { setTimeout } from 'node:timers/promises'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { type Origin, originOf } from './catalog-origin.ts'
import { type Additions, type Column, type Relation, type Snapshot, takeSnapshot } from './catalog-snapshot.ts'
import { loginUpstream } from './login.ts'
import { push } from './startup-pull.ts'
import { binaryMessage } from './upstream-query.ts'

/** How old a snapshot may be when it is asked before a new one is taken behind it: a view redefined elsewhere is wrong so long. */
const FRESH_MS = 60_000
/** A statement that makes a table and reads it must not make us read the catalog for every row. */
const REFRESH_EVERY_MS = 1_000
/** With refreshes failing so long, nothing is known any more. */
const MAX_AGE_MS = 15 * 60_000
/** For a refresh, login included. */
const SNAPSHOT_TIMEOUT_MS = 60_000
/** Databases with a snapshot in memory; beyond, the one that was opened first is read anew when it comes back. */
const MAX_CATALOGS = 256

/** A server that is down fails every second: the log hears of it so often. */
const TELL_EVERY_MS = 60_000

/** Hears that background refreshes fail: the newest error, how many there were since the last that succeeded, and how old what is known is. */
export type OnFailure = (error: unknown, facts: { readonly failures: number; readonly ageMs: number }) => void

/** Reads the catalog anew. Replaced in tests. */
export type TakeSnapshot = (signal: AbortSignal) => Promise<Snapshot>

/** Monotonic. Replaced in tests. */
export interface Clock {
  now(): number
  pause(ms: number): Promise<unknown>
}
const CLOCK: Clock = { now: () => performance.now(), pause: (ms) => setTimeout(ms) }

/** Where result columns of one database come from. Answers at once, from a snapshot renewed in the background. */
export class Catalog {
  #take: TakeSnapshot
  #onFailure: OnFailure
  #failures = 0
  #toldAt = Number.NEGATIVE_INFINITY
  readonly #clock: Clock
  #snapshot: Snapshot
  /** When the snapshot in force was begun, and when one was last tried, ms on the clock. */
  #takenAt: number
  #triedAt: number
  #origins = new Map<string, Origin | 'system'>()
  #byName: Map<string, Relation[]> | undefined
  /** Readings begun, and which of them is in force. */
  #begun = 1
  #reading = 1
  #running: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined

  private constructor(take: TakeSnapshot, snapshot: Snapshot, takenAt: number, onFailure: OnFailure, clock: Clock) {
    this.#take = take
    this.#snapshot = snapshot
    this.#takenAt = takenAt
    this.#triedAt = takenAt
    this.#onFailure = onFailure
    this.#clock = clock
  }

  /** Rejects with what the first snapshot failed by. `onFailure` hears of later ones, once a minute; they leave the snapshot as it is. */
  static async open(take: TakeSnapshot, onFailure: OnFailure, clock: Clock = CLOCK): Promise<Catalog> {
    const began = clock.now()
    return new Catalog(take, await take(AbortSignal.timeout(SNAPSHOT_TIMEOUT_MS)), began, onFailure, clock)
  }

  /**
   * Where (oid, attnum) of a RowDescription comes from. undefined: not known (yet); take it for labelled. An unknown one and an
   * old snapshot start a refresh in the background. Origin 0/0, an expression, is not for the catalog to explain: undefined.
   */
  lookup(oid: number, attnum: number): Origin | 'system' | undefined {
    if (oid === 0) return undefined
    const age = this.#clock.now() - this.#takenAt
    if (age > FRESH_MS) this.refreshBehind()
    if (age > MAX_AGE_MS) return undefined
    const key = `${oid} ${attnum}`
    const known = this.#origins.get(key) ?? originOf(this.#snapshot, oid, attnum)
    if (known === undefined) this.refreshBehind()
    else this.#origins.set(key, known)
    return known
  }

  /** Stands for all that `lookup` and `named` answer, while they answer the same; undefined when a new snapshot should be taken. */
  get fresh(): object | undefined {
    return this.#clock.now() - this.#takenAt > FRESH_MS ? undefined : this.#snapshot
  }

  /** Stands for all that is known, for as long as nothing else is. */
  get edition(): object {
    return this.#snapshot
  }

  /** The ordinal of the reading that is in force, and of the last that was begun. */
  get reading(): number {
    return this.#reading
  }

  get begun(): number {
    return this.#begun
  }

  get additions(): Additions {
    return this.#snapshot.additions
  }

  /** Whether a relation of this name, its schema aside, is one of the system's own. */
  isSystem(table: string): boolean {
    return this.#snapshot.system.has(table)
  }

  /** Relations of this name, in every schema where none is given: what a name in a statement may mean, whatever the search_path. */
  named(table: string, schema?: string): readonly Relation[] {
    if (this.#byName === undefined) {
      this.#byName = new Map()
      for (const relation of this.#snapshot.relations.values()) {
        const known = this.#byName.get(relation.table)
        if (known === undefined) this.#byName.set(relation.table, [relation])
        else known.push(relation)
      }
    }
    const found = this.#byName.get(table) ?? []
    return schema === undefined ? found : found.filter((relation) => relation.schema === schema)
  }

  /**
   * Resolves when a snapshot that began after this call is in force; call it after DDL. Calls made together share one, and one
   * begins at most every second. Rejects with what it failed by.
   */
  refresh(): Promise<void> {
    this.#queued ??= this.#next()
    return this.#queued
  }

  /** From now on read by `take`, and failures told to `onFailure`: the newest session's. */
  renew(take: TakeSnapshot, onFailure: OnFailure): void {
    this.#take = take
    this.#onFailure = onFailure
  }

  /** As `refresh`, while everything goes on. */
  refreshBehind(): void {
    if (this.#queued === undefined) this.refresh().catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    const now = this.#clock.now()
    if (now - this.#toldAt < TELL_EVERY_MS) return
    this.#toldAt = now
    this.#onFailure(error, { failures: this.#failures, ageMs: Math.round(now - this.#takenAt) })
  }

  async #next(): Promise<void> {
    await this.#running.catch(() => {}) // whoever asked for that one has been told
    const waitMs = this.#triedAt + REFRESH_EVERY_MS - this.#clock.now()
    if (waitMs > 0) await this.#clock.pause(waitMs)
    this.#queued = undefined
    this.#running = this.#refreshNow()
    return this.#running
  }

  async #refreshNow(): Promise<void> {
    const began = this.#clock.now()
    this.#triedAt = began
    this.#failures++
    const reading = ++this.#begun
    const snapshot = await this.#take(AbortSignal.timeout(SNAPSHOT_TIMEOUT_MS))
    const relations = withFormerKin(this.#snapshot, snapshot)
    this.#snapshot = { ...snapshot, relations, former: formerNames(this.#snapshot, snapshot) }
    this.#reading = reading
    this.#takenAt = began
    this.#failures = 0
    this.#origins = new Map()
    this.#byName = undefined
  }
}

/** A table that was a partition of another, or inherited from it, keeps its labels, as long as there is that other. */
function withFormerKin(before: Snapshot, { relations: now }: Snapshot): Snapshot['relations'] {
  const kept = new Map(now)
  for (const [oid, { kin: old }] of before.relations) {
    const relation = now.get(oid)
    if (relation === undefined || old.length === 0) continue
    const kin = new Set([...relation.kin, ...old.filter((one) => now.has(one))])
    if (kin.size > relation.kin.length) kept.set(oid, { ...relation, kin: [...kin] })
  }
  return kept
}

/** Names that columns in `now` had in `before`, or were known to have had then. */
function formerNames(before: Snapshot, now: Snapshot): ReadonlyMap<string, readonly Column[]> {
  const former = new Map<string, readonly Column[]>()
  for (const [oid, { schema, table, columns }] of now.relations) {
    const old = before.relations.get(oid)
    if (old === undefined) continue
    const moved = old.schema !== schema || old.table !== table
    for (const [attnum, column] of columns) {
      const key = `${oid} ${attnum}`
      const known = before.former?.get(key)
      const was = old.columns.get(attnum)
      if (was === undefined || (known === undefined && !moved && was === column)) continue
      const names = known ?? []
      const same = (name: Column): boolean => name.schema === old.schema && name.table === old.table && name.column === was
      former.set(key, names.some(same) ? names : [...names, { schema: old.schema, table: old.table, column: was }])
    }
  }
  return former
}

/** The catalogs of a process, one per target and database, shared by all its sessions. */
export class Catalogs {
  readonly #open = new Map<string, Promise<Catalog>>()
  /**
   * The catalog of a database, read with the gateway's own credential over a connection of its own: awaited the first time,
   * there at once afterwards. Rejects like `loginUpstream`, or LIMIT_REACHED; the next call tries again.
   * `onFailure` hears why background refreshes fail; the error may name our own user, so it is for the log.
   */
  async of(target: Target, database: string, credential: () => Promise<Credential>, onFailure: OnFailure): Promise<Catalog> {
    const key = `${target.name}\0${database}`
    const take: TakeSnapshot = async (signal) => readCatalog(target, database, await credential(), signal)
    const known = this.#open.get(key)
    if (known !== undefined) {
      const catalog = await known
      catalog.renew(take, onFailure)
      return catalog
    }
    const opening = Catalog.open(take, onFailure)
    this.#open.set(key, opening)
    const oldest = this.#open.keys().next().value
    if (this.#open.size > MAX_CATALOGS && oldest !== undefined) this.#open.delete(oldest)
    try {
      return await opening
    } catch (error) {
      if (this.#open.get(key) === opening) this.#open.delete(key)
      throw error
    }
  }
}

async function readCatalog(target: Target, database: string, credential: Credential, signal: AbortSignal): Promise<Snapshot> {
  const request = { database, parameters: new Map([['application_name', 'sallyport catalog']]), version: { major: 3, minor: 0 } }
  const { socket } = await loginUpstream(target, credential, request, signal)
  try {
    const snapshot = await takeSnapshot(socket, signal)
    await push(socket, binaryMessage('X', new Uint8Array(0))) // Terminate
    return snapshot
  } finally {
    socket.destroy()
  }
}
