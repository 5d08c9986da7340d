import { join } from 'node:path'
import type { DeskLedger } from '../recorder/desk/approval-book.ts'
import { FolderAskers } from '../recorder/desk/askers-folder.ts'
import { RecordsDesk } from '../recorder/desk/desk-records.ts'
import type { Askers, Records } from '../recorder/desk/records.ts'
import { DatabaseAskers, DatabaseRecords } from '../recorder/desk/records-database.ts'
import { FolderRecords } from '../recorder/desk/records-folder.ts'
import { SharedDatabase } from '../recorder/desk/shared-database.ts'
import { TapeNews } from '../recorder/desk/tape-news.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Settings } from './config.ts'
import { KEY_BYTES, type LocalKeyName, localKey } from './credentials/local-key.ts'
import { databasePlace } from './database-place.ts'
import { type Places, placesIn } from './places.ts'

/** What is shared, each part under a name of its own. */
const AREAS = [
  'accessKeys',
  'approvals',
  'blocked',
  'budgets',
  'cancels',
  'cases',
  'keys',
  'kills',
  'leads',
  'links',
  'notified',
  'plans',
  'policy',
  'samlAnswers',
  'searches',
  'siem',
  'signIns',
] as const
type Area = (typeof AREAS)[number]

/** What gateways that serve together agree on: in the data folder those of one machine, in a database those of many. */
export interface Shared extends AsyncDisposable {
  /** Whether it outlives, and reaches beyond, this machine. */
  readonly beyond: boolean
  records(area: Exclude<Area, 'keys'>): Records
  desk(ledger?: DeskLedger): RecordsDesk
  /** Which tapes grow, of all gateways; where there is no database there is the folder to watch. */
  readonly tapeNews?: TapeNews
  /** As `localKey`, the same in every gateway. */
  key(name: LocalKeyName): Promise<Uint8Array>
}

type SharedSettings = Pick<Settings, 'dataDir' | 'shared' | 'from'>

/** Rejects STORE_FAILED where the database cannot be reached: nothing is decided without it. `onError` hears when it goes away later. */
export async function openShared(
  { dataDir, shared, from }: SharedSettings,
  env: NodeJS.ProcessEnv,
  onError: (error: unknown) => void = () => undefined,
): Promise<Shared> {
  const places = placesIn(dataDir)
  if (shared === undefined) return folderShared(places)
  const database = await SharedDatabase.open(await databasePlace('shared.url', shared, from, env), onError)
  return databaseShared(database, places)
}

function folderShared(places: Places): Shared {
  const records = (area: Area): Records => new FolderRecords(places[area])
  return {
    beyond: false,
    records,
    desk: (ledger) => deskOn(records('approvals'), new FolderAskers(join(places.approvals, 'askers')), ledger),
    key: (name) => localKey(places.keys, name),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function databaseShared(database: SharedDatabase, places: Places): Shared {
  const records = (area: Area): Records => new DatabaseRecords(database, area)
  const tapeNews = new TapeNews(database)
  return {
    beyond: true,
    records,
    tapeNews,
    desk: (ledger) => deskOn(records('approvals'), new DatabaseAskers(database), ledger),
    async key(name) {
      using keys = records('keys')
      // The first brings its own, so that a gateway that gets company goes on with what it had.
      await keys.create(name, Buffer.from(await localKey(places.keys, name)).toString('base64'))
      const key = Buffer.from((await keys.read(name)) ?? '', 'base64')
      if (key.length !== KEY_BYTES)
        throw new ApplianceError(
          'CONFIG_INVALID',
          `the key ${name} in the shared database has ${key.length} bytes, not ${KEY_BYTES}: restore it from a backup`,
        )
      return key
    },
    [Symbol.asyncDispose]: () => {
      tapeNews[Symbol.dispose]()
      return database[Symbol.asyncDispose]()
    },
  }
}

function deskOn(records: Records, askers: Askers, ledger: DeskLedger | undefined): RecordsDesk {
  return new RecordsDesk({ records, askers, ledger })
}
