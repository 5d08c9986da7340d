import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { ApplianceError } from '../../schemas/errors.ts'
import { loginOf, type ServerPlace } from '../azure/database-login.ts'
import type { Database, Queries } from './database.ts'
import { endedInTime } from './timed.ts'

/** The catalog's thread asks one thing at a time but for reads beside the ingestion. */
const CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000
/** The oldest whose dialect the catalog's SQL is tried in. */
const OLDEST = 150_000
const INT8 = 20
/** Between two words to the server that nobody waits: what it is told between two statements it does not hear. */
const CANCEL_EVERY_MS = 100

/** The values of the catalog are counts and microseconds, far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format),
}

/** Connects to a server's database. Rejects CONFIG_INVALID where it is too old; the driver's error where it cannot be reached. */
export async function openServer(place: ServerPlace): Promise<Database> {
  const pool = new pg.Pool({
    ...(await loginOf(place, 'catalog.url')),
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'sallyport-catalog',
    types,
  })
  // A connection that breaks while idle is replaced; who asks meanwhile is told by their own question.
  pool.on('error', () => undefined)
  const database = serverDatabase(pool)
  try {
    const { rows } = await database.query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
    const version = rows[0]?.version ?? 0
    if (version < OLDEST)
      throw new ApplianceError(
        'CONFIG_INVALID',
        `catalog.url: the server is PostgreSQL ${Math.floor(version / 10_000)}; 15 is the oldest that will do`,
      )
    return database
  } catch (error) {
    await pool.end()
    throw error
  }
}

function serverDatabase(pool: pg.Pool): Database {
  const database: Database = {
    ...queriesOf(pool),
    timed: (ms, work, { gone, settings } = {}) =>
      endedInTime(
        database.transaction(async (each) => {
          gone?.throwIfAborted()
          // 0 would be without end.
          const { rows } = await each.query<{ pid: number }>(
            `select pg_backend_pid() as pid, set_config('statement_timeout', $1, true)`,
            [String(Math.max(1, ms))],
          )
          return whileHeard(pool, rows[0]?.pid, gone, () => work(each, () => 'true'))
        }, settings),
        gone,
      ),
    async transaction(work, settings = '') {
      const client = await pool.connect()
      let failed: Error | undefined
      try {
        await client.query(`begin; ${settings}`)
        const result = await work(queriesOf(client))
        await client.query('commit')
        return result
      } catch (error) {
        // A connection whose transaction cannot be ended is not given back.
        await client.query('rollback').catch((lost: unknown) => {
          failed = lost instanceof Error ? lost : new Error('the connection was lost')
        })
        throw error
      } finally {
        client.release(failed)
      }
    },
    close: () => pool.end(),
  }
  return database
}

/** Does the work; what the connection `pid` runs of it is cancelled once its asker is gone. */
async function whileHeard<T>(
  pool: pg.Pool,
  pid: number | undefined,
  gone: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let done = false
  let cancelled: Promise<void> = Promise.resolve()
  const cancel = async (): Promise<void> => {
    while (!done) {
      await pool.query('select pg_cancel_backend($1)', [pid])
      if (!done) await pause(CANCEL_EVERY_MS)
    }
  }
  // Where it cannot be said, the statement ends by its own clock.
  const leave = (): void => {
    cancelled = cancel().catch(() => undefined)
  }
  // Who has left by now is heard by nobody later.
  gone?.throwIfAborted()
  gone?.addEventListener('abort', leave, { once: true })
  try {
    return await work()
  } finally {
    done = true
    gone?.removeEventListener('abort', leave)
    // Not a statement of whoever has the connection next.
    await cancelled
  }
}

function queriesOf(client: pg.Pool | pg.PoolClient): Queries {
  return {
    async query<T>(sql: string, values?: unknown[]) {
      const { rows } = await client.query(sql, values)
      // As the statement selects: whoever asks says what that is.
      return { rows: rows as T[] }
    },
    exec: (sql) => client.query(sql),
  }
}
