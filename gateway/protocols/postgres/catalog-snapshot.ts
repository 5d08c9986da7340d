import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { describeViews } from './catalog-views.ts'
import { isTextual } from './columns.ts'
import type { MadeOf } from './conversions.ts'
import { type Row, simpleQuery } from './upstream-query.ts'

/** A column somewhere: what a label is put on. */
export interface Column {
  readonly schema: string
  readonly table: string
  readonly column: string
}

/** One relation that can be selected from, outside the system's own schemas. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly table: string
  /** pg_class.relkind: `r` table, `p` partitioned table, `v` view, `m` materialized view, `f` foreign table. */
  readonly kind: string
  /** Names by attribute number; dropped columns are missing. */
  readonly columns: ReadonlyMap<number, string>
  /** Attribute numbers of columns that are no text: numbers and dates, or what holds such. Left out where there are none. */
  readonly numbers?: ReadonlySet<number>
  /** Tables it is a partition of or inherits from, and the other way round. */
  readonly kin: readonly number[]
  /** For views. */
  readonly view?: ViewSource
}

export interface ViewSource {
  /** By attribute number, where the column is another relation's column as it stands. Others are computed. */
  readonly plain: ReadonlyMap<number, { readonly oid: number; readonly attnum: number }>
  /** Relations the view reads, outside the system's. */
  readonly reads: readonly number[]
  /** Uses functions that are not the system's: those may read anything. */
  readonly opaque: boolean
  /** What its rows are made of; undefined: a definition that could not be read. */
  readonly made?: MadeOf | undefined
}

export type Snapshot = ReadonlyMap<number, Relation>

/** Objects made after initdb have oids from here (FirstNormalObjectId). */
export const FIRST_NORMAL_OID = 16_384
/** About 100 MiB of names. A database beyond that is refused rather than half known: its origins stay unknown, which masks. */
const MAX_COLUMNS = 500_000

// One transaction, so that all answers tell of the same moment. The empty search_path makes view definitions name every schema.
// A table locked for long by somebody's DDL must not hold us up: what cannot be looked at counts as computed.
const BEGIN = "SET search_path = ''; SET lock_timeout = '100ms'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

const COLUMNS = `
  SELECT c.oid, n.nspname, c.relname, c.relkind, a.attnum, a.attname, a.atttypid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.oid >= ${FIRST_NORMAL_OID} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  LIMIT ${MAX_COLUMNS + 1}`

const KIN = 'SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits'

// A view's rule depends on every relation, function and operator it names. Those of extensions and users have normal oids.
const READS = `
  SELECT DISTINCT r.ev_class, d.refobjid, d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  WHERE r.ev_type = '1' AND d.refobjid <> r.ev_class AND d.refobjid >= ${FIRST_NORMAL_OID}
  AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
    'pg_catalog.pg_operator'::pg_catalog.regclass)`

/**
 * Reads a database's relations over an idle connection, which it leaves idle and with settings of its own.
 * Rejects ServerError, TARGET_UNREACHABLE, LIMIT_REACHED for a database with too many columns, or with the signal's reason.
 */
export async function takeSnapshot(socket: Duplex, signal: AbortSignal): Promise<Snapshot> {
  const ask = async (text: string): Promise<readonly Row[]> => (await simpleQuery(socket, text, signal)).rows
  await ask(BEGIN)
  const columns = await ask(COLUMNS)
  if (columns.length > MAX_COLUMNS) {
    throw new ApplianceError(
      'LIMIT_REACHED',
      `the database has more than ${MAX_COLUMNS} columns; where its results come from cannot be told`,
    )
  }
  const kin = await ask(KIN)
  const reads = await ask(READS)
  await ask('COMMIT')
  const views = new Set(columns.flatMap(([oid, , , kind]) => (kind === 'v' || kind === 'm' ? [Number(oid)] : [])))
  const described = await describeViews(socket, [...views], signal)
  return assemble(columns, kin, reads, described)
}

type Described = Awaited<ReturnType<typeof describeViews>>

function assemble(columns: readonly Row[], kin: readonly Row[], reads: readonly Row[], described: Described): Snapshot {
  const kinOf = new Map<number, number[]>()
  for (const [child, parent] of kin) {
    add(kinOf, Number(child), Number(parent))
    add(kinOf, Number(parent), Number(child))
  }
  const readsOf = new Map<number, number[]>()
  const opaque = new Set<number>()
  for (const [view, object, isRelation] of reads) {
    if (isRelation === 't') add(readsOf, Number(view), Number(object))
    else opaque.add(Number(view))
  }
  const relations = new Map<number, Relation & { readonly columns: Map<number, string>; readonly numbers: Set<number> }>()
  for (const [id, schema, table, kind, attnum, column, type] of columns) {
    const oid = Number(id)
    let relation = relations.get(oid)
    if (relation === undefined) {
      const isView = kind === 'v' || kind === 'm'
      const view: ViewSource = {
        plain: described.get(oid)?.plain ?? new Map(),
        reads: readsOf.get(oid) ?? [],
        opaque: opaque.has(oid),
        made: described.get(oid)?.made,
      }
      relation = {
        oid,
        schema: schema ?? '',
        table: table ?? '',
        kind: kind ?? '',
        columns: new Map(),
        numbers: new Set(),
        kin: kinOf.get(oid) ?? [],
        ...(isView ? { view } : {}),
      }
      relations.set(oid, relation)
    }
    relation.columns.set(Number(attnum), column ?? '')
    if (!isTextual(Number(type))) relation.numbers.add(Number(attnum))
  }
  return relations
}

function add(map: Map<number, number[]>, key: number, value: number): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}
