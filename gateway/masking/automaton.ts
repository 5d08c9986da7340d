import { type ByteSet, byteAt, byteSet, foldCase } from './bytes.ts'
import { buildPrefilter, type Prefilter } from './prefilter.ts'

/**
 * One table-driven pass over raw bytes that finds where any of many short patterns ends.
 * States are premultiplied by the number of byte classes; those that accept have the highest numbers, so the scanning
 * loop is one addition, two loads and one comparison per byte, whatever the number of patterns.
 */
export interface Automaton {
  /** Byte value to byte class. */
  readonly classes: Uint8Array
  /** Of 16 bits per entry where the states allow it, for the cache's sake. */
  readonly table: Uint16Array | Uint32Array
  /** As after a byte that is no letter, digit or underscore: where a field begins. */
  readonly start: number
  /** States from here on accept. */
  readonly acceptFrom: number
  readonly classCount: number
  /** What an accepting state found: pattern owners in the order given, by (state - acceptFrom) / classCount. */
  readonly accepts: readonly (readonly number[])[]
  /** Bytes of the longest pattern: after so many the state is the same, whatever it was before. */
  readonly longest: number
  readonly prefilter: Prefilter
}

export interface Pattern {
  /** Sets of bytes, or in writing: characters stand for themselves; `\d` digit, `\D` no digit, `\w` word, `\W` no word, `[a-z_]` set. */
  readonly text: string | readonly ByteSet[]
  readonly ignoreCase?: boolean
  /** Reported when it matches. */
  readonly owner: number
}

/** A table past this no longer stays in the second-level cache, and building it delays the start. */
const MAX_TABLE_SIZE = 262_144

export function buildAutomaton(patterns: readonly Pattern[]): Automaton {
  // Positions of all patterns in one row: `sets[p]` must hold the next byte; `owners[p]` >= 0 where that byte completes it.
  const sets: ByteSet[] = []
  const owners: number[] = []
  const starts: number[] = []
  const allParsed = patterns.map(parsePattern)
  const longest = Math.max(0, ...allParsed.map(({ length }) => length))
  for (const [number, pattern] of patterns.entries()) {
    const parsed = allParsed[number] ?? []
    starts.push(sets.length)
    parsed.forEach((set, index) => {
      sets.push(set)
      owners.push(index === parsed.length - 1 ? pattern.owner : -1)
    })
  }

  const { classes, members } = classify(sets)
  const classCount = members.length
  const startsByClass = members.map((byte) => starts.filter((position) => byteAt(sets[position] as ByteSet, byte) === 1))

  // Subset construction: a state is the set of positions that wait for their byte, and what was completed on the way in.
  const states: State[] = []
  const known = new Map<string, number>()
  const stateOf = (positions: number[], found: number[]): number => {
    const key = `${positions.join()}|${found.join()}`
    const existing = known.get(key)
    if (existing !== undefined) return existing
    known.set(key, states.length)
    states.push({ positions, found, next: [] })
    return states.length - 1
  }
  stateOf([], [])
  for (let at = 0; at < states.length; at++) {
    const state = states[at] as State // at < states.length
    for (let cls = 0; cls < classCount; cls++) {
      const byte = members[cls] as number // one member per class
      const positions: number[] = []
      const found: number[] = []
      const advance = (position: number): void => {
        const owner = owners[position] as number // positions index the rows above
        if (owner >= 0) found.push(owner)
        else positions.push(position + 1)
      }
      for (const position of state.positions) if (byteAt(sets[position] as ByteSet, byte) === 1) advance(position)
      for (const position of startsByClass[cls] ?? []) advance(position)
      positions.sort((a, b) => a - b)
      state.next.push(
        stateOf(
          positions,
          [...new Set(found)].sort((a, b) => a - b),
        ),
      )
    }
    if (states.length * classCount > MAX_TABLE_SIZE) {
      throw new RangeError(
        `the trigger patterns need more than ${MAX_TABLE_SIZE} table entries; shorten or anchor the last one added`,
      )
    }
  }

  const order = [...states.keys()].sort((a, b) => Number(isAccepting(states, a)) - Number(isAccepting(states, b)) || a - b)
  const rank = new Uint16Array(states.length)
  order.forEach((state, index) => {
    rank[state] = index
  })
  const size = states.length * classCount
  const table = size <= 0x10000 ? new Uint16Array(size) : new Uint32Array(size)
  order.forEach((state, index) => {
    ;(states[state] as State).next.forEach((next, cls) => {
      table[index * classCount + cls] = (rank[next] as number) * classCount
    })
  })
  const accepting = order.filter((state) => isAccepting(states, state))
  return {
    classes,
    table,
    classCount,
    start: table[(rank[0] as number) * classCount + byteAt(classes, 0x0a)] as number,
    acceptFrom: (states.length - accepting.length) * classCount,
    accepts: accepting.map((state) => (states[state] as State).found),
    longest,
    prefilter: buildPrefilter(allParsed),
  }
}

interface State {
  readonly positions: readonly number[]
  readonly found: readonly number[]
  readonly next: number[]
}

function isAccepting(states: readonly State[], index: number): boolean {
  return (states[index]?.found.length ?? 0) > 0
}

/** Bytes that no pattern tells apart share a class. `members[c]` is one byte of class c. */
function classify(sets: readonly ByteSet[]): { classes: Uint8Array; members: number[] } {
  const distinct = [...new Map(sets.map((set) => [set.join(''), set])).values()]
  const classes = new Uint8Array(256)
  const members: number[] = []
  const bySignature = new Map<string, number>()
  for (let byte = 0; byte < 256; byte++) {
    const signature = distinct.map((set) => set[byte]).join('')
    let cls = bySignature.get(signature)
    if (cls === undefined) {
      cls = members.length
      bySignature.set(signature, cls)
      members.push(byte)
    }
    classes[byte] = cls
  }
  return { classes, members }
}

const ESCAPES: Readonly<Record<string, ByteSet>> = {
  d: byteSet('0-9'),
  D: complement(byteSet('0-9')),
  w: byteSet('A-Za-z0-9_'),
  W: complement(byteSet('A-Za-z0-9_')),
}

function parsePattern(pattern: Pattern): readonly ByteSet[] {
  const { text } = pattern
  if (typeof text !== 'string') return text
  const sets: ByteSet[] = []
  for (let i = 0; i < text.length; i++) {
    const escaped = text[i] === '\\' ? ESCAPES[text[i + 1] ?? ''] : undefined
    let set: ByteSet
    if (escaped !== undefined) {
      set = escaped
      i++
    } else if (text[i] === '[') {
      const end = text.indexOf(']', i)
      set = byteSet(text.slice(i + 1, end))
      i = end
    } else {
      set = new Uint8Array(256)
      set[text.charCodeAt(i)] = 1
    }
    sets.push(pattern.ignoreCase ? foldCase(set) : set)
  }
  return sets
}

function complement(set: ByteSet): ByteSet {
  return set.map((member) => 1 - member)
}
