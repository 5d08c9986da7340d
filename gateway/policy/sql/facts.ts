import type { Facts } from '../../../schemas/frame.ts'
import { GenerationCache } from './cache.ts'
import { Collector } from './collector.ts'
import { fingerprintOf } from './fingerprint.ts'
import { categoriesOf } from './functions.ts'
import { normalise } from './normalise.ts'
import { type Node, parseSql } from './parse.ts'
import { StrippedCache } from './stripped-cache.ts'
import { walkStatement } from './walk.ts'

/** Longer statements are not parsed: a megabyte holds the event loop for 300 ms. They count as unparsable. */
export const MAX_SQL_BYTES = 262_144
/** Longer ones are read in a thread, and looked up here once they are: this long one holds the event loop for tens of milliseconds. */
export const MAX_INLINE_SQL_BYTES = 16_384

/**
 * What one text says, all its statements together: lists are unions, a flag is set when any statement sets it, `limit` is the
 * least bounded. So no statement hides behind another. Flags and lists that would be false or empty are left out.
 */
export interface SqlFacts extends Facts {
  /** Read completely by PostgreSQL 18's grammar. Everything but `size` and `parse_error_at` is absent where it is false. */
  readonly parse_ok: boolean
  /** Bytes of the text in UTF-8. */
  readonly size: number
  /** 1-based character at which reading stopped. */
  readonly parse_error_at?: number
  readonly statement_count?: number
  /** In the order they stand: `SELECT`, `DROP TABLE`, `CREATE TABLE AS` ... */
  readonly verbs?: readonly string[]
  /** As written: `orders`, `public.orders`. */
  readonly relations?: readonly string[]
  readonly columns?: readonly string[]
  readonly functions?: readonly string[]
  readonly function_categories?: readonly string[]
  readonly sets?: readonly string[]
  /** `in:stdin`, `in:file`, `in:program`, `out:stdout`, `out:file`, `out:program`. */
  readonly copies?: readonly string[]
  readonly without_where?: readonly string[]
  readonly trivial_where?: readonly string[]
  readonly prepares?: readonly string[]
  readonly executes?: readonly string[]
  /** What is another thing after it, by name: `relation orders`, `function lower`, `operator +`, `cast`; `*` anything. */
  readonly defines?: readonly string[]
  /** `target<source`: columns that values of other columns are written to. */
  readonly carried?: readonly string[]
  readonly has_where?: boolean
  readonly select_star?: boolean
  /** A name may be that of a row, or of a column renamed by position: `SELECT t FROM t`, `FROM t AS x (a, b)`. */
  readonly whole_rows?: boolean
  readonly ddl?: boolean
  readonly writes?: boolean
  readonly dynamic?: boolean
  readonly multi?: boolean
  readonly catalog_access?: boolean
  readonly role_change?: boolean
  readonly parser_change?: boolean
  readonly explain_analyze?: boolean
  /** Rows the least bounded outermost query may return; null: no limit. Absent where nothing is read. */
  readonly limit?: number | null
  /** See fingerprintOf. */
  readonly fingerprint?: string
}

const exact = new GenerationCache<SqlFacts>()
/** Facts by text without literals: those of the text first read, and of others that differ in size alone. */
const stripped = new StrippedCache<{ readonly first: SqlFacts; readonly others: SqlFacts[] }>()
/** Literals of a few lengths: a key in a table has one to seven digits. Beyond, a text gets an object of its own. */
const MAX_SIZES = 16
/** Asked several times for each statement that passes. */
let lastSql = ''
let lastFacts: SqlFacts | undefined
/** And once more when its answer comes, behind statements of others: a few of the last that are no longer than this. */
const RECENT = 32
const MAX_RECENT_CHARS = 1_024
const recentSql: string[] = Array.from({ length: RECENT }, () => '')
const recentFacts: (SqlFacts | undefined)[] = Array.from({ length: RECENT }, () => undefined)
/** Apart, so that many small statements do not push out what a large one's rows still need. */
const large = new GenerationCache<SqlFacts>(512, 32 * 1024 * 1024)

/** Whether a text has to be read elsewhere first (see learnFacts): too large to be parsed here, not too large to be parsed. */
export function isUnread(sql: string): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (sql.length * 3 <= MAX_INLINE_SQL_BYTES) return false
  const size = Buffer.byteLength(sql)
  return size > MAX_INLINE_SQL_BYTES && size <= MAX_SQL_BYTES && large.get(sql) === undefined
}

/** What `readFacts` said of a large text; undefined: it could not be read. */
export function learnFacts(sql: string, facts: SqlFacts | undefined): void {
  large.set(sql, facts ?? { parse_ok: false, size: Buffer.byteLength(sql) })
  lastFacts = undefined
}

/**
 * The facts of the text of a Query or Parse message. Never throws: what cannot be read is `parse_ok: false`.
 * The text must come from bytes that were valid UTF-8 and held no NUL (the wire refuses others).
 * The same object comes back for most texts that differ in literals only, so that more can be kept by it; nobody writes to it.
 */
