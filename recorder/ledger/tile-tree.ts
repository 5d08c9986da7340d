import { HASH_SIZE } from '../../schemas/tape.ts'
import { ledgerKeys, TILE_WIDTH } from '../../schemas/verify/ledger-line.ts'
import { leafHash } from '../../schemas/verify/tree.ts'
import type { Store } from '../store/store.ts'
import { merkleRoot, sha256 } from '../tape/merkle.ts'

/** A derived object, as it is to be put. */
export interface DerivedObject {
  readonly key: string
  readonly bytes: Uint8Array
  /** It holds nothing beyond a tree of this size. */
  readonly size: number
}

/**
 * The tree over a ledger's lines, growing, as tiles and entry bundles (C2SP tlog-tiles). Full ones wait here until they are taken; of
 * the rest there is at most one partial tile per level.
 */
export class TileTree {
  #size = 0
  /** Per level: full tiles so far, and the hashes of the one being filled. */
  readonly #levels: { full: number; hashes: Buffer[] }[] = []
  #bundle: Buffer[] = []
  #full: DerivedObject[] = []

  get size(): number {
    return this.#size
  }

  /** Of RFC 6962: what a level has not yet handed up stands to the right of all that it has. */
  root(): Uint8Array {
    let right: Buffer | undefined
    for (const { hashes } of this.#levels) {
      const all = right === undefined ? hashes : [...hashes, right]
      if (all.length > 0) right = merkleRoot(Buffer.concat(all), all.length)
    }
    return right ?? sha256(new Uint8Array(0))
  }

  push(line: Uint8Array): void {
    this.#size += 1
    this.#bundle.push(Buffer.from(line))
    if (this.#bundle.length === TILE_WIDTH) {
      this.#full.push({ key: ledgerKeys.entries(this.size / TILE_WIDTH - 1), bytes: bundleOf(this.#bundle), size: this.size })
      this.#bundle = []
    }
    this.#add(0, Buffer.from(leafHash(sha256, line)))
  }

  /** Full tiles and bundles that were not taken yet. */
  get full(): readonly DerivedObject[] {
    return this.#full
  }

  /** They are in the store: up to what a tree of `size` has. */
  stored(size: number): void {
    this.#full = this.#full.filter((one) => one.size > size)
  }

  /** The partial tiles of the present size; with `entries`, the partial bundle as well. */
  partial(entries: boolean): DerivedObject[] {
    const { size } = this
    const tiles = this.#levels.flatMap(({ full, hashes }, level) =>
      hashes.length === 0 ? [] : { key: ledgerKeys.tile(level, full, hashes.length), bytes: Buffer.concat(hashes), size },
    )
    if (!entries || this.#bundle.length === 0) return tiles
    const index = Math.floor(size / TILE_WIDTH)
    return [...tiles, { key: ledgerKeys.entries(index, this.#bundle.length), bytes: bundleOf(this.#bundle), size }]
  }

  /** The hash of a complete subtree: from here, or from the tiles in the store. */
  async node(store: Pick<Store, 'get'>, level: number, index: number): Promise<Uint8Array> {
    const tileLevel = Math.floor(level / 8)
    const span = 2 ** (level % 8)
    const first = index * span
    const tile = Math.floor(first / TILE_WIDTH)
    const at = first % TILE_WIDTH
    const own = this.#levels[tileLevel]
    const hashes = own !== undefined && own.full === tile ? Buffer.concat(own.hashes) : await this.#tile(store, tileLevel, tile)
    const part = Buffer.from(hashes.subarray(at * HASH_SIZE, (at + span) * HASH_SIZE))
    if (part.length !== span * HASH_SIZE)
      throw new RangeError(`the tree of ${this.size} has no complete node ${index} at level ${level}`)
    return merkleRoot(part, span)
  }

  async #tile(store: Pick<Store, 'get'>, level: number, index: number): Promise<Uint8Array> {
    const key = ledgerKeys.tile(level, index)
    return this.#full.find((one) => one.key === key)?.bytes ?? (await store.get(key))
  }

  #add(level: number, hash: Buffer): void {
    const own = this.#levels[level] ?? { full: 0, hashes: [] }
    this.#levels[level] = own
    own.hashes.push(hash)
    if (own.hashes.length < TILE_WIDTH) return
    const bytes = Buffer.concat(own.hashes)
    this.#full.push({ key: ledgerKeys.tile(level, own.full), bytes, size: this.size })
    own.full += 1
    own.hashes = []
    this.#add(level + 1, merkleRoot(Buffer.from(bytes), TILE_WIDTH))
  }
}

/** u16 length and entry, one after the other. */
function bundleOf(entries: readonly Buffer[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const size = Buffer.alloc(2)
      size.writeUInt16BE(entry.length)
      return [size, entry]
    }),
  )
}
