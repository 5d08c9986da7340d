import { ANY_COLUMN, handedOn } from '../../policy/sql/carried.ts'
import { type SqlFacts, sqlFacts } from '../../policy/sql/facts.ts'
import { type Node, parseSql } from '../../policy/sql/parse.ts'
import { type Mentions, mentionsOf } from './mentions.ts'

/**
 * Functions that make something otherwise let pass (QUIET_TYPES) out of characters: enough of them spell a text out. All of
 * pg_proc that take text, bytes, JSON, XML, arrays or rows and give numbers, dates and the like, flags and field selectors
 * (`date_part`) aside.
 */
export const SPELLING: ReadonlySet<string> = new Set(
  `array_ndims array_position array_positions ascii bit_count bit_in box_in cash_in cidin cidr_in circle_in crc32 crc32c get_bit get_byte hash_array hash_array_extended
 date_in float4in float8in
  hash_record hash_record_extended hashchar hashcharextended hashbpchar hashbpcharextended hashbytea hashbyteaextended hashname hashnameextended hashtext
  hashtextextended json_array_length json_populate_record json_populate_recordset json_to_record json_to_recordset
  jsonb_array_length jsonb_hash jsonb_hash_extended jsonb_populate_record jsonb_populate_record_valid jsonb_populate_recordset
  jsonb_to_record jsonb_to_recordset make_timestamptz pg_char_to_encoding pg_get_object_address pg_size_bytes
  pg_split_walfile_name position regexp_count regexp_instr strpos to_date to_number
  to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
  inet_in int2in int4in int8in interval_in line_in lseg_in macaddr8_in macaddr_in numeric_in oidin path_in pg_lsn_in
  point_in poly_in regclassin regnamespacein regprocedurein regrolein regtypein regprocin regoperin regoperatorin tidin time_in
  timestamp_in timestamptz_in timetz_in uuid_in varbit_in xid8in xidin
  to_regtypemod to_timestamp ts_parse ts_rank ts_rank_cd ts_debug unistr uuid_extract_timestamp width_bucket`.split(/\s+/),
)

/** The length of a column tells little of it; that of what was cut out of one tells where everything stands. */
export const LENGTHS: ReadonlySet<string> = new Set([
  'length',
  'char_length',
  'character_length',
  'octet_length',
  'bit_length',
  'textlen',
  'array_length',
  'array_lower',
  'array_upper',
  'cardinality',
  'generate_subscripts',
  'pg_column_size',
])

/** Functions that take a time zone, and which of their arguments it is: one made of text shifts a time by what the text says. */
export const ZONED: ReadonlyMap<string, number> = new Map([
  ['timezone', 0],
  ['date_add', 2],
  ['date_subtract', 2],
  ['date_trunc', 2],
  ['generate_series', 3],
])

/** PostgreSQL's own operators. */
const OPERATORS = new Set(
  `!! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> << <<= <<| <= <> <@ <^ = >
  >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*`.split(/\s+/),
)

/** A cast in the clothes of a function: `int8(x)`, and `(x).int8`. */
export const CONVERTERS: ReadonlySet<string> = new Set(
  `abstime bit bool box cidr circle date float4 float8 inet int2 int4 int8 int2vector int4range int8range interval lseg
  macaddr macaddr8 money numeric numrange oid oidvector path pg_lsn point polygon tid time timestamp timestamptz timetz uuid
  varbit xid xid8 regclass regproc regprocedure regoper regoperator regtype regrole regnamespace regcollation`.split(/\s+/),
)

/** Nodes that read a document, or a record, into columns of any type. */
const READERS = ['JsonFuncExpr', 'JsonTable', 'RangeTableFunc'] as const

/** Where a column may be what something else made. */
const DERIVING = ['RangeSubselect', 'RangeFunction', 'CommonTableExpr'] as const

/** Types that are text whatever is cast to them: such a column is looked at anyway. */
const TEXTS = new Set(['text', 'varchar', 'bpchar', 'name', 'char', 'json', 'jsonb', 'xml', 'bytea'])

/**
 * Whether the statement may turn the text of a column into a number, a date or anything else that is otherwise let pass:
 * a cast of something that is no constant, or a function that spells. True where it cannot be read.
 */
export function convertsText(sql: string): boolean {
  return madeOf(sql).converts
}

