import { hash } from 'node:crypto'
import { EXACT_KEYS } from '../../schemas/api-names.ts'

/** Keys kept: the standard error of an estimate is about 1/sqrt of it. */
const KEPT = EXACT_KEYS
/** Bytes of a hash that are kept, and the number of different values they have. */
const HASH_SIZE = 6
const SPACE = 2 ** (8 * HASH_SIZE)

/**
 * How many different keys there were, without keeping the keys: the least of their hashes (KMV, Bar-Yossef et al. 2002). The hash is
 * keyed, so that nobody who reads the catalog finds keys by trying them. Up to 1,024 keys the count is exact.
 */
export class KeySketch {
  readonly #least: number[]

  constructor(packed?: Uint8Array) {
    this.#least = packed === undefined ? [] : unpacked(packed)
  }

  /** `secret` is the installation's own. */
  add(secret: string, key: string): void {
    // The length in front: no two pairs of secret and key are the same text. Only six bytes leave, so nothing can be appended to it.
    const digest = hash('sha256', `${secret}${key.length}:${key}`, 'hex')
    this.#keep(Number.parseInt(digest.slice(0, 2 * HASH_SIZE), 16))
  }

  /** Whether anything came in. */
  merge(from: KeySketch): boolean {
    const own = this.#least.splice(0)
    const other = from.#least
    let [at, there] = [0, 0]
    let more = false
    while (this.#least.length < KEPT) {
      const [mine, theirs] = [own[at], other[there]]
      const least = Math.min(mine ?? SPACE, theirs ?? SPACE)
      if (least === SPACE) break
      if (mine === least) at += 1
      else more = true
      if (theirs === least) there += 1
      this.#least.push(least)
    }
    return more
  }

  get estimate(): number {
    const { length } = this.#least
    if (length < KEPT) return length
    return Math.round(((KEPT - 1) * SPACE) / ((this.#least[KEPT - 1] ?? 0) + 1))
  }

  /** Six bytes each, least first. */
  pack(): Uint8Array {
    const bytes = Buffer.alloc(this.#least.length * HASH_SIZE)
    for (const [index, value] of this.#least.entries()) bytes.writeUIntBE(value, index * HASH_SIZE, HASH_SIZE)
    return bytes
  }

  /** `pack` in bytea's hex format. */
  sql(): string {
    return `\\x${Buffer.from(this.pack()).toString('hex')}`
  }

  #keep(value: number): void {
    const least = this.#least
    if (least.length === KEPT && value >= (least[KEPT - 1] ?? 0)) return
    let [from, to] = [0, least.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((least[middle] ?? 0) < value) from = middle + 1
      else to = middle
    }
    if (least[from] === value) return
    least.splice(from, 0, value)
    if (least.length > KEPT) least.pop()
  }
}

function unpacked(packed: Uint8Array): number[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  return Array.from({ length: Math.min(KEPT, Math.floor(bytes.length / HASH_SIZE)) }, (_, index) =>
    bytes.readUIntBE(index * HASH_SIZE, HASH_SIZE),
  )
}
