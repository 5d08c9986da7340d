import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import type { SqlFacts } from '../../policy/sql/facts.ts'

/** What was put off until now fails at a COMMIT with another statement's rows; a DO block may run statements nobody has read. */
export function speaksOfOthers({ verbs = [], dynamic = false }: SqlFacts): boolean {
  return dynamic || verbs.some((verb) => verb === 'COMMIT' || verb === 'SET CONSTRAINTS')
}

/** Only `EXPLAIN`: its one column is the plan. */
export function isPlan({ verbs = [], statement_count: count }: SqlFacts): boolean {
  return count === 1 && verbs[0] === 'EXPLAIN'
}

/** Gives back what it was given, and what counts on: nothing was read to be written. */
export function insertsOnly({ verbs = [], carried }: SqlFacts): boolean {
  return carried === undefined && verbs.length === 1 && verbs[0] === 'INSERT'
}

/** Verbs of statements that answer with rows, or write such as they read. */
const READING: ReadonlySet<string> = new Set(
  'SELECT VALUES INSERT UPDATE DELETE MERGE COPY EXPLAIN FETCH EXECUTE DECLARE PREPARE'.split(' '),
)

/** Whether it matters to what a statement answers, or to whether it may run, what its relations are. */
export function readsRows({ verbs }: { readonly verbs?: unknown }): boolean {
  return !Array.isArray(verbs) || verbs.some((verb) => READING.has(verb))
}

/** Whose values a change puts into a column of this name, or anywhere. */
export function carriedTo({ carried = [] }: SqlFacts, written: string | undefined): string[] {
  return carried.flatMap((flow) => {
    const [target = ANY_COLUMN, source = ANY_COLUMN, ...more] = flow.split('<')
    if (more.length > 0) return [ANY_COLUMN]
    return written === undefined || target === written || target === ANY_COLUMN ? [source] : []
  })
}
