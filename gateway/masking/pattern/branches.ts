import { type ByteSet, byteSet } from '../bytes.ts'
import type { Node } from './syntax.ts'

/** One alternative of a pattern: what it is made of, and whether a word has to begin or end there. */
export interface Branch {
  readonly items: readonly Node[]
  readonly boundary: { readonly start: boolean; readonly end: boolean }
}

/** A stretch of bytes every value has: where it is met, the pattern is tried. */
export interface Window {
  readonly sets: readonly ByteSet[]
  readonly before: readonly Node[]
  /** The window itself, and what follows it. */
  readonly rest: readonly Node[]
  /** How often ordinary text has it, per byte. */
  readonly rate: number
}

const MAX_BRANCHES = 32
const MAX_WINDOW_SIZE = 8

/** The alternatives at the beginning of a pattern, each by itself. */
export function branchesOf(pattern: Node): readonly Branch[] {
  let lists = spread([pattern])
  for (let at = 0; at < lists.length; ) {
    const list = lists[at] ?? []
    const first = list.findIndex(({ type }) => type !== 'boundary')
    const node = list[first]
    if (node === undefined || (node.type !== 'alt' && node.type !== 'seq')) {
      at++
      continue
    }
    const opened = spread([node]).map((items) => [...list.slice(0, first), ...items, ...list.slice(first + 1)])
    // Alternatives at the beginning are told apart by their windows, where there are few.
    if (lists.length + opened.length > MAX_BRANCHES) at++
    else lists = lists.toSpliced(at, 1, ...opened)
  }
  return lists.map((list) => {
    const items = list.flatMap(flat)
    const start = items[0]?.type === 'boundary'
    const end = items.length > 1 && items.at(-1)?.type === 'boundary'
    return { items: items.slice(start ? 1 : 0, end ? -1 : undefined), boundary: { start, end } }
  })
}

function spread(items: readonly Node[]): (readonly Node[])[] {
  const [only] = items
  if (items.length !== 1 || only === undefined) return [items]
  if (only.type === 'alt') return only.items.flatMap((item) => spread([item]))
  return only.type === 'seq' ? [only.items] : [items]
}

function flat(node: Node): readonly Node[] {
  return node.type === 'seq' ? node.items.flatMap(flat) : [node]
}

/** The window of a branch that ordinary text has least often, of those near enough to its beginning; undefined where no byte there is certain. */
export function windowOf({ items }: Branch, maxBeforeSize: number): Window | undefined {
  const units = items.flatMap(unitsOf)
  let best: Window | undefined
  for (let from = 0; from < units.length && sizeOf(units.slice(0, from))[1] <= maxBeforeSize; from++) {
    const sets: ByteSet[] = []
    for (const unit of units.slice(from, from + MAX_WINDOW_SIZE)) {
      if (unit.type !== 'set') break
      sets.push(unit.set)
    }
    if (sets.length === 0) continue
    const rate = sets.reduce((product, set) => product * shareOf(set), 1)
    if (best === undefined || rate < best.rate) best = { sets, before: units.slice(0, from), rest: units.slice(from), rate }
  }
  return best
}

/** What is repeated has its certain bytes first, and behind them those it may have. */
function unitsOf(node: Node): readonly Node[] {
  if (node.type !== 'repeat') return [node]
  const { item, min, max } = node
  const certain = Array.from({ length: min }, () => flat(item)).flat()
  return max === min
    ? certain
    : [...certain, { type: 'repeat', item, min: 0, max: max === Number.POSITIVE_INFINITY ? max : max - min }]
}

/** Of ordinary text: prose, code, logs, tables of data. A guess good to a factor of two is enough. */
const SHARES: readonly (readonly [ByteSet, number])[] = [
  [byteSet('a-z'), 0.55],
  [byteSet('0-9'), 0.14],
  [byteSet('A-Z'), 0.07],
  [byteSet(' '), 0.1],
  [byteSet('\t\n\r'), 0.03],
  [byteSet('!-/:-@[-`{-~'), 0.09],
]
const share = Float64Array.from({ length: 256 }, (_, byte) => {
  const [set, part] = SHARES.find(([members]) => members[byte] === 1) ?? [new Uint8Array(256).fill(1), 0.02]
  return part / set.reduce((count, member) => count + member, 0)
})

function shareOf(set: ByteSet): number {
  return set.reduce((sum, member, byte) => (member === 1 ? sum + (share[byte] ?? 0) : sum), 0)
}

/** Bytes of the shortest and of the longest text the nodes match. */
export function sizeOf(nodes: readonly Node[]): readonly [min: number, max: number] {
  return nodes.map(sizeOfNode).reduce(([min, max], [least, most]) => [min + least, max + most], [0, 0] as const)
}

function sizeOfNode(node: Node): readonly [min: number, max: number] {
  switch (node.type) {
    case 'set':
      return [1, 1]
    case 'boundary':
      return [0, 0]
    case 'seq':
      return sizeOf(node.items)
    case 'alt': {
      const sizes = node.items.map(sizeOfNode)
      return [Math.min(...sizes.map(([min]) => min)), Math.max(...sizes.map(([, max]) => max))]
    }
    case 'repeat': {
      const [min, max] = sizeOfNode(node.item)
      return [min * node.min, max === 0 ? 0 : max * node.max]
    }
    default:
      return node satisfies never
  }
}

/** How many different texts the nodes match, as a power of two: the bits somebody has to guess. */
export function bitsOf(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + bitsOfNode(node), 0)
}

function bitsOfNode(node: Node): number {
  switch (node.type) {
    case 'set':
      return Math.log2(
        Math.max(
          1,
          node.set.reduce((count, member) => count + member, 0),
        ),
      )
    case 'boundary':
      return 0
    case 'seq':
      return bitsOf(node.items)
    case 'alt': {
      const bits = node.items.map(bitsOfNode)
      return Math.max(...bits) + Math.log2(Math.max(1, bits.length))
    }
    case 'repeat': {
      const bits = bitsOfNode(node.item)
      return bits === 0 ? 0 : bits * node.max
    }
    default:
      return node satisfies never
  }
}

/** Whether some value may have a byte of the set. */
export function mayHold(nodes: readonly Node[], wanted: ByteSet): boolean {
  return nodes.some((node) => {
    if (node.type === 'set') return node.set.some((member, byte) => member === 1 && wanted[byte] === 1)
    if (node.type === 'boundary') return false
    return mayHold(node.type === 'repeat' ? [node.item] : node.items, wanted)
  })
}

/** Whether a set in it is empty, so that it never matches. */
export function isImpossible(node: Node): boolean {
  switch (node.type) {
    case 'set':
      return !node.set.includes(1)
    case 'boundary':
      return false
    case 'seq':
      return node.items.some(isImpossible)
    case 'alt':
      return node.items.every(isImpossible)
    case 'repeat':
      return node.min > 0 && isImpossible(node.item)
    default:
      return node satisfies never
  }
}
