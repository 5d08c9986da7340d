import { setTimeout as wait } from 'node:timers/promises'
import { openServer } from '../../recorder/catalog/database-server.ts'
import { SharedDatabase } from '../../recorder/desk/shared-database.ts'
import type { Settings } from '../config.ts'
import { databasePlace } from '../database-place.ts'
import { type Check, checked } from './check.ts'

/** A gateway tells itself once a second that it hears; by then this does, too. */
const HEARD_WITHIN_MS = 10_000
const LOOK_MS = 50

const SHARED_RIGHTS_SQL = `
select coalesce(bool_and(has_table_privilege(name, verb)), false) as may
from unnest(array['desk.records', 'desk.processes', 'desk.askers']) name, unnest(array['select', 'insert', 'update', 'delete']) verb`

/** Either what the catalog is made of may be made, or it is there and may be added to. */
const CATALOG_RIGHTS_SQL = `
select has_database_privilege(current_database(), 'create')
    or (select count(*) = 2 and bool_and(has_schema_privilege(oid, 'usage, create')) from pg_namespace where nspname in ('catalog', 'desk')) as may,
  exists (select from pg_available_extensions where name = 'pg_trgm') as trigrams`

type Where = Pick<Settings, 'shared' | 'catalog' | 'from'>

/** Whether the databases that are configured answer, give what is needed, and pass notifications on. What is in the data folder is no database of these. */
export async function checkDatabases({ shared, catalog, from }: Where, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  const { url } = catalog
  return Promise.all([
    ...(shared === undefined
      ? []
      : [
          checked(
            'shared database',
            async () => sharedSeen(await databasePlace('shared.url', shared, from, env)),
            'without it the gateway does not start: is shared.url right, reachable from here, and its role the owner of the schema desk?',
          ),
        ]),
    ...(url === undefined
      ? []
      : [
          checked(
            'catalog database',
            async () => catalogSeen(await databasePlace('catalog.url', { ...catalog, url }, from, env)),
            'without it the console lists and finds nothing: is catalog.url right and reachable from here?',
          ),
        ]),
  ])
}

/** As the gateway opens it: what is missing in it is made. */
async function sharedSeen(place: Parameters<typeof SharedDatabase.open>[0]): Promise<Omit<Check, 'what'>> {
  await using database = await SharedDatabase.open(place, () => undefined)
  const [rights] = await database.query<{ may: boolean }>(SHARED_RIGHTS_SQL)
  if (rights?.may !== true)
    return {
      status: 'failed',
      seen: 'it answers, and its tables may not be read and written',
      cure: 'grant select, insert, update, delete on all tables in schema desk to the role of shared.url',
    }
  const start = performance.now()
  while (database.heardUntil() === Number.NEGATIVE_INFINITY) {
    if (performance.now() - start > HEARD_WITHIN_MS)
      return {
        status: 'failed',
        seen: 'it answers, and no notifications come from it',
        cure: 'connect to it directly, not through a pooler in transaction mode',
      }
    await wait(LOOK_MS)
  }
  return { status: 'ok', seen: 'answers, may be written, and passes notifications on' }
}

async function catalogSeen(place: Parameters<typeof openServer>[0]): Promise<Omit<Check, 'what'>> {
  const database = await openServer(place)
  try {
    const [rights] = (await database.query<{ may: boolean; trigrams: boolean }>(CATALOG_RIGHTS_SQL)).rows
    if (rights?.may !== true)
      return {
        status: 'failed',
        seen: 'it answers, and its schemas may not be made',
        cure: 'grant create on the database of catalog.url to its role',
      }
    if (!rights.trigrams)
      return { status: 'failed', seen: 'it answers, and has no pg_trgm', cure: 'install the contrib extension pg_trgm there' }
    return { status: 'ok', seen: 'answers, and may be written' }
  } finally {
    await database.close()
  }
}
