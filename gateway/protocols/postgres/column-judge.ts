import { setTimeout } from 'node:timers/promises'
import type { Facts } from '../../../schemas/frame.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import type { Field } from '../../message.ts'
import type { ColumnLabels } from '../../policy/policy.ts'
import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import { MAX_INLINE_SQL_BYTES, type SqlFacts, sqlFacts } from '../../policy/sql/facts.ts'
import { writesFromMasked } from '../../policy/sql/writes-from-masked.ts'
import type { Session } from '../../protocol.ts'
import { carriedTo, insertsOnly, isPlan, readsRows, speaksOfOthers } from './answer-facts.ts'
import { Catalogs } from './catalog.ts'
import { SessionCatalog } from './catalog-session.ts'
import type { Relation } from './catalog-snapshot.ts'
import { bare, readsStores } from './catalog-system.ts'
import { type ColumnOrigin, canHide, columnField, type Described, describedBy, type Labelled, readOrigins } from './columns.ts'
import { type MadeOf, madeOf, UNREADABLE } from './conversions.ts'
import type { CopyShape } from './copy.ts'
import { copyPlan } from './copy-plan.ts'
import { LabelReader, UNKNOWN_ORIGIN } from './label-reader.ts'
import type { ColumnJudge } from './reply-reader.ts'
import { readingOf } from './sql-threads.ts'

/** For what cannot be told, because more than one COPY comes into question. */
const UNKNOWN_FIELD: Field = { path: 'copy', action: 'mask', ...UNKNOWN_ORIGIN }
/** In text format every type is text on the wire; in COPY there is nothing else to go by. */
const TEXT_TYPE = 25
const BOOL_TYPE = 16

/** Descriptions remembered by one session: what an application asks again and again, each size of a text by itself. Longer ones take longer to read than to look up. */
const MAX_KNOWN = 128
const MAX_KNOWN_SIZE = 2048

/** An entity of its own: whatever form the label asks for, an error's text has neither room for NULL nor tags that could be guessed against. */
const QUOTED_VALUE: Field = { path: 'error.value', action: 'mask', entity: 'error-value' }

