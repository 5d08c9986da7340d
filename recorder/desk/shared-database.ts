import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { ApplianceError } from '../../schemas/errors.ts'
import { loginOf, mistakeIn, type ServerPlace } from '../azure/database-login.ts'

/** Of one process: answers are short, and what waits for one holds none. */
const CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000
/** Beyond it the database is as good as away: whoever asked is refused. */
const ANSWER_TIMEOUT_MS = 10_000
/** The oldest whose dialect the SQL is tried in. */
const OLDEST = 150_000
/** How often each process says that it is there; what it was told until then it has heard. */
const SIGN_OF_LIFE_MS = 1_000
/** A process that was silent for so long does not wait for anything any more. */
const DEAD_AFTER_S = 20
const RECONNECT_MS = 1_000
const CHANNEL = 'sallyport_desk'
/** Before what processes say to themselves over the channel; no area has the name. */
const SIGN = 'alive'

const SCHEMA_SQL = `
create schema if not exists desk;
create table if not exists desk.records (
  folder text collate "C" not null,
  name text collate "C" not null,
  value text not null,
  at timestamptz not null default now(),
  primary key (folder, name)
);
create table if not exists desk.processes (process text primary key, seen_at timestamptz not null);
create table if not exists desk.askers (asker text primary key, request text not null, process text not null);
create index if not exists askers_request on desk.askers (request);
`
/** `if not exists` asks for the right to create even where nothing is missing. */
const WHOLE_SQL = `
select bool_and(to_regclass(name) is not null) as whole
from unnest(array['desk.records', 'desk.processes', 'desk.askers', 'desk.askers_request']) name`

/**
 * The database that replicas share: rows are the truth, notifications only wake those who look. What cannot be asked is
 * an error for whoever asked, within seconds: nothing is decided from memory.
 */
export class SharedDatabase implements AsyncDisposable {
  /** Names this process among those that share the database. */
  readonly process = randomBytes(12).toString('hex')
  readonly #config: pg.ClientConfig
  readonly #pool: pg.Pool
  readonly #onError: (error: unknown) => void
  readonly #hearers = new Set<(path: string | undefined) => void>()
  #listener: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #connecting: Promise<void> = Promise.resolve()
  /** Everything that was told before has been heard; on the monotonic clock. */
  #heardUntilMs = Number.NEGATIVE_INFINITY
  /** What the listener has yet to hear of itself. */
  #awaited: { readonly sign: string; readonly atMs: number } | undefined
  #closed = false

  private constructor(config: pg.ClientConfig, onError: (error: unknown) => void) {
    this.#config = config
    this.#onError = onError
    this.#pool = new pg.Pool({ ...config, max: CONNECTIONS })
    // A connection that breaks while idle is replaced; who asks meanwhile is told by their own question.
    this.#pool.on('error', () => undefined)
  }

