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
