import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { COPYING_RELATIONS } from './catalog-system.ts'
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

/** One relation that can be selected from: outside the system's own schemas, or one in which the system keeps copies of values. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly table: string
  /** pg_class.relkind: `r` table, `p` partitioned table, `v` view, `m` materialized view, `f` foreign table, `S` sequence. */
  readonly kind: string
  /** Names by attribute number, in that order, which is COPY's; dropped columns are missing. */
  readonly columns: ReadonlyMap<number, string>
  /** Attribute numbers of columns that are no text: numbers and dates, or what holds such. Left out where there are none. */
  readonly numbers?: ReadonlySet<number>
  /** By attribute number of a generated column: those that it is made of. Left out where there are none. */
  readonly generated?: ReadonlyMap<number, readonly number[]>
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

/** What somebody added to a database that takes part in statements without being named, or under the name of something of PostgreSQL's. */
export interface Additions {
  /** Functions that bear the name of one of PostgreSQL's, or that `row.name` calls. Those of extensions are not among them. */
  readonly functions: ReadonlySet<string>
  /** Operators spelled like one of PostgreSQL's. Those of extensions are not among them. */
  readonly operators: ReadonlySet<string>
  /** Relations with rules, other than those that make views: what is asked of them may be answered with something else. */
  readonly ruled: ReadonlySet<string>
  /** There are casts that run without being written. */
  readonly casts: boolean
}

export const NO_ADDITIONS: Additions = { functions: new Set(), operators: new Set(), ruled: new Set(), casts: false }

