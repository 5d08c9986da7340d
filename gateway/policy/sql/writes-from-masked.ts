import type { Facts } from '../../../schemas/frame.ts'
import type { ColumnLabels } from '../columns.ts'
import { ANY_COLUMN } from './carried.ts'

/** What is known of where labelled data lies: from the target's catalog, or from the labels alone. */
export interface Places {
  /** Whether a column of this name (ANY_COLUMN: any of them), read from one of these relations, may carry labelled data. */
  carries(relations: readonly string[], column: string): boolean
  /** Whether what is written to a column of this name stays labelled, whichever of these relations is meant. */
  keeps(relations: readonly string[], column: string): boolean
}

/**
 * Whether a statement writes what a labelled column may hold to where no label will cover it (fact `carried`, as carriedColumns
 * gives it). Errs on the side of yes.
 */
export function writesFromMasked(facts: Facts, places: Places): boolean {
  const { carried, relations, whole_rows: whole } = facts
  if (!Array.isArray(carried)) return false
  const names = Array.isArray(relations) ? relations : []
  return carried.some((flow) => {
    // A name may hold the sign itself; then nothing is certain of either side.
    const [target = ANY_COLUMN, written = ANY_COLUMN, ...more] = flow.split('<')
    // Where rows are taken whole or columns by position, a name may be that of a row, or of another column.
    const source = whole === true ? ANY_COLUMN : written
    if (more.length > 0) return places.carries(names, ANY_COLUMN)
    return places.carries(names, source) && (target === ANY_COLUMN || !places.keeps(names, target))
  })
}

/** The labels of what a statement names or reads whole, as far as the labels alone tell. */
export function labelsNamed(facts: Facts, labels: ColumnLabels, searchPath: readonly string[]): readonly string[] {
  if (!labels.asked || labels.empty) return []
  const { columns, relations, select_star: star } = facts
  const names = Array.isArray(columns) ? columns : []
  const tables = tablesOf(Array.isArray(relations) ? relations : [], searchPath)
  const byName = names.map((column) => labels.labelForName(column)?.label)
  const byPlace = tables.flatMap((place) => names.map((column) => labels.labelFor({ ...place, column })?.label))
  const whole = star === true ? tables.flatMap((place) => labels.within(place)) : []
  return [...new Set([...byName, ...byPlace, ...whole])].filter((label) => label !== undefined)
}

function tablesOf(relations: readonly string[], searchPath: readonly string[]): readonly Table[] {
  return relations.flatMap((written) => {
    const dot = written.lastIndexOf('.')
    const table = written.slice(dot + 1)
    return dot === -1 ? searchPath.map((schema) => ({ schema, table })) : [{ schema: written.slice(0, dot), table }]
  })
}

interface Table {
  readonly schema: string
  readonly table: string
}

/** What the labels alone tell, without a catalog: for trying a policy out, where no target is asked. */
export function labelledPlaces(labels: ColumnLabels, searchPath: readonly string[]): Places {
  const tables = (relations: readonly string[]): readonly Table[] => tablesOf(relations, searchPath)
  const labelled = (relations: readonly string[], column: string): boolean =>
    labels.labelForName(column) !== undefined ||
    tables(relations).some((place) => labels.labelFor({ ...place, column }) !== undefined)
  return {
    carries: (relations, column) =>
      column === ANY_COLUMN ? tables(relations).some((place) => labels.touches(place)) : labelled(relations, column),
    keeps: (relations, column) =>
      labels.labelForName(column) !== undefined || (relations.length === 1 && labelled(relations, column)),
  }
}