/** What a statement makes its rows of. */
export interface MadeOf {
  /** See convertsText. */
  readonly converts: boolean
  /** It takes lengths of columns: of a view's, where that cuts texts, they tell more than lengths. */
  readonly measures: boolean
  /** See handedOn. */
  readonly handed: ReadonlySet<string>
  /** An operator is used that is not PostgreSQL's own: it may read anything. */
  readonly foreign: boolean
  readonly mentions: Mentions
}

export function madeOf(sql: string): MadeOf {
  // Texts that share their facts differ in literals only, and no literal is looked at here.
  const facts = sqlFacts(sql)
  let made = known.get(facts)
  if (made === undefined) {
    const parsed = parseSql(sql)
    made = statementsMake(parsed.ok ? parsed.statements : undefined)
    known.set(facts, made)
  }
  return made
}

export const UNREADABLE: MadeOf = {
  converts: true,
  measures: true,
  handed: new Set([ANY_COLUMN]),
  foreign: true,
  mentions: { given: new Set(), compared: new Set([ANY_COLUMN]), operators: new Set() },
}

/** As `madeOf`, of statements already read; undefined: they could not be. */
export function statementsMake(statements: readonly Node[] | undefined): MadeOf {
  if (statements === undefined) return UNREADABLE
  try {
    return readMade(statements)
  } catch {
    // Too deep for the stack: as good as unread.
    return UNREADABLE
  }
}

function readMade(statements: readonly Node[]): MadeOf {
  const mentions = mentionsOf(statements)
  const foreign = [...mentions.operators].some((operator) => !OPERATORS.has(operator))
  const seen = statements.map((statement) => {
    const one: Seen = { measures: false, derives: false }
    return { converts: convertsIn(statement, one) || (one.measures && one.derives), measures: one.measures }
  })
  return {
    converts: foreign || seen.some(({ converts }) => converts),
    measures: seen.some(({ measures }) => measures),
    handed: handedOn(statements),
    foreign,
    mentions,
  }
}

const known = new WeakMap<SqlFacts, MadeOf>()

/** Of one statement: whether it takes lengths, and whether a column may be the result of an inner query. */
interface Seen {
  measures: boolean
  derives: boolean
}

function convertsIn(value: unknown, seen: Seen): boolean {
  if (Array.isArray(value)) return value.some((item) => convertsIn(item, seen))
  if (!isNode(value)) return false
  if (isNode(value['TypeCast']) && isConversion(value['TypeCast'])) return true
  if (isNode(value['FuncCall']) && isSpelling(value['FuncCall'], seen)) return true
  if (isNode(value['A_Indirection']) && selectsType(value['A_Indirection'])) return true
  if (READERS.some((tag) => value[tag] !== undefined) || value['coldeflist'] !== undefined) return true
  if (DERIVING.some((tag) => value[tag] !== undefined)) seen.derives = true
  return Object.values(value).some((child) => convertsIn(child, seen))
}

function isSpelling({ funcname, args }: Node, seen: Seen): boolean {
  const name = lastName(funcname)
  if (SPELLING.has(name)) return true
  const given: readonly unknown[] = Array.isArray(args) ? args : []
  const [first] = given
  const zone = given[ZONED.get(name) ?? given.length]
  if (zone !== undefined) return !(isNode(zone) && zone['A_Const'] !== undefined)
  if (CONVERTERS.has(name)) return !(isNode(first) && first['A_Const'] !== undefined)
  if (!LENGTHS.has(name)) return false
  seen.measures = true
  return !(isNode(first) && first['ColumnRef'] !== undefined)
}

function selectsType({ indirection }: Node): boolean {
  return (
    Array.isArray(indirection) &&
    indirection.some((step) => [CONVERTERS, SPELLING, LENGTHS].some((names) => names.has(lastName([step]))))
  )
}

function isConversion(cast: Node): boolean {
  const { arg } = cast
  const counted = isNode(arg) && isNode(arg['FuncCall']) && arg['FuncCall']['agg_star'] === true
  const constant = isNode(arg) && arg['A_Const'] !== undefined
  return !constant && !counted && isNode(cast['typeName']) && !TEXTS.has(lastName(cast['typeName']['names']))
}

function lastName(names: unknown): string {
  const last: unknown = Array.isArray(names) ? names.at(-1) : undefined
  const text = isNode(last) ? last['String'] : undefined
  return isNode(text) && typeof text['sval'] === 'string' ? text['sval'] : ''
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