export interface Snapshot {
  /** By oid. */
  readonly relations: ReadonlyMap<number, Relation>
  /** Names of the system's own relations. */
  readonly system: ReadonlySet<string>
  readonly additions: Additions
  /** By `oid attnum`: what a column was called, with its table and schema, when it was seen before. A label on that stays with it. */
  readonly former?: ReadonlyMap<string, readonly Column[]>
}

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
  WHERE c.oid >= ${FIRST_NORMAL_OID} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    OR n.nspname = 'pg_catalog' AND c.relname IN (${COPYING_RELATIONS.map((name) => `'${name}'`).join(', ')})
  ORDER BY c.oid, a.attnum
  LIMIT ${MAX_COLUMNS + 1}`

const KIN = 'SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits'

// Of all defaults only a generated column's has other columns. It is the default that depends on them, or the column itself (before 15).
const GENERATED = `
  SELECT DISTINCT f.adrelid, f.adnum, d.refobjsubid
  FROM pg_catalog.pg_attrdef f
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = f.adrelid
    AND (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
      OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = f.adrelid AND d.objsubid = f.adnum)
  WHERE d.refobjsubid > 0 AND d.refobjsubid <> f.adnum`

// A view's rule depends on every relation, function and operator it names. Those of extensions and users have normal oids.
const READS = `
  SELECT DISTINCT r.ev_class, d.refobjid, d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  WHERE r.ev_type = '1' AND d.refobjid <> r.ev_class AND d.refobjid >= ${FIRST_NORMAL_OID}
  AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
    'pg_catalog.pg_operator'::pg_catalog.regclass)`

const SYSTEM = `SELECT relname FROM pg_catalog.pg_class WHERE oid < ${FIRST_NORMAL_OID} AND relkind IN ('r', 'v')`

// An extension's functions do what its manual says; they are told from somebody's own by what they depend on.
const ADDITIONS = `
  WITH extended AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e')
  SELECT DISTINCT 'function', p.proname FROM pg_catalog.pg_proc p
  WHERE p.oid >= ${FIRST_NORMAL_OID} AND ('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid) NOT IN (SELECT classid, objid FROM extended)
    AND (p.proname IN (SELECT proname FROM pg_catalog.pg_proc WHERE oid < ${FIRST_NORMAL_OID})
      OR p.pronargs > 0 AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'p')))
  UNION SELECT 'operator', o.oprname FROM pg_catalog.pg_operator o
  WHERE o.oid >= ${FIRST_NORMAL_OID} AND ('pg_catalog.pg_operator'::pg_catalog.regclass, o.oid) NOT IN (SELECT classid, objid FROM extended)
    AND o.oprname IN (SELECT oprname FROM pg_catalog.pg_operator WHERE oid < ${FIRST_NORMAL_OID})
  UNION SELECT 'rule', c.relname FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  WHERE r.oid >= ${FIRST_NORMAL_OID} AND r.rulename <> '_RETURN'
  UNION SELECT 'cast', '' FROM pg_catalog.pg_cast c
  WHERE c.oid >= ${FIRST_NORMAL_OID} AND c.castcontext <> 'e'
    AND ('pg_catalog.pg_cast'::pg_catalog.regclass, c.oid) NOT IN (SELECT classid, objid FROM extended)`

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
  const generated = await ask(GENERATED)
  const reads = await ask(READS)
  const system = await ask(SYSTEM)
  const additions = await ask(ADDITIONS)
  await ask('COMMIT')
  const views = new Set(
    columns.flatMap(([oid, schema, , kind]) => (isViewKind(kind) && schema !== 'pg_catalog' ? [Number(oid)] : [])),
  )
  const described = await describeViews(socket, [...views], signal)
  return {
    relations: assemble(columns, kin, generated, reads, described),
    system: new Set(system.flatMap(([name]) => name ?? [])),
    additions: {
      functions: namesOf(additions, 'function'),
      operators: namesOf(additions, 'operator'),
      ruled: namesOf(additions, 'rule'),
      casts: additions.some(([what]) => what === 'cast'),
    },
  }
}

function namesOf(additions: readonly Row[], kind: string): ReadonlySet<string> {
  return new Set(additions.flatMap(([what, name]) => (what === kind ? (name ?? []) : [])))
}

type Described = Awaited<ReturnType<typeof describeViews>>

function assemble(
  columns: readonly Row[],
  kin: readonly Row[],
  generated: readonly Row[],
  reads: readonly Row[],
  described: Described,
): Snapshot['relations'] {
  const kinOf = new Map<number, number[]>()
  for (const [child, parent] of kin) {
    add(kinOf, Number(child), Number(parent))
    add(kinOf, Number(parent), Number(child))
  }
  const generatedIn = new Map<number, Map<number, number[]>>()
  for (const [table, attnum, source] of generated) {
    const own = generatedIn.get(Number(table)) ?? new Map<number, number[]>()
    generatedIn.set(Number(table), own)
    add(own, Number(attnum), Number(source))
  }
  const readsOf = new Map<number, number[]>()
  const opaque = new Set<number>()
  for (const [view, object, isRelation] of reads) {
    if (isRelation === 't') add(readsOf, Number(view), Number(object))
    else opaque.add(Number(view))
  }
  const copying = new Map(
    columns.flatMap(([oid, schema, table]) => (schema === 'pg_catalog' ? [[table ?? '', Number(oid)] as const] : [])),
  )
  const relations = new Map<number, Relation & { readonly columns: Map<number, string>; readonly numbers: Set<number> }>()
  for (const [id, schema, table, kind, attnum, column, type] of columns) {
    const oid = Number(id)
    let relation = relations.get(oid)
    if (relation === undefined) {
      // Of the system's own views it is known which columns hold what.
      const isView = isViewKind(kind) && schema !== 'pg_catalog'
      const view: ViewSource = {
        plain: described.get(oid)?.plain ?? new Map(),
        reads: [...(readsOf.get(oid) ?? []), ...(described.get(oid)?.copying ?? []).flatMap((name) => copying.get(name) ?? [])],
        opaque: opaque.has(oid),
        made: described.get(oid)?.made,
      }
      const own = generatedIn.get(oid)
      relation = {
        oid,
        schema: schema ?? '',
        table: table ?? '',
        kind: kind ?? '',
        columns: new Map(),
        numbers: new Set(),
        kin: kinOf.get(oid) ?? [],
        ...(own === undefined ? {} : { generated: own }),
        ...(isView ? { view } : {}),
      }
      relations.set(oid, relation)
    }
    relation.columns.set(Number(attnum), column ?? '')
    if (!isTextual(Number(type))) relation.numbers.add(Number(attnum))
  }
  return relations
}

function isViewKind(kind: string | null | undefined): boolean {
  return kind === 'v' || kind === 'm'
}

function add(map: Map<number, number[]>, key: number, value: number): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}
