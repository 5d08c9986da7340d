import { rename, rm } from 'node:fs/promises'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ServerPlace } from '../azure/database-login.ts'
import { openFiles } from './database-files.ts'
import { openServer } from './database-server.ts'
import { canMigrate, migrate } from './migrations.ts'
import { forgetMonths } from './months.ts'
import { forgetNames } from './object-names.ts'
import { CATALOG_SQL, CATALOG_VERSION, DESK_SQL, DESK_WHOLE_SQL } from './schema.ts'

/** What is asked within a transaction, or outside one. bigint comes back as number, timestamptz as Date, jsonb parsed. */
export interface Queries {
  query<T>(sql: string, values?: unknown[]): Promise<{ readonly rows: T[] }>
  /** Several statements, without values. */
  exec(sql: string): Promise<unknown>
}

export interface Database extends Queries {
  /** `settings`: statements that its first question is asked behind. */
  transaction<T>(work: (queries: Queries) => Promise<T>, settings?: string): Promise<T>
  /**
   * A transaction that reads, whose statements are ended when they take longer. `inTime` makes the condition that a large table is to be asked under, of any
   * column of it. Rejects API_INVALID, with what to narrow, where it took longer; API_LIMITED soon after `gone`.
   */
  timed<T>(
    ms: number,
    work: (queries: Queries, inTime: (column: string) => string) => Promise<T>,
    options?: { readonly gone?: AbortSignal | undefined; readonly settings?: string },
  ): Promise<T>
  close(): Promise<void>
}

/** Where the catalog is: files of its own, or a database of a PostgreSQL server (15 or newer). */
export type DatabasePlace = { readonly folder: string } | ServerPlace

/**
 * Opens PostgreSQL, with both schemas. Files that cannot be opened are moved aside, not
 * mended: a crash may tear them, as nothing is synced, and everything in them comes from the tapes and the ledger. Rejects STORE_FAILED where
 * others cannot be made in their place: then they stay.
 */
export async function openDatabase(place: DatabasePlace, onProblem: (message: string) => void): Promise<Database> {
  if ('url' in place) return prepared(await openServer(place))
  const { folder } = place
  try {
    return await preparedFiles(folder)
  } catch (error) {
    const aside = `${folder}.damaged-${Date.now()}`
    await rename(folder, aside)
    try {
      const anew = await preparedFiles(folder)
      onProblem(
        `the catalog's files could not be opened (${error instanceof Error ? error.name : 'unknown'}); they are kept in ${aside}, and the catalog is rebuilt`,
      )
      return anew
    } catch (cause) {
      // Where none can be made either it is not the files: they would be set aside again and again, on a disk that is full.
      await rm(folder, { recursive: true, force: true })
      await rename(aside, folder)
      const why = `the catalog's files in ${folder} can neither be opened nor made anew: is the disk full, or are too many files open?`
      onProblem(`${why} They stay as they are`)
      throw new ApplianceError('STORE_FAILED', why, { cause })
    }
  }
}

/** Preparing may take hours, as it may move everything; no question does later. */
async function preparedFiles(folder: string): Promise<Database> {
  const { limitAnswers, ...database } = await openFiles(folder)
  await prepared(database)
  limitAnswers()
  return database
}

/** What cannot be prepared is closed: PGlite's thread would stay, and its memory. */
async function prepared(database: Database): Promise<Database> {
  try {
    await prepare(database)
    return database
  } catch (error) {
    await database.close().catch(() => undefined)
    throw error
  }
}

async function prepare(database: Database): Promise<void> {
  await database.exec('create extension if not exists pg_trgm')
  const { rows } = await database.query<{ whole: boolean }>(DESK_WHOLE_SQL)
  if (rows[0]?.whole !== true) await database.exec(DESK_SQL)
  const version = await versionOf(database)
  if (version === CATALOG_VERSION) return
  if (version === undefined || !canMigrate(version)) await resetCatalog(database)
  else await database.transaction((each) => migrate(each, version))
}

/** Drops the schema `catalog` and makes it anew, empty. */
export async function resetCatalog(database: Database): Promise<void> {
  forgetMonths(database)
  forgetNames(database)
  await database.transaction(async (each) => {
    await each.exec('drop schema if exists catalog cascade')
    await each.exec(CATALOG_SQL)
  })
}

async function versionOf(database: Database): Promise<number | undefined> {
  const { rows } = await database.query<{ found: boolean }>(`select to_regclass('catalog.version') is not null as found`)
  if (rows[0]?.found !== true) return undefined
  return (await database.query<{ version: number }>('select version from catalog.version')).rows[0]?.version
}
