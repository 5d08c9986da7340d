import type { ColumnLabels } from '../../policy/policy.ts'
import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import type { Catalog } from './catalog.ts'
import type { Origin } from './catalog-origin.ts'
import type { Column, Relation } from './catalog-snapshot.ts'
import { holdsCopies } from './catalog-system.ts'
import type { Labelled } from './columns.ts'

/** Where nothing is known of a column's origin, a value is masked until the catalog has been read anew. */
export const UNKNOWN_ORIGIN: Labelled = { label: 'unknown-origin', entity: 'unverified' }
/** Copies of values that the system keeps, whichever columns they are of. */
const KEPT_COPY: Labelled = { label: 'system-copy', entity: 'statistics' }

/** What a part of a statement may read. */
export interface Reading {
  readonly relations: readonly string[]
  readonly columns: readonly string[]
  readonly whole: boolean
  /** Names that stand for something the statement computes from other names in it. */
  readonly given?: ReadonlySet<string>
  /** Only what is no text counts. */
  readonly numbersOnly?: boolean
  /** Whether what views compute is looked through; the relations behind it are among those named, otherwise. */
  readonly behind?: boolean
}

const NONE_GIVEN: ReadonlySet<string> = new Set()

/** Finds the label of what may be read, by what is known of the target. Errs on the masked side. */
export class LabelReader {
  readonly #labels: ColumnLabels
  readonly #catalog: Pick<Catalog, 'lookup' | 'named' | 'isSystem'>
  /** By the relations of a snapshot. */
  readonly #whole = { all: new WeakMap<Relation, readonly Labelled[]>(), numbers: new WeakMap<Relation, readonly Labelled[]>() }

  constructor(labels: ColumnLabels, catalog: Pick<Catalog, 'lookup' | 'named' | 'isSystem'>) {
    this.#labels = labels
    this.#catalog = catalog
  }

  /** The label of what may be read by naming these columns, or all, of these relations. */
  read(reading: Reading): Labelled | undefined {
    const [first] = this.all(reading)
    return first
  }

  /** Every such label. */
  *all({ relations, columns, whole: star, given = NONE_GIVEN, numbersOnly = false, behind = true }: Reading): Iterable<Labelled> {
    // Each relation is looked at once: a statement may name a thousand, and a thousand columns.
    const meant = relations.map((written) => this.named(written))
    const names = new Set(columns)
    const had = new Map<string, 'text' | 'number'>()
    for (const relation of meant.flat()) {
      for (const column of columnsAmong(relation, names))
        if (had.get(column) !== 'number') had.set(column, isTextIn(relation, column) ? 'text' : 'number')
    }
    for (const column of names) {
      if (numbersOnly && had.get(column) === 'text') continue
      const label = this.#labels.labelForName(column)
      if (label !== undefined) yield label
    }
    // A name that no relation here has stands for something else: an alias in a list, a column of a CTE, a function of the row.
    const whole = star || columns.some((column) => !given.has(column) && !had.has(column))
    for (const [index, written] of relations.entries()) {
      const found = meant[index] ?? []
      // A relation the catalog does not know (yet: a temporary one) may have been filled from any other.
      if (found.length === 0 && !this.#isSystemName(written)) yield UNKNOWN_ORIGIN
      for (const relation of found) {
        const all = whole || (relation.view !== undefined && !numbersOnly)
        if (all && !behind) yield* this.#wholly(relation, numbersOnly)
        else yield* this.#labelsOf(relation, this.#asked(relation, names, all), numbersOnly, behind)
      }
    }
  }

  *#labelsOf(relation: Relation, columns: Iterable<string>, numbersOnly: boolean, behind: boolean): Iterable<Labelled> {
    for (const column of columns) {
      const label = numbersOnly && isTextIn(relation, column) ? undefined : this.labelIn(relation, column, behind)
      if (label !== undefined) yield label
    }
  }

  /** The labels of all columns of a relation that stands behind a view, for each of whose columns it is asked for. */
  #wholly(relation: Relation, numbersOnly: boolean): readonly Labelled[] {
    const known = this.#whole[numbersOnly ? 'numbers' : 'all']
    // Past a certain age the catalog says nothing of it.
    const labels = this.#catalog.lookup(relation.oid, 0) === undefined ? undefined : known.get(relation)
    if (labels !== undefined) return labels
    const found = [...this.#labelsOf(relation, relation.columns.values(), numbersOnly, false)]
    known.set(relation, found)
    return found
  }