const NO_LABELS: readonly string[] = []
/** What a value given to a function that keeps it stands under (see carried.ts). */
const KEPT_SOMEWHERE = `${ANY_COLUMN}<`
/** pg_class.relkind */
const SEQUENCE = 'S'
/** For the catalog to be read anew before a statement on something new is judged; a second is between two readings. */
const MAX_WAIT_MS = 3_000

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
  readonly #reader: LabelReader
  #catalog: SessionCatalog | undefined
  /** Code that nobody has read ran in this session, or a labelled value was kept outside of tables. */
  #dark = false
  /** The session's generation of names in which something was last asked for; whether it was waited for, or which statements need not. */
  #generation = 0
  #waited = false
  #settled = new WeakSet<Facts>()
  readonly #touched = new WeakMap<Facts, { readonly snapshot: object | undefined; readonly labels: readonly string[] }>()
  /** One statement may give notice a hundred thousand times. */
  readonly #complaints = new WeakMap<Facts, { readonly snapshot: object; readonly field: Field | undefined }>()
  /** The last description of a text with these facts, by which everything else that decides is the same. */
  readonly #known = new Map<Facts, KnownDescription>()

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
    this.#reader = new LabelReader(session.labels, {
      lookup: (oid, attnum) => this.#catalog?.lookup(oid, attnum),
      named: (table, schema) => this.#catalog?.named(table, schema) ?? [],
      isSystem: (table) => this.#catalog?.isSystem(table) === true,
    })
  }

  /** Resolves when origins can be looked up; rejects like the login upstream. Without any label there is nothing to look up. */
  async ready(): Promise<void> {
    if (this.#labels.empty) return
    this.#catalog = new SessionCatalog(await this.#catalogs.of(this.#target, this.#database, this.#credential, this.#onFailure))
  }

  get edition(): object | undefined {
    return this.#catalog?.edition
  }

  rested(): void {
    this.#catalog?.rested()
  }

  described(bytes: Uint8Array, from: number, to: number, sql: string): Described {
    const facts = sqlFacts(sql)
    // An old snapshot is asked again, so that it is renewed.
    const snapshot = this.#catalog?.settled
    const keeps = (this.#catalog === undefined || snapshot !== undefined) && to - from <= MAX_KNOWN_SIZE
    const known = keeps ? this.#known.get(facts) : undefined
    if (known !== undefined && known.snapshot === snapshot && isSame(known.bytes, bytes, from, to)) return known.described
    const origins = readOrigins(bytes, from, to)
    const computed = new Map<string, Labelled | undefined>()
    const labelled = origins.map((origin) => this.#labelOf(origin, sql, computed))
    const described = describedBy(origins, labelled)
    // What is not known yet is looked up again each time, until it is.
    const certain = !labelled.includes(UNKNOWN_ORIGIN) && origins.every((origin) => origin.table === 0 || this.#placed(origin))
    if (keeps && certain) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(facts, { bytes: Uint8Array.prototype.slice.call(bytes, from, to), snapshot, described })
    }
    return described
  }

  copy(sql: string, format: 'text' | 'binary', count: number): CopyShape {
    const plan = isLarge(sql) ? readingOf(sql)?.plan : copyPlan(sql)
    const lines = format === 'binary' ? format : (plan?.lines ?? 'unknown')
    if (this.#labels.empty) return { lines, count, columns: [] }
    if (plan === undefined) return { lines, count, columns: [], rest: UNKNOWN_FIELD }
    const { relation } = plan
    const known = relation === undefined ? [] : (this.#catalog?.named(relation.table, relation.schema) ?? [])
    const names = plan.columns ?? (known.length === 1 && known[0] !== undefined ? [...known[0].columns.values()] : [])
    const columns = names.map((name): Field => {
      const origin = { name, table: 0, attribute: 0, type: TEXT_TYPE, format: 0 }
      const labels = known.map((table) => this.#reader.labelIn(table, name))
      const labelled = labels.find((label) => label !== undefined) ?? this.#labels.labelForName(name)
      return columnField(origin, 0, labelled)
    })
    // A query's columns are computed as far as COPY tells: one treatment for every field of the line.
    // A table the catalog does not know (yet: a temporary one) may have been filled from any other.
    const unknown = relation !== undefined && known.length === 0 ? UNKNOWN_ORIGIN : undefined
    const taint = relation === undefined || known.length !== 1 ? (this.#taint(sql) ?? unknown) : undefined
    // Which is which cannot be told of other columns than the catalog knows, such as a generated one, which is not copied.
    if (names.length > 0 && names.length !== count && columns.some(({ action }) => action === 'mask'))
      return { lines, count, columns: [], rest: UNKNOWN_FIELD }
    return {
      lines,
      count,
      columns,
      ...(taint === undefined
        ? {}
        : { rest: columnField({ name: 'copy', table: 0, attribute: 0, type: TEXT_TYPE, format: 0 }, 0, taint) }),
    }
  }

  complaint(sql: string): Field | undefined {
    if (this.#labels.empty) return undefined
    const facts = sqlFacts(sql)
    const snapshot = this.#catalog?.settled
    const known = this.#complaints.get(facts)
    if (known !== undefined && known.snapshot === snapshot) return known.field
    // A constraint that fails shows the whole row, columns the statement never named among them.
    const taint = speaksOfOthers(facts) ? UNKNOWN_ORIGIN : this.#taint(sql, 'rows')
    const field = taint && { ...QUOTED_VALUE, label: taint.label }
    if (snapshot !== undefined) this.#complaints.set(facts, { snapshot, field })
    return field
  }

  labelsTouched(facts: Facts): readonly string[] {
    if (!this.#labels.asked || this.#labels.empty || facts['parse_ok'] !== true) return NO_LABELS
    const snapshot = this.#catalog?.settled
    const known = snapshot === undefined ? undefined : this.#touched.get(facts)
    if (known !== undefined && known.snapshot === snapshot) return known.labels
    const { relations = [], columns = [], select_star: star } = facts as SqlFacts // what the reader makes of a text that parses
    const found = this.#reader.all({ relations, columns, whole: star === true })
    const labels = [...new Set([...found].map(({ label }) => label))]
    this.#touched.set(facts, { snapshot, labels })
    return labels
  }

  parameter(sql: string): Field | undefined {
    if (this.#labels.empty) return undefined
    if (this.#dark) return QUOTED_VALUE
    return sql === '' ? undefined : this.complaint(sql)
  }

  notification(): Field | undefined {
    return this.#dark ? QUOTED_VALUE : undefined
  }

  executed(facts: Facts): void {
    this.#catalog?.executed(facts)
    if (this.#dark || this.#labels.empty) return
    const { dynamic, parse_ok: readable, carried } = facts
    this.#dark =
      dynamic === true || readable !== true || (Array.isArray(carried) && carried.some((flow) => flow.startsWith(KEPT_SOMEWHERE)))
    if (this.#dark) this.#known.clear()
  }

  pending(facts: Facts, generation: number): Promise<void> | undefined {
    if (this.#catalog === undefined) return undefined
    if (generation !== this.#generation) {
      this.#generation = generation
      this.#waited = false
      this.#settled = new WeakSet()
    }
    if (this.#waited || this.#settled.has(facts)) return undefined
    const { relations } = facts
    const known = (!Array.isArray(relations) || this.#reader.knows(relations)) && !this.#catalog.callsChanged(facts)
    if (known || !readsRows(facts)) {
      this.#settled.add(facts)
      return undefined
    }
    this.#waited = true
    // What cannot be read now stays unknown, and masked; why, the catalog says where it is read in the background.
    return Promise.race([this.#catalog.refresh(), setTimeout(MAX_WAIT_MS)]).catch(() => undefined)
  }

  writesFromMasked(facts: Facts): boolean {
    if (this.#labels.empty) return false
    const known = new Map<string, boolean>()
    return writesFromMasked(facts, {
      carries: (relations, column) => {
        const whole = column === ANY_COLUMN
        const carries = known.get(column) ?? this.#reader.read({ relations, columns: whole ? [] : [column], whole }) !== undefined
        known.set(column, carries)
        return carries
      },
      keeps: (relations, column) => this.#labels.labelForName(column) !== undefined || this.#keeps(relations, column),
    })
  }

  /** Whether the column is labelled in every relation here that has one of its name. */
  #keeps(relations: readonly string[], column: string): boolean {
    const having = this.#reader.having(relations, column)
    return having.length > 0 && having.every((relation) => this.#reader.labelIn(relation, column) !== undefined)
  }

  #placed({ table, attribute }: ColumnOrigin): boolean {
    return this.#labels.empty || this.#catalog?.lookup(table, (attribute << 16) >> 16) !== undefined
  }

  #labelOf(origin: ColumnOrigin, sql: string, computed: Map<string, Labelled | undefined>): Labelled | undefined {
    if (this.#labels.empty) return undefined
    const byName = this.#labels.labelForName(origin.name)
    if (byName !== undefined) return byName
    if (this.#dark && this.#readsBack(sqlFacts(sql), origin.name)) return UNKNOWN_ORIGIN
    if (origin.table === 0) return this.#computed(origin, sql, computed)
    const place = this.#catalog?.lookup(origin.table, (origin.attribute << 16) >> 16)
    if (place === 'system') return undefined
    if (place === undefined) return !canHide(origin) && insertsOnly(sqlFacts(sql)) ? undefined : UNKNOWN_ORIGIN
    for (const column of [place, ...place.also]) {
      const label = this.#reader.labelAt(column)
      if (label !== undefined) return label
    }
    // What a statement has just written comes back under the name of where it was put.
    if (sqlFacts(sql).writes === true) {
      const written = this.#computed(origin, sql, computed, place.column)
      if (written !== undefined) return written
    }
    return this.#reader.labelBehind(place, canHide(origin) ? 'texts' : 'numbers')
  }

  /** Whether a statement may show what code that nobody has read put into a setting, a sequence or the like. */
  #readsBack(facts: SqlFacts, column: string): boolean {
    if (facts.parse_ok !== true || readsStores(facts, column)) return true
    return (facts.relations ?? []).some((name) => this.#reader.named(name).some(({ kind }) => kind === SEQUENCE))
  }

  /** Once for all columns of a description of which the same is to be said: there may be 1,664. */
  #computed(
    origin: ColumnOrigin,
    sql: string,
    computed: Map<string, Labelled | undefined>,
    written?: string,
  ): Labelled | undefined {
    const key = canHide(origin) ? 'text' : `${origin.type === BOOL_TYPE ? 'flag' : 'number'} ${written ?? ''}`
    if (!computed.has(key)) computed.set(key, this.#labelOfComputed(origin, sql, written))
    return computed.get(key)
  }

  /**
   * A column the statement computes. A number passes as long as nothing turns text into numbers, no labelled number is handed
   * on, and nothing labelled is compared for it: a count is no one's data.
   */
  #labelOfComputed(origin: ColumnOrigin, sql: string, written?: string): Labelled | undefined {
    const facts = sqlFacts(sql)
    if (isPlan(facts)) return this.#planned(facts, sql)
    if (canHide(origin)) return this.#taint(sql)
    const { relations = [], function_categories: functions = [] } = facts
    const made = makingOf(sql)
    const views = relations.flatMap((name) => this.#reader.named(name)).filter(({ view }) => view !== undefined)
    const converts =
      made.converts ||
      this.#catalog?.addsCasts === true ||
      views.some((view) => this.#cuts(view, made.measures)) ||
      ((functions.includes('unknown') || this.#callsAdditions(facts, made)) && written === undefined)
    if (converts) return this.#taint(sql)
    const { given, compared } = made.mentions
    const asked = this.#readNames(relations, [...compared], given)
    if (asked !== undefined) return asked
    // What is no comparison, and yet yes or no, tells no more of a number than a condition would.
    if (origin.type === BOOL_TYPE) return undefined
    const handed = [...made.handed, ...carriedTo(facts, written)]
    return this.#reader.read({
      relations,
      columns: handed.filter((name) => name !== ANY_COLUMN),
      whole: handed.includes(ANY_COLUMN) || (facts.whole_rows === true && handed.length > 0),
      given,
      numbersOnly: true,
    })
  }

  #readNames(relations: readonly string[], names: readonly string[], given: ReadonlySet<string>): Labelled | undefined {
    if (names.length === 0) return undefined
    const columns = names.filter((name) => name !== ANY_COLUMN)
    return this.#reader.read({ relations, columns, whole: names.includes(ANY_COLUMN), given })
  }

  /** A plan shows the statement as it was written; but what is sure to give the same is run for it, and shown. */
  #planned(facts: SqlFacts, sql: string): Labelled | undefined {
    const { relations = [] } = facts
    return this.#reachesUnknown(facts, sql) || !this.#reader.knows(relations) ? UNKNOWN_ORIGIN : undefined
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
    const facts = sqlFacts(sql)
    if (this.#reachesUnknown(facts, sql)) return UNKNOWN_ORIGIN
    const { relations = [], columns = [], select_star: star } = facts
    const { given } = makingOf(sql).mentions
    return this.#reader.read({ relations, columns, whole: reach === 'rows' || star === true, given })
  }

  /** A function or operator nobody knows may read any table; one that takes SQL as text reads what it is told. */
  #reachesUnknown(facts: SqlFacts, sql: string): boolean {
    const { function_categories: functions = [], parse_ok: readable } = facts
    if (!readable || functions.includes('unknown') || functions.includes('sql-in-text')) return true
    const made = makingOf(sql)
    return made.foreign || this.#callsAdditions(facts, made)
  }

  /** Whether it may mean a function or an operator of somebody's that bears a name of PostgreSQL's, or that a row is asked for. */
  #callsAdditions({ functions = [], columns = [], relations = [] }: SqlFacts, { mentions }: MadeOf): boolean {
    const catalog = this.#catalog
    if (catalog === undefined) return false
    if (functions.some((name) => catalog.addsFunction(bare(name)))) return true
    if (relations.some((name) => catalog.isRuled(bare(name)))) return true
    if ([...mentions.operators].some((name) => catalog.addsOperator(name))) return true
    return columns.some(
      (name) => catalog.addsFunction(name) && !mentions.given.has(name) && !this.#reader.hasColumn(relations, name),
    )
  }
}

interface KnownDescription {
  readonly bytes: Uint8Array
  readonly snapshot: object | undefined
  readonly described: Described
}

function isSame(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[from + at]) return false
  return true
}

function makingOf(sql: string): MadeOf {
  return isLarge(sql) ? (readingOf(sql)?.made ?? UNREADABLE) : madeOf(sql)
}

/** Read in a thread, if at all: the grammar is not run over it here. */
function isLarge(sql: string): boolean {
  return sql.length * 3 > MAX_INLINE_SQL_BYTES && Buffer.byteLength(sql) > MAX_INLINE_SQL_BYTES
}