  /**
   * Connects, and makes what is missing. Rejects CONFIG_INVALID where the server is too old or would not be verified, STORE_FAILED where it cannot be reached.
   * `onError` hears when notifications are cut off: answers are as right without them, and later.
   */
  static async open(place: ServerPlace, onError: (error: unknown) => void): Promise<SharedDatabase> {
    const mistake = mistakeIn(place)
    if (mistake !== undefined) throw new ApplianceError('CONFIG_INVALID', `shared.url: ${mistake}`)
    const made = new SharedDatabase(
      {
        ...(await loginOf(place, 'shared.url')),
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        query_timeout: ANSWER_TIMEOUT_MS,
        keepAlive: true,
        application_name: 'sallyport-desk',
      },
      onError,
    )
    try {
      const [server] = await made.query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
      if ((server?.version ?? 0) < OLDEST)
        throw new ApplianceError('CONFIG_INVALID', 'shared.url: PostgreSQL 15 is the oldest that will do')
      await made.#prepare()
      await made.#listen()
      return made
    } catch (error) {
      await made[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Rejects STORE_FAILED, without the text of the driver, which may quote what was asked. */
  async query<T>(sql: string, values: readonly unknown[] = []): Promise<readonly T[]> {
    try {
      const { rows } = await this.#pool.query(sql, [...values])
      // As the statement selects: whoever asks says what that is.
      return rows as T[]
    } catch (error) {
      throw unanswered(error)
    }
  }

  /** Told of every record that changes, by its path; undefined: something may have been missed, or it is time to look anyway. */
  hear(hearer: (path: string | undefined) => void): () => void {
    this.#hearers.add(hearer)
    return () => void this.#hearers.delete(hearer)
  }

  /** Tells whoever hears, this process too. Rejects STORE_FAILED. */
  async say(news: string): Promise<void> {
    await this.query('select pg_notify($1, $2)', [CHANNEL, news])
  }

  /** Whether what changed up to this moment (`performance.now()`) has surely been heard of. */
  heardUntil(): number {
    return this.#heardUntilMs
  }

  async join(request: string): Promise<string> {
    const asker = randomBytes(12).toString('hex')
    await this.query('insert into desk.askers (asker, request, process) values ($1, $2, $3)', [asker, request, this.process])
    return asker
  }

  async leave(asker: string): Promise<void> {
    await this.query('delete from desk.askers where asker = $1', [asker])
  }

  async awaited(request: string): Promise<boolean> {
    const rows = await this.query(
      `select 1 from desk.askers join desk.processes using (process)
       where request = $1 and seen_at > now() - make_interval(secs => $2) limit 1`,
      [request, DEAD_AFTER_S],
    )
    return rows.length > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#connecting
    clearTimeout(this.#timer)
    for (const hear of [...this.#hearers]) hear(undefined)
    if (this.#listener !== undefined) {
      // Others need not wait until it counts as dead; where the database is away they do.
      await this.query('delete from desk.processes where process = $1', [this.process]).catch(this.#onError)
      await this.#listener.end().catch(() => undefined)
    }
    await this.#pool.end()
  }

  /** One at a time over all processes: `if not exists` of two at once is an error of one. */
  async #prepare(): Promise<void> {
    const [found] = await this.query<{ whole: boolean }>(WHOLE_SQL)
    if (found?.whole !== true) await this.#exclusively(SCHEMA_SQL)
    await this.query(`delete from desk.processes where seen_at < now() - interval '1 day'`)
    await this.query('delete from desk.askers where process not in (select process from desk.processes) and process <> $1', [
      this.process,
    ])
  }

  async #exclusively(sql: string): Promise<void> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw unanswered(error)
    })
    let failed: Error | undefined
    try {
      await client.query(`begin; select pg_advisory_xact_lock(hashtext('sallyport desk')); ${sql}; commit`)
    } catch (error) {
      failed = unanswered(error)
      throw failed
    } finally {
      client.release(failed)
    }
  }

  async #listen(): Promise<void> {
    const client = new pg.Client(this.#config)
    client.on('error', () => this.#lost(client))
    client.on('end', () => this.#lost(client))
    client.on('notification', ({ payload }) => this.#told(payload))
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      // What was told before somebody listened.
      for (const hear of [...this.#hearers]) hear(undefined)
      this.#awaited = undefined
      this.#listener = client
      await this.#live(client)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw unanswered(error)
    }
  }

  #told(payload: string | undefined): void {
    if (payload !== undefined && payload === this.#awaited?.sign) {
      this.#heardUntilMs = this.#awaited.atMs
      this.#awaited = undefined
    }
    if (payload?.startsWith(`${SIGN}/`) === true) return
    for (const hear of [...this.#hearers]) hear(payload)
  }

  /**
   * Says that this process is there, and to itself that it hears: notifications come in the order of commits, so whoever hears this one
   * has heard what was told before. Over another connection than the listener's, which asks nothing once it listens: a pooler that
   * lends connections for one transaction passes nothing on to it then, not even what it says itself. Rejects STORE_FAILED where
   * nothing is heard.
   */
  async #live(client: pg.Client): Promise<void> {
    const nowMs = performance.now()
    if (this.#awaited !== undefined && nowMs - this.#awaited.atMs > ANSWER_TIMEOUT_MS)
      throw new ApplianceError(
        'STORE_FAILED',
        'no notifications come from the shared database: connect to it directly, not through a pooler in transaction mode',
      )
    this.#awaited ??= { sign: `${SIGN}/${this.process}/${randomBytes(12).toString('hex')}`, atMs: nowMs }
    await this.query(
      `insert into desk.processes values ($1, now()) on conflict (process) do update set seen_at = excluded.seen_at
       returning pg_notify('${CHANNEL}', $2)`,
      [this.process, this.#awaited.sign],
    )
    this.#again(() => this.#live(client), SIGN_OF_LIFE_MS, client)
  }

  #again(work: () => Promise<void>, afterMs: number, client?: pg.Client): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#connecting = work().catch((error: unknown) => {
        if (client === undefined) this.#reconnect(error)
        else this.#lost(client, error)
      })
    }, afterMs).unref()
  }

  #lost(client: pg.Client, error: unknown = new ApplianceError('STORE_FAILED', 'the shared database hung up')): void {
    if (this.#listener !== client) return
    this.#listener = undefined
    client.end().catch(() => undefined)
    this.#reconnect(error)
  }

  #reconnect(error: unknown): void {
    if (this.#closed) return
    this.#onError(error)
    this.#again(() => this.#listen(), RECONNECT_MS)
  }
}

/** The driver's texts may quote values; its codes do not. */
function unanswered(error: unknown): ApplianceError {
  if (error instanceof ApplianceError) return error
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no answer'
  return new ApplianceError('STORE_FAILED', `the shared database does not answer (${code})`, { cause: error })
}
