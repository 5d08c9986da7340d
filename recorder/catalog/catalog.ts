import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type {
  CatalogLag,
  CatalogSessions,
  CatalogSessionsQuery,
  RuleHits,
  SessionQuery,
  SessionRow,
  StatementPage,
  StatementQuery,
} from '../../schemas/api.ts'
import { ApplianceError, ERROR_CODES } from '../../schemas/errors.ts'
import type { Finding, FindingQuery, FindingRow } from '../../schemas/findings.ts'
import type { PullQuery, PullTotal, SearchQuery } from '../../schemas/search.ts'
import type { Keyframe } from '../../schemas/views/keyframes.ts'
import type { Disposition } from '../findings/finding-rows.ts'
import type { Explained } from '../findings/watch.ts'
import type { CallName, Calls, CatalogSession, Change, FromThread, Left, Question, Scope, ThreadData } from './messages.ts'
import { keptFrom } from './months.ts'
import type { Found, Seeker } from './search.ts'
import { type Asker, Turns } from './turns.ts'

export type { CatalogSession, Change, Scope } from './messages.ts'

/** A thread that died is started again after this; it reads on where the catalog's rows end. */
const RESTART_MS = 5_000
/** What a thread that closes may take; PGlite on a full disk never ends. Files that it is killed over are as behind any crash of the process. */
const CLOSE_MS = 10_000
/** Of the connections to a server, which lists and ingestion need too. PGlite does one thing at a time. */
const SEARCHES_AT_SERVER = 2
const SOMEBODY: Asker = { person: '' }

export interface CatalogOptions extends ThreadData {
  /** Something that is ours to mend, in words without traffic. */
  readonly onProblem: (message: string) => void
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * The SQL catalog of what is in the store: PostgreSQL in a thread of its own. It may be thrown away
 * at any time: `catalog` is read from the tapes again. Answers wait while the thread starts (some seconds the first time).
 */
export class Catalog implements AsyncDisposable {
  readonly #options: CatalogOptions
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Set<(change: Change) => void>()
  /** Lists are asked at once; what may walk through much takes turns, so that no list waits for more than what has begun. */
  readonly #searches: Turns
  #worker: Worker
  #lag: CatalogLag = { state: 'backfill', sessions: 0, behindMs: 0 }
  #last = 0
  #closing: Promise<void> | undefined
  #restart: NodeJS.Timeout | undefined

  private constructor(options: CatalogOptions) {
    this.#options = options
    this.#searches = new Turns('url' in options.database ? SEARCHES_AT_SERVER : 1)
    this.#worker = this.#start()
  }

  /** Returns at once; the thread goes on starting. */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const { database } = options
    if ('folder' in database) await mkdir(dirname(database.folder), { recursive: true, mode: 0o700 })
    return new Catalog(options)
  }

  /** How far behind the store the answers are. */
  get lag(): CatalogLag {
    return this.#lag
  }

  /** The first month it keeps sessions of; null where it keeps all. */
  get keptFrom(): string | null {
    const { keepDays } = this.#options
    return keepDays === undefined ? null : keptFrom(keepDays, Date.now())
  }

  /** Newest start first. Rejects API_INVALID for a cursor that is not of this list. */
  sessions(
    query: SessionQuery,
    scope: Scope,
    asker: Asker = SOMEBODY,
  ): Promise<{ readonly sessions: readonly SessionRow[]; readonly next: string | null }> {
    if (query.text === undefined) return this.#ask('sessions', query, scope)
    return this.#searches.run(asker, () => this.#askFor(asker, 'sessions', query, scope))
  }

  session(id: string): Promise<CatalogSession | null> {
    return this.#ask('session', id)
  }

  /** How many of these it has. */
  countSessions(ids: readonly string[]): Promise<number> {
    return this.#ask('countSessions', ids)
  }

  /** In tape order. */
  statements(session: string, query: StatementQuery): Promise<Omit<StatementPage, 'lag'>> {
    return this.#ask('statements', session, query)
  }

  /** The newest screen of a terminal that was kept at or before that frame; null where there is none. */
  keyframe(session: string, channel: number, seq: number): Promise<Keyframe | null> {
    return this.#ask('keyframe', session, channel, seq)
  }

  /** Newest first. Rejects API_INVALID for what is no filter or takes too long, and for a foreign cursor; API_LIMITED where too many wait. */
  search(query: SearchQuery, seeker: Seeker, asker: Asker = SOMEBODY): Promise<Found> {
    return this.#searches.run(asker, () => this.#askFor(asker, 'search', query, seeker))
  }

  /** Statements by rule, of sessions with this id (it begins with their time) and later; most first. */
  ruleHits(from: string): Promise<readonly RuleHits[]> {
    return this.#ask('ruleHits', from)
  }

  /** What happened in it, in a few sentences. */
  narrate(session: CatalogSession): Promise<readonly string[]> {
    return this.#ask('narrate', session)
  }

  /** Who took the most of what: most rows first. */
  topPulls(query: PullQuery, scope: Scope): Promise<readonly PullTotal[]> {
    return this.#ask('topPulls', query, scope)
  }

  /** Open and severe first. */
  findings(
    query: FindingQuery,
    scope: Scope,
  ): Promise<{ readonly findings: readonly FindingRow[]; readonly next: string | null }> {
    return this.#ask('findings', query, scope)
  }

