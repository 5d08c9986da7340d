import type { PolicyFile } from '../../schemas/policy.ts'
import type { MaskForm } from '../../schemas/policy-masking.ts'
import type { Identity } from '../../schemas/session.ts'
import { type Fits, globs } from './globs.ts'
import { rulesOf } from './packs/index.ts'
import { compileWho } from './rule.ts'

/** What a column carries, and how it is shown. */
export interface ColumnLabel {
  /** The label's id, e.g. `pii.email`. */
  readonly label: string
  readonly entity: string
  readonly form: MaskForm | undefined
}

/** Which columns carry labelled data for one identity. */
export interface ColumnLabels {
  /** Some rule asks which labels a statement touches: only then is it worth finding out. */
  readonly asked: boolean
  /** Whether this identity is exempt from the label of that id, one the gateway gives itself among them. */
  exempts(label: string): boolean
  /** No label holds for this identity: nothing needs to be looked up. */
  readonly empty: boolean
  /** Of a column whose origin is known; names are as the catalog has them. */
  labelFor(column: { readonly schema: string; readonly table: string; readonly column: string }): ColumnLabel | undefined
  /** Whether a label is given to a column of this table by its place; one given by name may be anywhere. */
  touches(table: { readonly schema: string; readonly table: string }): boolean
  /** Which columns of this table a label may be given to by their place; undefined: none. Errs on the side of yes. */
  placedIn(table: { readonly schema: string; readonly table: string }): Fits | undefined
  /** The labels given to columns of this table by their place. */
  within(table: { readonly schema: string; readonly table: string }): readonly string[]
  /** Of a column of which only the name is known (computed, COPY, a view not looked into). */
  labelForName(name: string): ColumnLabel | undefined
}

interface CompiledLabel {
  readonly label: ColumnLabel
  readonly columns: Fits
  readonly places: readonly Place[]
  readonly names: Fits
  readonly tables: Fits
}

/** One pattern of columns, taken apart at its dots. */
interface Place {
  readonly table: Fits
  readonly column: Fits
}

/** Statements choose the names asked for, so what is remembered has an end. */
const MAX_REMEMBERED = 10_000
const never: Fits = () => false
const always: Fits = () => true

/** The labels that hold for this identity: those it is exempt from are gone. Of several that fit, the first in the file counts. */
export function columnLabels(file: PolicyFile, identity: Identity): ColumnLabels {
  const exempt = (file.exempt ?? []).filter(({ who, labels }) => labels !== undefined && compileWho(who)(identity))
  const free = exempt.map(({ labels }) => globs(labels ?? []))
  const compiled = Object.entries(file.labels ?? {}).flatMap(([id, label]): CompiledLabel[] => {
    if (free.some((fits) => fits(id))) return []
    return [
      {
        label: { label: id, entity: label.entity, form: label.mask },
        columns: label.columns === undefined ? never : globs(label.columns),
        places: placesOf(label.columns ?? []),
        names: label.names === undefined ? never : globs(label.names, { ignoreCase: true }),
        tables: tablesOf(label.columns ?? []),
      },
    ]
  })
  const remembered = new Map<string, ColumnLabel | undefined>()
  const find = (key: string, fits: (label: CompiledLabel) => boolean): ColumnLabel | undefined => {
    if (remembered.has(key)) return remembered.get(key)
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    const found = compiled.find(fits)?.label
    remembered.set(key, found)
    return found
  }
  return {
    asked: asksForLabels(file),
    exempts: (label) => free.some((fits) => fits(label)),
    empty: compiled.length === 0,
    labelFor: ({ schema, table, column }) => {
      const path = `${schema}.${table}.${column}`
      return find(path, (label) => label.columns(path) || label.names(column))
    },
    touches: ({ schema, table }) => compiled.some(({ tables }) => tables(`${schema}.${table}`)),
    placedIn: ({ schema, table }) => {
      if (schema.includes('.') || table.includes('.')) return always
      const places = compiled.flatMap((label) => label.places.filter((place) => place.table(`${schema}.${table}`)))
      return places.length === 0 ? undefined : (column) => column.includes('.') || places.some((place) => place.column(column))
    },
    within: ({ schema, table }) =>
      compiled.filter(({ tables }) => tables(`${schema}.${table}`)).map(({ label: { label } }) => label),
    labelForName: (name) => find(`\n${name}`, (label) => label.names(name)),
  }
}

function asksForLabels(file: PolicyFile): boolean {
  return rulesOf(file).some(
    ({ rule: { match, when } }) => match?.labels !== undefined || (when !== undefined && /\blabels\b/.test(when)),
  )
}

/** As a pattern has two dots, it fits a path of two dots part by part. Exclusions alone: everything else fits. */
function placesOf(columns: readonly string[]): readonly Place[] {
  const wanted = columns.filter((pattern) => !pattern.startsWith('!'))
  if (wanted.length < columns.length && wanted.length === 0) return [{ table: always, column: always }]
  return wanted.map((pattern) => {
    const dot = pattern.lastIndexOf('.')
    return { table: globs(pattern.slice(0, dot)), column: globs(pattern.slice(dot + 1)) }
  })
}

/** The tables that patterns of columns may be about. */
function tablesOf(columns: readonly string[]): Fits {
  const tables = columns
    .filter((pattern) => !pattern.startsWith('!'))
    .map((pattern) => pattern.slice(0, pattern.lastIndexOf('.')))
  return tables.length === 0 ? never : globs(tables)
}
