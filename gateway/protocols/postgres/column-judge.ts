import type { Facts } from '../../../schemas/frame.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import type { Field } from '../../message.ts'
import type { ColumnLabels } from '../../policy/policy.ts'
import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import { MAX_INLINE_SQL_BYTES, type SqlFacts, sqlFacts } from '../../policy/sql/facts.ts'
import { writesFromMasked } from '../../policy/sql/writes-from-masked.ts'
import type { Session } from '../../protocol.ts'
import type { Catalog } from './catalog.ts'
import { Catalogs } from './catalog.ts'
import type { Origin } from './catalog-origin.ts'
import type { Relation } from './catalog-snapshot.ts'
import { type ColumnOrigin, columnField, type Described, describedBy, type Labelled, readOrigins } from './columns.ts'
import { madeOf, UNREADABLE } from './conversions.ts'
import type { CopyShape } from './copy.ts'
import { copyPlan } from './copy-plan.ts'
import { latin1At } from './messages.ts'
import type { ColumnJudge } from './reply-reader.ts'
import { readingOf } from './sql-threads.ts'

/** Where nothing is known of a column's origin, a value is masked until the catalog has been read anew. */
const UNKNOWN_ORIGIN: Labelled = { label: 'unknown-origin', entity: 'unverified' }
/** Lines that cannot be cut, because more than one COPY comes into question: one field each, masked. */
const UNKNOWN_LINES = {
  delimiter: -1,
  quote: -1,
  columns: [],
  rest: { path: 'copy', action: 'mask', ...UNKNOWN_ORIGIN },
} as const
/** In text format every type is text on the wire; in COPY there is nothing else to go by. */
const TEXT_TYPE = 25
const BOOL_TYPE = 16

/** Descriptions remembered by one session: what an application asks again and again. Longer ones cost more to find than to read. */
const MAX_KNOWN = 64
const MAX_KEY_SIZE = 2048

/** An entity of its own: whatever form the label asks for, an error's text has neither room for NULL nor tags that could be guessed against. */
const QUOTED_VALUE: Field = { path: 'error.value', action: 'mask', entity: 'error-value' }

const NO_LABELS: readonly string[] = []

const catalogs = new Catalogs()

/**
 * Decides how result columns are treated: by the label of their origin (through views and partitions), by the label of
 * their name, and, for what the statement computes, by whether it touches a labelled column at all. Errs on the masked side.
 */
export class Columns implements ColumnJudge {
  readonly #labels: ColumnLabels
  readonly #target: Target
  readonly #credential: () => Promise<Credential>
  readonly #database: string
  readonly #onFailure: Session['catalogFailed']
  readonly #catalogs: Pick<Catalogs, 'of'>
  #catalog: Catalog | undefined
  /** By the bytes of the description; holds for one text's facts and one snapshot of the catalog. */
  readonly #touched = new WeakMap<Facts, { readonly snapshot: object | undefined; readonly labels: readonly string[] }>()
  readonly #known = new Map<
    string,
    { readonly facts: Facts | undefined; readonly snapshot: object | undefined; readonly described: Described }
  >()

  /** `from`: the process's catalogs, unless given. */
  constructor(
    session: Pick<Session, 'labels' | 'target' | 'credential' | 'catalogFailed'>,
    database: string,
    from: Pick<Catalogs, 'of'> = catalogs,
  ) {
    this.#labels = session.labels
    this.#target = session.target
    this.#credential = () => session.credential()
    this.#database = database
    this.#onFailure = (error, facts) => session.catalogFailed(error, facts)
    this.#catalogs = from
  }

