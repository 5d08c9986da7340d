import type { SessionRow } from '../../schemas/api.ts'
import type { Database, Queries } from './database.ts'
import type { SessionDigest } from './digest.ts'
import { putKeyframes } from './keyframe-rows.ts'
import { ensureMonths } from './months.ts'
import { putNames } from './object-names.ts'
import type { ObjectKeys, Pull } from './pulls.ts'
import { dayOf, PUT_PULLS, rederive, sumsOf, uniteKeys } from './rollups.ts'
import { type Put, putStatements, putTexts, sqlArray } from './row-arrays.ts'
import { MONTHLY } from './schema.ts'
import { sqlJson } from './text.ts'
import { PENDING } from './text-index.ts'

/** Rows of one insert: some hundred kilobytes, some tens of milliseconds of the catalog's thread. */
const BATCH_ROWS = 500
const BATCH_CHARS = 1 << 20

const SESSION_COLUMNS = [
  'id',
  'state',
  'gateway',
  'subject',
  'kind',
  'principal',
  'groups',
  'target',
  'protocol',
  'database',
  'labels',
  'client',
  'started_at',
  'ended_at',
  'end_reason',
  'duration_us',
  'frames',
  'statements',
  'rows',
  'bytes_in',
  'bytes_out',
  'masked',
  'v_allow',
  'v_mask',
  'v_block',
  'v_hold',
  'last_statement',
  'extra',
] as const
const PULL_COLUMNS = [
  'session',
  'object',
  'hour',
  'family',
  'subject',
  'target',
  'protocol',
  'statements',
  'rows',
  'bytes_out',
  'masked',
  'largest_rows',
  'first_frame',
  'last_frame',
  'first_us',
] as const
const SKETCH_COLUMNS = ['session', 'object', 'keyed', 'rows', 'keys'] as const

const PUT_SESSION = upsert('sessions', SESSION_COLUMNS, ['id'])
const PUT_SKETCHES = upsert('sketches', SKETCH_COLUMNS, ['session', 'object', 'keyed'])
/** The earliest of what is written and what was there, whichever session is read first. */
const IF_EARLIER = `on conflict (family, target, object) do update set at = excluded.at, session = excluded.session, frame = excluded.frame
    where (excluded.at, excluded.session) < (first_seen.at, first_seen.session)`
const PUT_FIRST_SEEN = `insert into catalog.first_seen (family, target, object, at, session, frame)
  select distinct on (family, target, object) family, target, object, at, session, frame
    from jsonb_to_recordset($1::jsonb) as one (family text, target text, object text, at timestamptz, session text, frame bigint)
    order by family, target, object, at, session
  ${IF_EARLIER}`
/** Of rows that are no more (`$1`, JSON), what pulls there still are. */
const FIRST_OF_REST = `insert into catalog.first_seen (family, target, object, at, session, frame)
  select family, target, object, hour, session, first_frame
    from jsonb_to_recordset($1::jsonb) as gone (family text, target text, object text) cross join lateral (
      select hour, session, first_frame from catalog.pulls p
        where p.family = gone.family and p.target = gone.target and p.object = gone.object order by hour, session limit 1) first
  ${IF_EARLIER}`

/** Writes what the digests have gathered: all of it or nothing. The same again changes nothing. `backlog`: of old tapes, each read to its end. */
export async function storeDigests(
  database: Database,
  digests: readonly SessionDigest[],
  from: keyof typeof PENDING = 'live',
): Promise<void> {
  const taken = digests.map(takenFrom)
  await putNames(
    database,
    taken.flatMap(({ statements }) => statements),
  )
  try {
    await write(database, taken, from, from === 'backlog')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION)) throw error
    // Another gateway at the same server writes these, too.
    await write(database, taken, from, false)
  }
}

const UNIQUE_VIOLATION = '23505'

function takenFrom(digest: SessionDigest) {
  const { id } = digest
  const row = digest.row()
  const statements = digest.takeStatements()
  const texts = digest.texts.take().map((text) => ({ session: id, ...text }))
  const screens = digest.screens.take().map((screen) => ({ session: id, ...screen }))
  const { pulls, keys } = digest.pulls.take()
  return { id, row, columns: sessionColumns(digest), statements, texts, screens, pulls, keys }
}

type Taken = ReturnType<typeof takenFrom>

/** `looking`: whether sessions the catalog has nothing of are looked for, whose rows are written without looking for each of them. */
async function write(database: Database, taken: readonly Taken[], from: keyof typeof PENDING, looking: boolean): Promise<void> {
  await ensureMonths(
    database,
    taken.map(({ id }) => id),
  )
  await database.transaction(async (each) => {
    const known = looking ? await knownOf(each, taken) : undefined
    const [fresh, there] = [
      taken.filter(({ id }) => known?.has(id) === false),
      taken.filter(({ id }) => known?.has(id) !== false),
    ]
    for (const [some, isFresh] of [
      [fresh, true],
      [there, false],
    ] as const) {
      for (const rows of batches(some.flatMap(({ statements }) => statements))) await put(each, putStatements(rows, isFresh))
      for (const rows of batches(some.flatMap(({ texts }) => texts))) await put(each, putTexts(rows, isFresh))
    }
    for (const rows of batches(taken.flatMap(({ screens }) => screens))) await putKeyframes(each, rows)
    for (const rows of batches(taken.flatMap(({ row, pulls }) => pulls.map((pull) => pullColumns(row, pull))))) {
      await each.query(PUT_PULLS, [sqlJson(rows)])
      await each.query(PUT_FIRST_SEEN, [sqlJson(rows.map(firstSeenColumns))])
    }
    for (const rows of batches(taken.flatMap(({ id, keys }) => keys.map((own) => sketchColumns(id, own)))))
      await each.query(PUT_SKETCHES, [sqlJson(rows)])
    await uniteKeys(
      each,
      taken.flatMap(({ row, keys }) =>
        keys.map((own) => ({ ...own, day: dayOf(row), family: familyOf(row), target: row.target.name })),
      ),
    )
    await each.query(PUT_SESSION, [sqlJson(taken.map(({ columns }) => columns))])
  }, PENDING[from])
}

