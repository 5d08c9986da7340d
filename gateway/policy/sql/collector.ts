import { categoriesOf } from './functions.ts'

/** More names than this in one list is no statement a person or a program writes; the statement then counts as unparsable. */
const MAX_NAMES = 1_000
/** Common table expressions of one text: each sees those before it, so their cost grows with the square. */
const MAX_TABLES = 300

/** What the walk over a statement's tree notes down; one per text. Names are as the grammar folds them. */
export class Collector {
  readonly verbs = new Set<string>()
  readonly relations = new Set<string>()
  readonly columns = new Set<string>()
  readonly functions = new Set<string>()
  /** Settings changed; `*` where their name cannot be told. */
  readonly sets = new Set<string>()
  /** `in:stdin`, `out:program` ... */
  readonly copies = new Set<string>()
  /** Verbs that could have a WHERE and have none, and those whose WHERE keeps every row. */
  readonly withoutWhere = new Set<string>()
  readonly trivialWhere = new Set<string>()
  /** Prepared statements (`statement:name`) and cursors (`cursor:name`) made and used. */
  readonly prepares = new Set<string>()
  readonly executes = new Set<string>()
  /** What is defined anew (see defined.ts). */
  readonly defines = new Set<string>()
  /** `target<source`: which columns values are written to, and from which others (see carried.ts). */
  readonly carried = new Set<string>()
  /** Names by which whole rows can be had (`SELECT t FROM t`), and bare column references that may be such. */
  readonly aliases = new Set<string>()
  readonly bare = new Set<string>()

  filtered = false
  selectStar = false
  /** Columns of a relation or a join are renamed by position. */
  renamed = false
  ddl = false
  writes = false
  dynamic = false
  catalogAccess = false
  roleChange = false
  parserChange = false
  explainAnalyze = false
  /** The facts would be another if some literal were: not to be cached without its literals. */
  literals = false
  /** Rows of the least bounded outermost query: undefined before the first, null without a limit. */
  limit: number | null | undefined

  relation(schema: string | undefined, name: string): void {
    this.relations.add(schema === undefined ? name : `${schema}.${name}`)
    if (schema === 'information_schema' || schema === 'pg_catalog' || schema === 'pg_toast' || name.startsWith('pg_'))
      this.catalogAccess = true
  }

  /** A statement that changes rows or definitions, these among them. */
  wrote(defined: readonly string[]): void {
    this.writes = true
    for (const name of defined) this.defines.add(name)
  }

  call(name: string): void {
    this.functions.add(name)
    if (categoriesOf(name).length > 0) this.literals = true
  }

  /** One outermost query's limit; the least bounded counts. */
  bound(limit: number | null): void {
    this.limit = this.limit === undefined ? limit : this.limit === null || limit === null ? null : Math.max(this.limit, limit)
  }

  /** Common table expressions met so far. */
  tables = 0

  get overflowing(): boolean {
    const lists = [
      this.relations,
      this.columns,
      this.functions,
      this.sets,
      this.prepares,
      this.executes,
      this.defines,
      this.carried,
    ]
    return this.tables > MAX_TABLES || lists.some((names) => names.size > MAX_NAMES)
  }
}
