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
    timed: (ms, work) =>
      endedInTime(
        database.transaction(async (each) => {
          // 0 would be without end.
          await each.exec(`set local statement_timeout = ${Math.max(1, ms)}`)
          return work(each, () => 'true')
        }),
      ),
    async transaction(work) {
      const client = await pool.connect()
      let failed: Error | undefined
      try {
        await client.query('begin')
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