/** Sessions with a row have all that was read of them, and others nothing: it is written together. */
async function knownOf(queries: Queries, taken: readonly Taken[]): Promise<ReadonlySet<string>> {
  const { rows } = await queries.query<{ id: string }>('select id from catalog.sessions where id = any($1::text[])', [
    sqlArray(taken.map(({ id }) => id)),
  ])
  return new Set(rows.map(({ id }) => id))
}

async function put(queries: Queries, { sql, values }: Put): Promise<void> {
  await queries.query(sql, values)
}

/** Of at most so many rows and characters. */
function* batches<T extends object>(rows: readonly T[]): Generator<readonly T[]> {
  let batch: T[] = []
  let chars = 0
  for (const row of rows) {
    batch.push(row)
    chars += 'text' in row ? String(row.text).length : 'init' in row ? String(row.init).length : 0
    if (batch.length < BATCH_ROWS && chars < BATCH_CHARS) continue
    yield batch
    batch = []
    chars = 0
  }
  if (batch.length > 0) yield batch
}

/** Forgets what was read of a tape: that is to be read again, or is no more. */
export async function forgetSession(database: Database, id: string): Promise<void> {
  await database.transaction(async (each) => {
    const sums = await sumsOf(each, id)
    for (const table of MONTHLY) await each.query(`delete from catalog.${table} where session = $1`, [id])
    const first = 'delete from catalog.first_seen where session = $1 returning family, target, object'
    await each.query(FIRST_OF_REST, [sqlJson((await each.query(first, [id])).rows)])
    await each.query('delete from catalog.sessions where id = $1', [id])
    await rederive(each, sums)
  })
}

function sessionColumns(digest: SessionDigest): Record<(typeof SESSION_COLUMNS)[number], unknown> {
  const { identity, target, verdicts, ...row } = digest.row()
  return {
    id: row.id,
    state: row.state,
    gateway: row.gateway,
    subject: identity.subject,
    kind: identity.kind,
    principal: identity.principal ?? null,
    groups: identity.groups,
    target: target.name,
    protocol: target.protocol,
    database: target.database ?? null,
    labels: target.labels,
    client: row.client,
    started_at: row.startedAt,
    ended_at: row.endedAt,
    end_reason: row.endReason,
    duration_us: row.durationUs,
    frames: row.frames,
    statements: row.statements,
    rows: row.rows,
    bytes_in: row.bytesIn,
    bytes_out: row.bytesOut,
    masked: row.masked,
    v_allow: verdicts.allow,
    v_mask: verdicts.mask,
    v_block: verdicts.block,
    v_hold: verdicts.hold,
    last_statement: row.lastStatement,
    extra: digest.extra(),
  }
}

function pullColumns(session: SessionRow, pull: Pull): Record<(typeof PULL_COLUMNS)[number], unknown> {
  const { object, hour, statements, rows, bytesOut, masked, largestRows, firstFrame, lastFrame, firstUs } = pull
  const { subject } = session.identity
  return {
    session: session.id,
    object,
    hour,
    family: familyOf(session),
    subject,
    target: session.target.name,
    protocol: session.target.protocol,
    statements,
    rows,
    bytes_out: bytesOut,
    masked,
    largest_rows: largestRows,
    first_frame: firstFrame,
    last_frame: lastFrame,
    first_us: firstUs,
  }
}

function sketchColumns(
  session: string,
  { object, keyed, rows, sketch }: ObjectKeys,
): Record<(typeof SKETCH_COLUMNS)[number], unknown> {
  return { session, object, keyed, rows, keys: sketch.sql() }
}

function firstSeenColumns(row: Record<(typeof PULL_COLUMNS)[number], unknown>): object {
  const { family, target, object, hour, session, first_frame: frame } = row
  return { family, target, object, at: hour, session, frame }
}

/** Whoever works for the same person is one actor: what several agents of theirs take is taken by them. */
export function familyOf({ identity }: Pick<SessionRow, 'identity'>): string {
  return identity.principal ?? identity.subject
}

function upsert(table: string, columns: readonly string[], key: readonly string[]): string {
  const rest = columns.filter((column) => !key.includes(column))
  return `insert into catalog.${table} (${columns.join(', ')})
    select ${columns.join(', ')} from jsonb_populate_recordset(null::catalog.${table}, $1::jsonb)
    on conflict (${key.join(', ')}) do update set (${rest.join(', ')}) = row(${rest.map((column) => `excluded.${column}`).join(', ')})`
}
