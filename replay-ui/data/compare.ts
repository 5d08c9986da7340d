import type { StatementRow } from '../../schemas/api.ts'

/** Statements of a session that are compared: a table of their pairs is made. */
export const MAX_COMPARED = 1_000

/** A statement of one, of the other, or of both: the same for their values. */
export interface Pair {
  readonly left: StatementRow | undefined
  readonly right: StatementRow | undefined
}

/** The two in order, what they have in common beside each other: the longest common subsequence of what they did. */
export function aligned(left: readonly StatementRow[], right: readonly StatementRow[]): Pair[] {
  const [a, b] = [left.slice(0, MAX_COMPARED), right.slice(0, MAX_COMPARED)]
  const width = b.length + 1
  // best[i][j]: how many are in common from i and j on.
  const best = new Uint16Array((a.length + 1) * width)
  const [names, others] = [a.map(nameOf), b.map(nameOf)]
  const at = (i: number, j: number): number => best[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      best[i * width + j] = names[i] === others[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const pairs: Pair[] = []
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    const same = i < a.length && j < b.length && names[i] === others[j]
    if (same) pairs.push({ left: a[i++], right: b[j++] })
    else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) pairs.push({ left: a[i++], right: undefined })
    else pairs.push({ left: undefined, right: b[j++] })
  }
  return pairs
}

function nameOf({ kind, fingerprint, text }: StatementRow): string {
  return fingerprint === null ? `${kind} ${text}` : fingerprint
}

export interface Touched {
  readonly object: string
  readonly left: Sum | undefined
  readonly right: Sum | undefined
}
interface Sum {
  statements: number
  rows: number
}

/** What was touched, and by which of the two how often: what only one touched first. */
export function touched(left: readonly StatementRow[], right: readonly StatementRow[]): Touched[] {
  const [a, b] = [sums(left), sums(right)]
  return [...new Set([...a.keys(), ...b.keys()])]
    .map((object) => ({ object, left: a.get(object), right: b.get(object) }))
    .sort((x, y) => sides(x) - sides(y) || (x.object < y.object ? -1 : 1))
}

function sides({ left, right }: Touched): number {
  return left !== undefined && right !== undefined ? 2 : 1
}

function sums(statements: readonly StatementRow[]): Map<string, Sum> {
  const found = new Map<string, Sum>()
  for (const { objects, rows } of statements)
    for (const object of objects) {
      const sum = found.get(object) ?? { statements: 0, rows: 0 }
      sum.statements += 1
      sum.rows += rows
      found.set(object, sum)
    }
  return found
}
