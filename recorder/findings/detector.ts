import type { Contribution, DetectorName, Finding, FindingsConfig } from '../../schemas/findings.ts'
import type { Queries } from '../catalog/database.ts'

/** What detectors look at: from, included, to, not included. What began before and goes on within is theirs to look back for. */
export interface Window {
  readonly from: Date
  readonly to: Date
}

/** What a detector has found, before it is weighed. The same rows of the catalog give the same drafts, in the same order. */
export interface Draft {
  readonly family: string
  readonly target: string
  readonly object: string | null
  readonly value: number
  readonly threshold: number
  readonly unit: string
  readonly summary: string
  readonly baseline: Finding['baseline']
  readonly coverage: Finding['coverage']
  /** Oldest first. */
  readonly contributions: readonly Contribution[]
  /** Of contributions that are only counted: how many, of which sessions all are, and when the last was. */
  readonly rest?: { readonly count: number; readonly sessions: readonly string[]; readonly to: string }
}

/** Contributions that are kept and shown; others are counted. */
export const KEPT = 200

export interface Setting<P extends string = string> {
  readonly params: Readonly<Record<P, number>>
  readonly config: FindingsConfig
  /** Drafts of detectors that ran before. */
  readonly earlier: ReadonlyMap<DetectorName, readonly Draft[]>
}

export type Detector = (queries: Queries, window: Window, setting: Setting) => Promise<readonly Draft[]>

/** Configured size of a table; undefined where nobody said. */
export function tableRows(config: FindingsConfig, target: string, table: string): number | undefined {
  return tableOf(config, target, table)?.rows
}

type Table = NonNullable<FindingsConfig['tables']>[number]
const tablesOf = new WeakMap<FindingsConfig, ReadonlyMap<string, Table>>()

/** What the configuration says of a table. */
export function tableOf(config: FindingsConfig, target: string, table: string | null): Table | undefined {
  // The first of two that are the same.
  const tables =
    tablesOf.get(config) ?? new Map((config.tables ?? []).toReversed().map((each) => [`${each.target} ${each.table}`, each]))
  tablesOf.set(config, tables)
  return tables.get(`${target} ${table}`)
}

export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export const DAY_MS = 86_400_000
export const HOUR_MS = 3_600_000

export function before(date: Date, ms: number): Date {
  return new Date(date.getTime() - ms)
}
