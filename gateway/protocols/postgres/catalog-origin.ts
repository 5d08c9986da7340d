import { type Column, FIRST_NORMAL_OID, type Relation, type Snapshot } from './catalog-snapshot.ts'
import type { MadeOf } from './conversions.ts'

/** A relation by name. */
export interface RelationName {
  readonly schema: string
  readonly table: string
}

/** What is known of where a result column comes from. `column` is `*` for a whole row. */
export interface Origin extends Column {
  /** Other columns whose labels apply as well: of partitions and of inheritance both ways, what a generated column is made of, and what a view's column shows, through any number of views. */
  readonly also: readonly Column[]
  /** Relations any column of which may be in it: a whole row, or a column that a view computes. Empty for plain columns. */
  readonly computedFrom: readonly RelationName[]
  /** Computed with functions that may read anything, or through more relations than are followed: only masking is safe. */
  readonly opaque: boolean
  /** What the views it comes through as something computed make their rows of; undefined among them: nobody knows. Left out where there are none. */
  readonly made?: readonly (MadeOf | undefined)[]
}

/** Relations followed for one origin. More than any sane partition tree has; beyond, the origin is `opaque`. */
const MAX_VISITED = 10_000

/**
 * The origin of a result column; undefined when the snapshot does not know it: then the caller must take it for labelled.
 * `system`: the system's own relations and columns (ctid, xmin, tableoid).
 */
export function originOf(snapshot: Snapshot, oid: number, attnum: number): Origin | 'system' | undefined {
  const relation = snapshot.relations.get(oid)
  if ((oid < FIRST_NORMAL_OID && relation === undefined) || attnum < 0) return 'system'
  const name = attnum === 0 ? '*' : relation?.columns.get(attnum)
  if (relation === undefined || name === undefined) return undefined
  const trace = new Trace(snapshot)
  if (attnum === 0) trace.row(oid)
  else trace.column(oid, name)
  const also = [...trace.columns.values()].slice(1) // the first is the column itself; a whole row has none
  return {
    schema: relation.schema,
    table: relation.table,
    column: name,
    also,
    computedFrom: [...trace.relations.values()],
    opaque: trace.opaque,
    ...(trace.made.length === 0 ? {} : { made: trace.made }),
  }
}

/** Follows a column through views, partitions and inheritance. Kin know a column by its name: their attribute numbers differ. */
class Trace {
  readonly #known: Snapshot['relations']
  readonly #former: Snapshot['former']
  readonly columns = new Map<string, Column>()
  readonly relations = new Map<number, RelationName>()
  opaque = false
  readonly made: (MadeOf | undefined)[] = []

  constructor(snapshot: Snapshot) {
    this.#known = snapshot.relations
    this.#former = snapshot.former
  }

  column(oid: number, name: string): void {
    const queue: (readonly [oid: number, name: string])[] = [[oid, name]]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, column] = next
      const relation = this.#known.get(at)
      const key = `${at} ${column}`
      if (this.columns.has(key) || (at < FIRST_NORMAL_OID && relation === undefined)) continue
      const attnum = relation === undefined ? undefined : attnumOf(relation, column)
      if (relation === undefined || this.columns.size >= MAX_VISITED) {
        this.opaque = true
        continue
      }
      if (attnum === undefined) continue // a child's own column, which its parent has not
      this.columns.set(key, { schema: relation.schema, table: relation.table, column })
      for (const [index, was] of (this.#former?.get(`${at} ${attnum}`) ?? []).entries()) this.columns.set(`${key} ${index}`, was)
      for (const kin of relation.kin) queue.push([kin, column])
      for (const source of relation.generated?.get(attnum) ?? []) queue.push([at, relation.columns.get(source) ?? ''])
      if (relation.view !== undefined) this.#viewColumn(relation, attnum, queue)
    }
  }

  #viewColumn(relation: Relation, attnum: number, queue: (readonly [number, string])[]): void {
    const base = relation.view?.plain.get(attnum)
    if (base === undefined) {
      this.#computed(relation)
      return
    }
    const name = this.#known.get(base.oid)?.columns.get(base.attnum)
    if (base.oid < FIRST_NORMAL_OID && name === undefined) return
    if (name === undefined) this.opaque = true
    else queue.push([base.oid, name])
  }

  /** Any column of the relation, and of whatever stands behind it. */
  row(oid: number): void {
    const queue = [oid]
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      const relation = this.#known.get(at)
      if (this.relations.has(at) || (at < FIRST_NORMAL_OID && relation === undefined)) continue
      if (relation === undefined || this.relations.size >= MAX_VISITED) {
        this.opaque = true
        continue
      }
      this.relations.set(at, { schema: relation.schema, table: relation.table })
      queue.push(...relation.kin)
      if (relation.view !== undefined) {
        queue.push(...relation.view.reads)
        this.made.push(relation.view.made)
        if (relation.view.opaque) this.opaque = true
      }
    }
  }

  #computed(view: Relation): void {
    if (view.view?.opaque === true) this.opaque = true
    this.made.push(view.view?.made)
    for (const oid of view.view?.reads ?? []) this.row(oid)
  }
}

function attnumOf(relation: Relation, column: string): number | undefined {
  for (const [attnum, name] of relation.columns) if (name === column) return attnum
  return undefined
}