  /** Resolves when origins can be looked up; rejects like the login upstream. Without any label there is nothing to look up. */
  async ready(): Promise<void> {
    if (this.#labels.empty) return
    this.#catalog = await this.#catalogs.of(this.#target, this.#database, this.#credential, this.#onFailure)
  }

  described(bytes: Uint8Array, from: number, to: number, sql: string): Described {
    const facts = this.#labels.empty ? undefined : sqlFacts(sql)
    // An old snapshot is asked again, so that it is renewed.
    const snapshot = this.#catalog?.fresh
    const key = this.#catalog !== undefined && snapshot === undefined ? undefined : keyOf(bytes, from, to)
    const known = key === undefined ? undefined : this.#known.get(key)
    if (known !== undefined && known.facts === facts && known.snapshot === snapshot) return known.described
    const origins = readOrigins(bytes, from, to)
    const labelled = origins.map((origin) => this.#labelOf(origin, sql))
    const described = describedBy(origins, labelled)
    // What is not known yet is looked up again each time, until it is.
    const certain = !labelled.includes(UNKNOWN_ORIGIN) && origins.every((origin) => origin.table === 0 || this.#placed(origin))
    if (key !== undefined && certain) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(key, { facts, snapshot, described })
    }
    return described
  }

  copy(sql: string, format: 'text' | 'binary'): CopyShape | undefined {
    const plan = isLarge(sql) ? readingOf(sql)?.plan : copyPlan(sql)
    if (this.#labels.empty)
      return plan === undefined ? undefined : { ...plan, format: format === 'binary' ? format : plan.format, columns: [] }
    if (plan === undefined) return { ...UNKNOWN_LINES, format }
    const { relation } = plan
    const known = relation === undefined ? [] : (this.#catalog?.named(relation.table, relation.schema) ?? [])
    const names = plan.columns ?? (known.length === 1 && known[0] !== undefined ? [...known[0].columns.values()] : [])
    const columns = names.map((name): Field => {
      const origin = { name, table: 0, attribute: 0, type: TEXT_TYPE, format: 0 }
      const labels = known.map((table) => this.#labels.labelFor({ schema: table.schema, table: table.table, column: name }))
      const labelled = labels.find((label) => label !== undefined) ?? this.#labels.labelForName(name)
      return columnField(origin, 0, labelled)
    })
    // A query's columns are computed as far as COPY tells: one treatment for every field of the line.
    // A table the catalog does not know (yet: a temporary one) may have been filled from any other.
    const unknown = relation !== undefined && known.length === 0 ? UNKNOWN_ORIGIN : undefined
    const taint = relation === undefined || known.length !== 1 ? (this.#taint(sql) ?? unknown) : undefined
    return {
      format: format === 'binary' ? 'binary' : plan.format,
      delimiter: plan.delimiter,
      quote: plan.quote,
      columns,
      ...(taint === undefined
        ? {}
        : { rest: columnField({ name: 'copy', table: 0, attribute: 0, type: TEXT_TYPE, format: 0 }, 0, taint) }),
    }
  }

  complaint(sql: string): Field | undefined {
    // A constraint that fails shows the whole row, columns the statement never named among them.
    const taint = this.#labels.empty ? undefined : speaksOfOthers(sqlFacts(sql)) ? UNKNOWN_ORIGIN : this.#taint(sql, 'rows')
    return taint === undefined ? undefined : { ...QUOTED_VALUE, label: taint.label }
  }

  labelsTouched(facts: Facts): readonly string[] {
    if (!this.#labels.asked || this.#labels.empty || facts['parse_ok'] !== true) return NO_LABELS
    const snapshot = this.#catalog?.fresh
    const known = this.#touched.get(facts)
    if (known !== undefined && known.snapshot === snapshot) return known.labels
    const { relations = [], columns = [], select_star: star } = facts as SqlFacts // what the reader makes of a text that parses
    const found = this.#reads({ relations, columns, whole: star === true })
    const labels = [...new Set([...found].map(({ label }) => label))]
    this.#touched.set(facts, { snapshot, labels })
    return labels
  }

  writesFromMasked(facts: Facts): boolean {
    if (this.#labels.empty) return false
    return writesFromMasked(facts, {
      carries: (relations, column) =>
        this.#read({ relations, columns: column === ANY_COLUMN ? [] : [column], whole: column === ANY_COLUMN }) !== undefined,
      keeps: (relations, column) => this.#labels.labelForName(column) !== undefined || this.#keeps(relations, column),
    })
  }

  /** Whether the column is labelled in every relation here that has one of its name. */
  #keeps(relations: readonly string[], column: string): boolean {
    const having = relations
      .flatMap((written) => this.#named(written))
      .filter(({ columns }) => attributeOf(columns, column) !== 0)
    return having.length > 0 && having.every((relation) => this.#labelIn(relation, column) !== undefined)
  }

  #placed({ table, attribute }: ColumnOrigin): boolean {
    return this.#labels.empty || this.#catalog?.lookup(table, (attribute << 16) >> 16) !== undefined
  }

  #labelOf(origin: ColumnOrigin, sql: string): Labelled | undefined {
    if (this.#labels.empty) return undefined
    const byName = this.#labels.labelForName(origin.name)
    if (byName !== undefined) return byName
    if (origin.table === 0) return this.#computed(origin, sql)
    const place = this.#catalog?.lookup(origin.table, (origin.attribute << 16) >> 16)
    if (place === 'system') return undefined
    if (place === undefined) return canHide(origin) ? UNKNOWN_ORIGIN : undefined
    for (const column of [place, ...place.also]) {
      const label = this.#labels.labelFor(column) ?? this.#labels.labelForName(column.column)
      if (label !== undefined) return label
    }
    // What a statement has just written comes back under the name of where it was put.
    if (sqlFacts(sql).writes === true) {
      const written = this.#computed(origin, sql, place.column)
      if (written !== undefined) return written
    }
    return this.#labelBehind(place, canHide(origin) ? 'texts' : 'numbers')
  }

  /** The label of what a view's computed column may be made of. */
  #labelBehind({ opaque, computedFrom, made = [] }: Origin, what: 'texts' | 'numbers'): Labelled | undefined {
    if (opaque) return UNKNOWN_ORIGIN
    const numbersOnly = what === 'numbers' && !made.some((one) => one?.converts ?? true)
    const handed = made.some((one) => one === undefined) ? [ANY_COLUMN] : made.flatMap((one) => [...(one?.handed ?? [])])
    return this.#read({
      relations: computedFrom.map(({ schema, table }) => `${schema}.${table}`),
      columns: numbersOnly ? handed.filter((name) => name !== ANY_COLUMN) : [],
      whole: !numbersOnly || handed.includes(ANY_COLUMN),
      numbersOnly,
      behind: false,
    })
  }

  /**
   * A column the statement computes. A number passes as long as nothing turns text into numbers, and no labelled number is handed
   * on: a count is no one's data.
   */
  #computed(origin: ColumnOrigin, sql: string, written?: string): Labelled | undefined {
    if (canHide(origin)) return this.#taint(sql)
    const facts = sqlFacts(sql)
    const { relations = [], function_categories: functions = [] } = facts
    const made = isLarge(sql) ? (readingOf(sql)?.made ?? UNREADABLE) : madeOf(sql)
    const views = relations.flatMap((name) => this.#named(name)).filter(({ view }) => view !== undefined)
    const converts =
      made.converts ||
      views.some((view) => this.#cuts(view, made.measures)) ||
      (functions.includes('unknown') && written === undefined)
    if (converts) return this.#taint(sql)
    // A flag tells no more of a number than a condition would.
    if (origin.type === BOOL_TYPE) return undefined
    const handed = [...made.handed, ...carriedTo(facts, written)]
    return this.#read({
      relations,
      columns: handed.filter((name) => name !== ANY_COLUMN),
      whole: handed.includes(ANY_COLUMN) || (facts.whole_rows === true && handed.length > 0),
      numbersOnly: true,
    })
  }

  /** Whether what a view computes may hold numbers made of text, or texts so cut that their lengths tell where everything stands. */
  #cuts(view: Relation, measured: boolean): boolean {
    const row = this.#catalog?.lookup(view.oid, 0)
    if (row === undefined || row === 'system') return true
    const { made = [] } = row
    const plain = view.view !== undefined && [...view.columns.keys()].every((attribute) => view.view?.plain.has(attribute))
    return row.opaque || made.some((one) => one?.converts ?? true) || (measured && !plain)
  }

  /** The label of a labelled column that the statement names, or of any in a relation it reads whole; what it computes may carry it. */
  #taint(sql: string, reach: 'columns' | 'rows' = 'columns'): Labelled | undefined {
    const {
      relations = [],
      columns = [],
      function_categories: functions = [],
      select_star: star,
      parse_ok: readable,
    } = sqlFacts(sql)
    // A function nobody knows may read any table; one that takes SQL as text reads what it is told.
    if (!readable || functions.includes('unknown') || functions.includes('sql-in-text')) return UNKNOWN_ORIGIN
    return this.#read({ relations, columns, whole: reach === 'rows' || star === true })
  }

  /** The label of what may be read by naming these columns, or all, of these relations. */
  #read(reading: Reading): Labelled | undefined {
    const [first] = this.#reads(reading)
    return first
  }

  /** Every such label. */
  *#reads({ relations, columns, whole: star, numbersOnly = false, behind = true }: Reading): Iterable<Labelled> {
    for (const column of columns) {
      if (numbersOnly && this.#isText(relations, column)) continue
      const label = this.#labels.labelForName(column)
      if (label !== undefined) yield label
    }
    // A name that no relation here has stands for something else: an alias in a list, a column of a CTE, a function of the row.
    const whole = star || columns.some((column) => !this.#hasColumn(relations, column))
    for (const written of relations) {
      const found = this.#named(written)
      // A relation the catalog does not know (yet: a temporary one) may have been filled from any other.
      if (found.length === 0 && !isSystemName(written)) yield UNKNOWN_ORIGIN
      for (const relation of found) {
        const names = whole || (relation.view !== undefined && !numbersOnly) ? relation.columns.values() : columns
        for (const column of names) {
          const label = numbersOnly && isTextIn(relation, column) ? undefined : this.#labelIn(relation, column, behind)
          if (label !== undefined) yield label
        }
      }
    }
  }

  #labelIn(relation: Relation, column: string, behind = true): Labelled | undefined {
    const { schema, table } = relation
    const attribute = attributeOf(relation.columns, column)
    const place = attribute === 0 ? undefined : this.#catalog?.lookup(relation.oid, attribute)
    // There is such a column, and a catalog too old to say where it comes from.
    if (attribute !== 0 && place === undefined) return UNKNOWN_ORIGIN
    const all = place === undefined || place === 'system' ? [{ schema, table, column }] : [place, ...place.also]
    const label = all
      .map((one) => this.#labels.labelFor(one) ?? this.#labels.labelForName(one.column))
      .find((each) => each !== undefined)
    if (label !== undefined || !behind || place === undefined || place === 'system') return label
    // What a view computes may be made of a labelled column under any name.
    const text = isTextIn(relation, column)
    return this.#labelBehind(place, text ? 'texts' : 'numbers')
  }

  #isText(relations: readonly string[], column: string): boolean {
    const having = relations
      .flatMap((written) => this.#named(written))
      .filter(({ columns }) => attributeOf(columns, column) !== 0)
    return having.length > 0 && having.every((relation) => isTextIn(relation, column))
  }

  #hasColumn(relations: readonly string[], column: string): boolean {
    return relations.some((written) => this.#named(written).some(({ columns }) => attributeOf(columns, column) !== 0))
  }

  /** The relations a name in a statement may mean. */
  #named(written: string): readonly Relation[] {
    const dot = written.lastIndexOf('.')
    return this.#catalog?.named(written.slice(dot + 1), dot === -1 ? undefined : written.slice(0, dot)) ?? []
  }
}

/** What was put off until now fails at a COMMIT with another statement's rows; a DO block may run statements nobody has read. */
function speaksOfOthers({ verbs = [], dynamic = false }: SqlFacts): boolean {
  return dynamic || verbs.some((verb) => verb === 'COMMIT' || verb === 'SET CONSTRAINTS')
}

function keyOf(bytes: Uint8Array, from: number, to: number): string | undefined {
  return to - from > MAX_KEY_SIZE ? undefined : latin1At(bytes, from, to)
}

/** The system's own relations are not in the snapshot; policy decides who may read which. */
function isSystemName(written: string): boolean {
  const dot = written.lastIndexOf('.')
  return dot === -1 ? written.startsWith('pg_') : SYSTEM_SCHEMAS.has(written.slice(0, dot))
}

interface Reading {
  readonly relations: readonly string[]
  readonly columns: readonly string[]
  readonly whole: boolean
  /** Only what is no text counts. */
  readonly numbersOnly?: boolean
  /** Whether what views compute is looked through; the relations behind it are among those named, otherwise. */
  readonly behind?: boolean
}

/** Whose values a change puts into a column of this name, or anywhere. */
function carriedTo({ carried = [] }: SqlFacts, written: string | undefined): string[] {
  return carried.flatMap((flow) => {
    const [target = ANY_COLUMN, source = ANY_COLUMN, ...more] = flow.split('<')
    if (more.length > 0) return [ANY_COLUMN]
    return written === undefined || target === written || target === ANY_COLUMN ? [source] : []
  })
}

function isTextIn({ columns, numbers }: Relation, column: string): boolean {
  return numbers?.has(attributeOf(columns, column)) !== true
}

const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema', 'pg_toast'])

function attributeOf(columns: ReadonlyMap<number, string>, name: string): number {
  for (const [attribute, column] of columns) if (column === name) return attribute
  return 0
}

/** Whether a computed column of this type could carry somebody's data on: a count or a flag is let pass, whatever it was computed from. */
function canHide(origin: ColumnOrigin): boolean {
  return columnField(origin, 0, undefined).action !== 'skip'
}

/** Read in a thread, if at all: the grammar is not run over it here. */
function isLarge(sql: string): boolean {
  return sql.length * 3 > MAX_INLINE_SQL_BYTES && Buffer.byteLength(sql) > MAX_INLINE_SQL_BYTES
}
