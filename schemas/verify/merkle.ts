import { joinBytes } from '../bytes.ts'

type Hash = (bytes: Uint8Array) => Uint8Array

const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)

/** The RFC 6962 root of a growing list, in memory logarithmic in its length. */
export class MerkleStack {
  readonly #sha256: Hash
  /** Roots of complete subtrees, largest first, with their levels. */
  readonly #roots: { readonly level: number; readonly hash: Uint8Array }[] = []
  #count = 0

  constructor(sha256: Hash) {
    this.#sha256 = sha256
  }

  /** A stack that goes on behind `count` leaves, whose complete subtrees have these roots, the largest first; undefined where they are not as many. */
  static behind(sha256: Hash, count: number, roots: readonly Uint8Array[]): MerkleStack | undefined {
    const stack = new MerkleStack(sha256)
    const levels = levelsOf(count)
    if (levels.length !== roots.length) return undefined
    for (const [index, level] of levels.entries()) stack.#roots.push({ level, hash: roots[index] ?? new Uint8Array(0) })
    stack.#count = count
    return stack
  }

  /** Roots of the complete subtrees so far, the largest first. */
  get roots(): readonly Uint8Array[] {
    return this.#roots.map(({ hash }) => hash)
  }

  get count(): number {
    return this.#count
  }

  /** Appends SHA-256(0x00 || data) as the next leaf. */
  push(data: Uint8Array): void {
    let merged = { level: 0, hash: this.#sha256(joinBytes(LEAF, data)) }
    for (let last = this.#roots.at(-1); last !== undefined && last.level === merged.level; last = this.#roots.at(-1)) {
      this.#roots.pop()
      merged = { level: merged.level + 1, hash: this.#parent(last.hash, merged.hash) }
    }
    this.#roots.push(merged)
    this.#count += 1
  }

  root(): Uint8Array {
    const last = this.#roots.at(-1)
    if (last === undefined) return this.#sha256(new Uint8Array(0))
    return this.#roots.slice(0, -1).reduceRight((right, left) => this.#parent(left.hash, right), last.hash)
  }

  #parent(left: Uint8Array, right: Uint8Array): Uint8Array {
    return this.#sha256(joinBytes(NODE, left, right))
  }
}

/** Levels of the complete subtrees of a tree of `count` leaves, the highest first: the bits of the number. */
function levelsOf(count: number): number[] {
  return [...count.toString(2)].flatMap((bit, at, bits) => (bit === '1' ? [bits.length - 1 - at] : []))
}

/** The hashes beside the way from leaf `index` of `count` up to the root (RFC 6962 section 2.1.1). `hashes` are `count` of 32 bytes; kept. */
export function pathTo(sha256: Hash, hashes: Uint8Array, count: number, index: number): Uint8Array[] {
  let level = Array.from({ length: count }, (_, at) => hashes.subarray(at * 32, at * 32 + 32))
  const path: Uint8Array[] = []
  for (let at = index; level.length > 1; at >>= 1) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) path.push(sibling)
    level = level.flatMap((hash, place) => {
      if (place % 2 === 1) return []
      const right = level[place + 1]
      return [right === undefined ? hash : sha256(joinBytes(NODE, hash, right))]
    })
  }
  return path
}