export function sqlFacts(sql: string): SqlFacts {
  if (lastFacts !== undefined && sql === lastSql) return lastFacts
  const facts = sql.length > MAX_RECENT_CHARS ? findFacts(sql) : recentOrFound(sql)
  // What is not kept in the caches, for its size, is not kept here either.
  lastSql = facts.size > MAX_SQL_BYTES ? '' : sql
  lastFacts = facts.size > MAX_SQL_BYTES ? undefined : facts
  return facts
}

function recentOrFound(sql: string): SqlFacts {
  const { length } = sql
  // Statements alike differ near their end.
  const end = sql.charCodeAt(length - 2) + 3 * sql.charCodeAt(length - 3) + 7 * sql.charCodeAt(length - 4)
  const slot = (length + end) & (RECENT - 1)
  const recent = recentFacts[slot]
  if (recent !== undefined && recentSql[slot] === sql) return recent
  const facts = findFacts(sql)
  recentSql[slot] = sql
  recentFacts[slot] = facts
  return facts
}

function findFacts(sql: string): SqlFacts {
  // Most texts that pass are like one before, and stand in no other place.
  const key = normalise(sql)
  const like = key === undefined ? undefined : stripped.get(key)
  if (like !== undefined) return factsAlike(like, key?.size ?? Buffer.byteLength(sql))
  const known = exact.get(sql)
  if (known !== undefined) return known
  const size = Buffer.byteLength(sql)
  // The server reads up to a NUL, and so would the grammar: neither may be asked what stands behind it.
  if (size > MAX_SQL_BYTES || sql.includes('\0')) return { parse_ok: false, size }
  // One that nobody has read counts as unreadable: the event loop is not held for it.
  if (size > MAX_INLINE_SQL_BYTES) return large.get(sql) ?? { parse_ok: false, size }
  const { facts, literals } = readFacts(sql, size)
  // One place each: a text that shares its key needs no entry of its own.
  if (key !== undefined && !literals) stripped.set(key, { first: facts, others: [] })
  else exact.set(sql, facts)
  return facts
}

function factsAlike({ first, others }: { readonly first: SqlFacts; readonly others: SqlFacts[] }, size: number): SqlFacts {
  if (first.size === size) return first
  for (const other of others) if (other.size === size) return other
  const facts = { ...first, size }
  if (others.length < MAX_SIZES) others.push(facts)
  return facts
}

export interface Read {
  readonly facts: SqlFacts
  /** Another literal in the same text might change the facts. */
  readonly literals: boolean
  /** The statements, where they could be read. */
  readonly statements: readonly Node[] | undefined
}

/** As sqlFacts, past every cache and whatever it costs. */
export function readFacts(sql: string, size: number): Read {
  const unread = (at: number | null): Read => ({
    facts: { parse_ok: false, size, ...(at === null ? {} : { parse_error_at: at + 1 }) },
    literals: true,
    statements: undefined,
  })
  const parsed = parseSql(sql)
  if (!parsed.ok) return unread(parsed.at)
  const { statements } = parsed
  const found = new Collector()
  let fingerprint: string
  try {
    for (const statement of statements) walkStatement(statement, found)
    fingerprint = fingerprintOf(statements)
  } catch {
    // Too deep for the stack: as good as unread.
    return unread(null)
  }
  if (found.overflowing) return unread(null)
  const count = statements.length
  const literals = found.literals || count !== 1 || !cacheable(found)
  return { facts: flatten(found, count, size, fingerprint), literals, statements }
}

type Draft = { -readonly [name in keyof SqlFacts]: SqlFacts[name] }

function flatten(found: Collector, count: number, size: number, fingerprint: string): SqlFacts {
  const facts: Draft = { parse_ok: true, size, statement_count: count }
  const lists = {
    verbs: found.verbs,
    relations: found.relations,
    columns: found.columns,
    functions: found.functions,
    function_categories: new Set([...found.functions].flatMap(categoriesOf)),
    sets: found.sets,
    copies: found.copies,
    without_where: found.withoutWhere,
    trivial_where: found.trivialWhere,
    prepares: found.prepares,
    executes: found.executes,
    defines: found.defines,
    carried: found.carried,
  }
  for (const [name, values] of Object.entries(lists)) if (values.size > 0) facts[name] = [...values]
  const wholeRows = found.renamed || [...found.bare].some((name) => found.aliases.has(name))
  const flags = {
    select_star: found.selectStar || wholeRows,
    whole_rows: wholeRows,
    ddl: found.ddl,
    writes: found.writes,
    dynamic: found.dynamic,
    multi: count > 1,
    catalog_access: found.catalogAccess,
    role_change: found.roleChange,
    parser_change: found.parserChange,
    explain_analyze: found.explainAnalyze,
  }
  for (const [name, set] of Object.entries(flags)) if (set) facts[name] = true
  if (found.filtered || found.withoutWhere.size > 0) facts.has_where = found.withoutWhere.size === 0
  if (found.limit !== undefined) facts.limit = found.limit
  if (fingerprint !== '') facts.fingerprint = fingerprint
  return facts
}

/** Verbs of statements whose literals are but values, so far as the walk did not say otherwise. */
const PLAIN_VERBS = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE'])

function cacheable(found: Collector): boolean {
  return [...found.verbs].every((verb) => PLAIN_VERBS.has(verb)) && found.sets.size === 0
}