  finding(id: string): Promise<Finding | null> {
    return this.#ask('finding', id)
  }

  /** The finding, and whether its detector finds the same again. */
  explain(id: string): Promise<Explained | null> {
    return this.#ask('explain', id)
  }

  /** Whoever calls has told the ledger before. */
  putDisposition(disposition: Disposition): Promise<void> {
    return this.#ask('putDisposition', disposition)
  }

  /** The ledger has it. */
  findingTold(id: string): Promise<void> {
    return this.#ask('findingTold', id)
  }

  /** Resolves once everything that is in the catalog has been looked through for findings. */
  scan(): Promise<void> {
    return this.#ask('scan')
  }

  /** There is more of these in the store: they are read now, and not when the clock says. Returns at once. */
  grew(ids: readonly string[]): void {
    // Only where the thread is there to be told; one that starts reads everything anyway.
    if (this.#lag.state !== 'failed') this.#ask('grew', ids).catch(() => undefined)
  }

  /** Resolves once every tape has been read to where it ended at the call. */
  settle(): Promise<void> {
    return this.#ask('settle')
  }

  /** Drops what was derived and reads every tape again; resolves when it has. */
  rebuild(): Promise<void> {
    return this.#ask('rebuild')
  }

  /** As `rebuild`, but resolves once the reading has begun; `lag` says how far it is. A process that ends meanwhile goes on at its next start. */
  beginRebuild(): Promise<void> {
    return this.#ask('beginRebuild')
  }

  /** Sessions it has. */
  count(): Promise<number> {
    return this.#ask('count')
  }

  /** What it has of sessions, by their ids. */
  entries(query: CatalogSessionsQuery): Promise<CatalogSessions['sessions']> {
    return this.#ask('entries', query)
  }

  /** Told of sessions that open, go on and end; returns what ends it. Nothing is told twice, something may be missed: ask again. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearTimeout(this.#restart)
    if (this.#lag.state !== 'failed') {
      const late = Promise.withResolvers<void>()
      const clock = setTimeout(late.resolve, CLOSE_MS)
      await Promise.race([this.#ask('close').catch(() => undefined), late.promise])
      clearTimeout(clock)
    }
    await this.#worker.terminate()
  }

  #ask<N extends CallName>(call: N, ...args: Parameters<Calls[N]>): Promise<ReturnType<Calls[N]>> {
    return this.#askFor(SOMEBODY, call, ...args)
  }

  /** The thread is told when the asker leaves. */
  #askFor<N extends CallName>(asker: Asker, call: N, ...args: Parameters<Calls[N]>): Promise<ReturnType<Calls[N]>> {
    if (this.#lag.state === 'failed') return Promise.reject(gone())
    this.#last += 1
    const question: Question = { id: this.#last, call, args }
    const leave = (): void => this.#worker.postMessage({ left: question.id } satisfies Left)
    const answered = new Promise<ReturnType<Calls[N]>>((resolve, reject) => {
      // The thread answers each call with what `Calls` says of it.
      this.#waiting.set(question.id, { resolve: (value) => resolve(value as ReturnType<Calls[N]>), reject })
      this.#worker.postMessage(question)
    })
    asker.gone?.addEventListener('abort', leave, { once: true })
    return answered.finally(() => asker.gone?.removeEventListener('abort', leave))
  }

  #start(): Worker {
    const { store, keys, database, describers, secret, findings, keepDays } = this.#options
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: {
        ...{ store, keys, database, describers, secret, findings },
        ...(keepDays === undefined ? {} : { keepDays }),
      } satisfies ThreadData,
    })
    worker.on('message', (message: FromThread) => this.#heard(message))
    worker.once('error', (error) => this.#options.onProblem(`the catalog's thread failed (${whyOf(error)})`))
    worker.once('exit', () => this.#died())
    return worker
  }

  #heard(message: FromThread): void {
    switch (message.kind) {
      case 'answer':
        this.#take(message.id)?.resolve(message.value)
        return
      case 'failure': {
        const code = ERROR_CODES.find((each) => each === message.code)
        this.#take(message.id)?.reject(
          code === undefined
            ? new ApplianceError('STORE_FAILED', `the catalog could not answer (${message.message})`)
            : new ApplianceError(code, message.message),
        )
        return
      }
      case 'lag':
        this.#lag = message.lag
        return
      case 'change':
        for (const listener of [...this.#listeners]) listener(message.change)
        return
      case 'problem':
        this.#options.onProblem(message.message)
        return
      default:
        message satisfies never
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #died(): void {
    this.#lag = { state: 'failed', sessions: 0, behindMs: 0 }
    for (const { reject } of this.#waiting.values()) reject(gone())
    this.#waiting.clear()
    if (this.#closing !== undefined) return
    this.#restart = setTimeout(() => {
      this.#lag = { state: 'backfill', sessions: 0, behindMs: 0 }
      this.#worker = this.#start()
    }, RESTART_MS)
  }
}

/** In words without traffic: of what it came from, where the thread of the files died under it. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.cause instanceof Error) return whyOf(error.cause)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

function gone(): ApplianceError {
  return new ApplianceError(
    'STORE_FAILED',
    'the catalog is being started again; tapes and approvals are not concerned, try again in some seconds',
  )
}
