import type { ByteSet } from '../bytes.ts'
import type { Node } from './syntax.ts'

/** What a pattern is written out to: each position costs the building of the table, not the reading. */
const MAX_POSITIONS = 1_000
/** More states come of patterns whose parts cannot be told apart; the table would leave the cache. */
const MAX_STATES = 2_000

const DEAD = 0
const START = 1

/** A table that reads bytes from one place on, with one load each: a deterministic automaton, anchored where it begins. */
export interface Machine {
  readonly classes: Uint8Array
  readonly classCount: number
  /** By state and class: the next state. */
  readonly table: Uint16Array
  readonly accepts: Uint8Array
}

/** Positions are numbered sets; a pattern is what may come first, what may come last, what may follow what, and whether nothing will do. */
interface Part {
  readonly nullable: boolean
  readonly first: readonly number[]
  readonly last: readonly number[]
}

/**
 * The machine of a sequence (Glushkov's construction, then subsets). `backwards`: of its mirror image, to be run from the end.
 * Throws SyntaxError where it would be too large.
 */
export function machineOf(items: readonly Node[], backwards = false): Machine {
  const sets: ByteSet[] = []
  const follow: Set<number>[] = []
  const link = (from: readonly number[], to: readonly number[]): void => {
    for (const position of from) for (const next of to) follow[position]?.add(next)
  }
  const inSequence = (parts: Iterable<Part>): Part => {
    let whole: Part = { nullable: true, first: [], last: [] }
    for (const part of parts) {
      link(whole.last, part.first)
      whole = {
        nullable: whole.nullable && part.nullable,
        first: whole.nullable ? [...whole.first, ...part.first] : whole.first,
        last: part.nullable ? [...whole.last, ...part.last] : part.last,
      }
    }
    return whole
  }
  const build = (node: Node): Part => {
    switch (node.type) {
      case 'set': {
        if (sets.length >= MAX_POSITIONS)
          throw new SyntaxError(`the pattern is too large: more than ${MAX_POSITIONS} characters written out`)
        const position = sets.push(node.set) - 1
        follow.push(new Set())
        return { nullable: false, first: [position], last: [position] }
      }
      case 'boundary':
        throw new SyntaxError('\\b stands at the beginning or at the end of a pattern only')
      case 'seq':
        return inSequence((backwards ? node.items.toReversed() : node.items).map(build))
      case 'alt': {
        const parts = node.items.map(build)
        return {
          nullable: parts.some(({ nullable }) => nullable),
          first: parts.flatMap(({ first }) => first),
          last: parts.flatMap(({ last }) => last),
        }
      }
      case 'repeat': {
        const optional = (): Part => ({ ...build(node.item), nullable: true })
        const must = Array.from({ length: node.min }, () => build(node.item))
        if (node.max !== Number.POSITIVE_INFINITY)
          return inSequence([...must, ...Array.from({ length: node.max - node.min }, optional)])
        const again = optional()
        link(again.last, again.first)
        return inSequence([...must, again])
      }
      default:
        return node satisfies never
    }
  }
  return tableOf(inSequence((backwards ? items.toReversed() : items).map(build)), sets, follow)
}

function tableOf(whole: Part, sets: readonly ByteSet[], follow: readonly ReadonlySet<number>[]): Machine {
  const { classes, members } = classesOf(sets)
  const last = new Set(whole.last)
  // A state is the set of positions whose byte was read last; the first two are dead, and nothing read.
  const states: (readonly number[])[] = [[], []]
  const known = new Map<string, number>()
  const rows: number[][] = []
  for (let at = 0; at < states.length; at++) {
    const reachable = at === START ? whole.first : [...new Set(states[at]?.flatMap((position) => [...(follow[position] ?? [])]))]
    rows.push(
      members.map((byte) => {
        const next = reachable.filter((position) => sets[position]?.[byte] === 1).sort((a, b) => a - b)
        if (next.length === 0) return DEAD
        const key = next.join()
        const state = known.get(key) ?? states.push(next) - 1
        known.set(key, state)
        if (states.length > MAX_STATES)
          throw new SyntaxError('the pattern is too ambiguous: its repeats overlap in too many ways')
        return state
      }),
    )
  }
  return {
    classes,
    classCount: members.length,
    table: Uint16Array.from(rows.flat()),
    accepts: Uint8Array.from(states, (positions, at) =>
      Number(at === START ? whole.nullable : positions.some((position) => last.has(position))),
    ),
  }
}

/** Bytes that no set tells apart share a class; `members` has one byte of each. */
function classesOf(sets: readonly ByteSet[]): { classes: Uint8Array; members: number[] } {
  const distinct = [...new Map(sets.map((set) => [set.join(''), set])).values()]
  const classes = new Uint8Array(256)
  const members: number[] = []
  const known = new Map<string, number>()
  for (let byte = 0; byte < 256; byte++) {
    const signature = distinct.map((set) => set[byte]).join('')
    const cls = known.get(signature) ?? members.push(byte) - 1
    known.set(signature, cls)
    classes[byte] = cls
  }
  return { classes, members }
}

/** Where a run of the machine was: one for all, as nothing is awaited in between. */
export const reached = { index: 0, accepting: false }

/**
 * The furthest index at which the machine accepts, from `index` on towards `limit`; -1 where it accepts nowhere. Backwards it reads
 * the bytes before `index`. `fits` has a last word about each end. `reached` tells where it stopped.
 */
export function furthest(
  machine: Machine,
  bytes: Uint8Array,
  index: number,
  limit: number,
  fits: (index: number) => boolean,
): number {
  const { classes, classCount, table, accepts } = machine
  const step = limit < index ? -1 : 1
  let state = START
  let end = accepts[state] === 1 && fits(index) ? index : -1
  let at = index
  while (at !== limit) {
    const byte = bytes[step > 0 ? at : at - 1] as number // between index and limit
    state = table[state * classCount + (classes[byte] as number)] as number // a row for every state, a class for every byte
    if (state === DEAD) break
    at += step
    if (accepts[state] === 1 && fits(at)) end = at
  }
  reached.index = at
  reached.accepting = state !== DEAD && accepts[state] === 1
  return end
}