  /** All columns of the relation or those that are named, and names that it would have a label for, as it may have them by now. */
  *#asked(relation: Relation, names: ReadonlySet<string>, all: boolean): Iterable<string> {
    yield* all ? relation.columns.values() : columnsAmong(relation, names)
    const placed = this.#labels.placedIn(relation)
    if (placed === undefined) return
    for (const name of names) if (attributeOf(relation, name) === 0 && placed(name)) yield name
  }

  /** Whether the catalog knows every relation named here, and what those that are views read. */
  knows(relations: readonly string[]): boolean {
    return relations.every((written) => {
      const found = this.named(written)
      return found.length === 0 ? this.#isSystemName(written) : found.every((relation) => !this.#isOpaque(relation))
    })
  }

  #isOpaque({ oid, view }: Relation): boolean {
    if (view === undefined) return false
    const row = this.#catalog.lookup(oid, 0)
    return row === undefined || (row !== 'system' && row.opaque)
  }

  labelIn(relation: Relation, column: string, behind = true): Labelled | undefined {
    const { schema, table } = relation
    const attribute = attributeOf(relation, column)
    const place = attribute === 0 ? undefined : this.#catalog.lookup(relation.oid, attribute)
    // There is such a column, and a catalog too old to say where it comes from.
    if (attribute !== 0 && place === undefined) return UNKNOWN_ORIGIN
    const all = place === undefined || place === 'system' ? [{ schema, table, column }] : [place, ...place.also]
    const label = all.map((one) => this.labelAt(one)).find((each) => each !== undefined)
    if (label !== undefined || !behind || place === undefined || place === 'system') return label
    // What a view computes may be made of a labelled column under any name.
    return this.labelBehind(place, isTextIn(relation, column) ? 'texts' : 'numbers')
  }

  /** The label of a column whose place is known, by that place or by its name. */
  labelAt(column: Column): Labelled | undefined {
    return (
      this.#labels.labelFor(column) ?? this.#labels.labelForName(column.column) ?? (holdsCopies(column) ? KEPT_COPY : undefined)
    )
  }

  /** The label of what a view's computed column may be made of. */
  labelBehind({ opaque, computedFrom, made = [] }: Origin, what: 'texts' | 'numbers'): Labelled | undefined {
    if (opaque) return UNKNOWN_ORIGIN
    const numbersOnly = what === 'numbers' && !made.some((one) => one?.converts ?? true)
    const handed = made.some((one) => one === undefined) ? [ANY_COLUMN] : made.flatMap((one) => [...(one?.handed ?? [])])
    const relations = computedFrom.map(({ schema, table }) => `${schema}.${table}`)
    const label = this.read({
      relations,
      columns: numbersOnly ? handed.filter((name) => name !== ANY_COLUMN) : [],
      whole: !numbersOnly || handed.includes(ANY_COLUMN),
      numbersOnly,
      behind: false,
    })
    if (label !== undefined || !numbersOnly) return label
    const compared = made.flatMap((one) => [...(one?.mentions.compared ?? [])])
    return compared.length === 0
      ? undefined
      : this.read({
          relations,
          columns: compared.filter((name) => name !== ANY_COLUMN),
          whole: compared.includes(ANY_COLUMN),
          given: new Set(made.flatMap((one) => [...(one?.mentions.given ?? [])])),
          behind: false,
        })
  }

  hasColumn(relations: readonly string[], column: string): boolean {
    return this.having(relations, column).length > 0
  }

  /** Those of the relations that have a column of this name. */
  having(relations: readonly string[], column: string): readonly Relation[] {
    return relations.flatMap((written) => this.named(written)).filter((relation) => attributeOf(relation, column) !== 0)
  }

  /** The relations a name in a statement may mean. */
  named(written: string): readonly Relation[] {
    const dot = written.lastIndexOf('.')
    return this.#catalog.named(written.slice(dot + 1), dot === -1 ? undefined : written.slice(0, dot))
  }

  /** Policy decides who may read which of the system's own relations; of most there is nothing in the snapshot. */
  #isSystemName(written: string): boolean {
    const dot = written.lastIndexOf('.')
    if (dot === -1) return this.#catalog.isSystem(written)
    return SYSTEM_SCHEMAS.has(written.slice(0, dot))
  }
}

function isTextIn(relation: Relation, column: string): boolean {
  return relation.numbers?.has(attributeOf(relation, column)) !== true
}

const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema', 'pg_toast'])

/** Attribute numbers by name, of relations that were asked for. */
const attributes = new WeakMap<Relation, ReadonlyMap<string, number>>()

function attributesOf(relation: Relation): ReadonlyMap<string, number> {
  let known = attributes.get(relation)
  if (known === undefined) {
    known = new Map([...relation.columns].map(([attribute, column]) => [column, attribute]))
    attributes.set(relation, known)
  }
  return known
}

function attributeOf(relation: Relation, name: string): number {
  return attributesOf(relation).get(name) ?? 0
}

/** Those of the names that the relation has, by whichever of the two are fewer. */
function* columnsAmong(relation: Relation, names: ReadonlySet<string>): Iterable<string> {
  const own = attributesOf(relation)
  if (names.size < own.size) {
    for (const name of names) if (own.has(name)) yield name
  } else {
    for (const name of own.keys()) if (names.has(name)) yield name
  }
}
