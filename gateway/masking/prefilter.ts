import type { ByteSet } from './bytes.ts'

/** Bytes of a pattern that are looked at: its last ones. */
const DEPTH = 4
const GROUPS = 8
const HALVES = 16
const ROUNDS = 4

/**
 * Tells of most places in bytes of any kind, sixteen at once, that no pattern ends there: each of the last four bytes is asked by its halves
 * in which of eight groups of patterns it may stand there (as "Teddy" does: https://github.com/intel/hyperscan, src/fdr). In text too many
 * places are left; in what is packed, encrypted or a picture one of 150.
 */
export interface Prefilter {
  /** For the last byte, the one before it and so on: by its lower half which groups may have it there, a bit each, then by its upper. */
  readonly halves: Uint8Array
  /** By groups, as bits: the bytes of their longest pattern. */
  readonly longest: Uint8Array
}

interface Group {
  /** Sets of halves, a bit each, as above. */
  readonly sets: readonly number[]
  readonly longest: number
}

/** Patterns are sets of bytes, one behind the other. */
export function buildPrefilter(patterns: readonly (readonly ByteSet[])[]): Prefilter {
  const members: (readonly Group[])[] = Array.from({ length: GROUPS }, () => [])
  const groups: Group[] = members.map(() => NOBODY)
  const put = (index: number, list: readonly Group[]): void => {
    members[index] = list
    groups[index] = list.reduce(union, NOBODY)
  }
  // What is most easily taken for something else has first choice; each goes where it costs least, and may move once the others are placed.
  const all = patterns.map(groupOf).sort((a, b) => cost(b) - cost(a))
  for (let round = 0; round < ROUNDS; round++)
    for (const own of all) {
      const before = members.findIndex((list) => list.includes(own))
      if (before >= 0) put(before, members[before]?.filter((other) => other !== own) ?? [])
      const more = groups.map((group) => cost(union(group, own)) - cost(group))
      const best = more.indexOf(Math.min(...more))
      put(best, [...(members[best] ?? []), own])
    }
  const halves = new Uint8Array(2 * DEPTH * HALVES)
  const longest = new Uint8Array(1 << GROUPS)
  for (const [bit, group] of groups.entries()) {
    for (let at = 0; at < halves.length; at++)
      halves[at] = (halves[at] ?? 0) | ((((group.sets[at >> 4] ?? 0) >> (at & 15)) & 1) << bit)
    for (let set = 0; set < longest.length; set++) if ((set >> bit) & 1) longest[set] = Math.max(longest[set] ?? 0, group.longest)
  }
  return { halves, longest }
}

const NOBODY: Group = { sets: Array(2 * DEPTH).fill(0), longest: 0 }

function groupOf(pattern: readonly ByteSet[]): Group {
  const sets: number[] = []
  for (let back = 1; back <= DEPTH; back++) {
    const set = pattern.at(-back)
    let [lower, upper] = [0, 0]
    for (let byte = 0; byte < 256; byte++) {
      // Before the beginning of what is short anything may stand.
      if (set !== undefined && set[byte] !== 1) continue
      lower |= 1 << (byte & 15)
      upper |= 1 << (byte >> 4)
    }
    sets.push(lower, upper)
  }
  return { sets, longest: pattern.length }
}

function union(a: Group, b: Group): Group {
  return { sets: a.sets.map((set, index) => set | (b.sets[index] ?? 0)), longest: Math.max(a.longest, b.longest) }
}

/** Steps of the automaton for each byte of noise. */
function cost({ sets, longest }: Group): number {
  return sets.reduce((chance, set) => (chance * bits(set)) / HALVES, longest)
}

function bits(set: number): number {
  let count = 0
  for (let rest = set; rest !== 0; rest &= rest - 1) count++
  return count
}
