import { createHash, hash } from 'node:crypto'
import { HASH_SIZE, SALT_SIZE } from '../../schemas/tape.ts'

/** Salts that come out of one SHA-512. */
const SALTS_PER_HASH = 4

/** SHA-256, in memory of its own: ends of chains live as long as a session, and from the pool each would keep 8 KiB. */
export function sha256(bytes: Uint8Array): Buffer {
  const digest = Buffer.allocUnsafeSlow(HASH_SIZE)
  digest.write(hash('sha256', bytes, 'binary'), 'latin1')
  return digest
}

/**
 * The salts of one session's frames: salt i is bytes [16 (i mod 4), +16) of SHA-512(key || u64be(i div 4)).
 * Keeps the last hash, as frames come in order.
 */
export class Salts {
  readonly #input: Buffer
  readonly #output = Buffer.alloc(SALTS_PER_HASH * SALT_SIZE)
  #group = -1

  constructor(key: Uint8Array) {
    this.#input = Buffer.alloc(key.length + 8)
    this.#input.set(key)
  }

  /** Writes frame `seq`'s salt into `target` at `at`. */
  write(seq: number, target: Buffer, at: number): void {
    const group = Math.floor(seq / SALTS_PER_HASH)
    if (group !== this.#group) {
      this.#input.writeUInt32BE(Math.floor(group / 0x100000000), this.#input.length - 8)
      this.#input.writeUInt32BE(group % 0x100000000, this.#input.length - 4)
      // As latin1 text and not as a buffer: making a Buffer costs more than the hash.
      this.#output.write(hash('sha512', this.#input, 'binary'), 0, this.#output.length, 'latin1')
      this.#group = group
    }
    const from = (seq % SALTS_PER_HASH) * SALT_SIZE
    this.#output.copy(target, at, from, from + SALT_SIZE)
  }
}

/** Up to this, putting a frame behind its salt costs less than a hash that takes two pieces (2 us more than one). */
const JOINED_SIZE = 16 << 10
const SALTED_AT = 1 + SALT_SIZE

/** One for all: nothing is awaited while it is in use. */
const scratch = Buffer.alloc(SALTED_AT + JOINED_SIZE)
const scratchHead = scratch.subarray(0, SALTED_AT)

/** Hashes frames to leaves: SHA-256(0x00 || salt || frame). */
export class Leaves {
  readonly #salts: Salts

  constructor(saltKey: Uint8Array) {
    this.#salts = new Salts(saltKey)
  }

  /** Writes the leaf of frame `seq`, raw[from, to), into `target` at `at`. */
  write(seq: number, raw: Uint8Array, from: number, to: number, target: Buffer, at: number): void {
    const size = to - from
    const frame = from === 0 && to === raw.length ? raw : raw.subarray(from, to)
    this.#salts.write(seq, scratch, 1)
    let digest: string
    if (size > JOINED_SIZE) digest = createHash('sha256').update(scratchHead).update(frame).digest('binary')
    else {
      scratch.set(frame, SALTED_AT)
      digest = hash('sha256', scratch.subarray(0, SALTED_AT + size), 'binary')
    }
    target.write(digest, at, HASH_SIZE, 'latin1')
  }
}

const node = Buffer.alloc(1 + 2 * HASH_SIZE, 0x01)

/** Root over `count` hashes in `hashes`, as RFC 6962 section 2.1 has it; overwrites them. The root of none is SHA-256 of nothing. */
export function merkleRoot(hashes: Buffer, count: number): Buffer {
  if (count === 0) return sha256(new Uint8Array(0))
  // Level by level; a hash without a sibling goes up as it is, which gives the same tree as RFC 6962's split at a power of two.
  let width = count
  while (width > 1) {
    const pairs = width >> 1
    for (let index = 0; index < pairs; index += 1) {
      hashes.copy(node, 1, index * 2 * HASH_SIZE, (index * 2 + 2) * HASH_SIZE)
      hashes.write(hash('sha256', node, 'binary'), index * HASH_SIZE, HASH_SIZE, 'latin1')
    }
    if (width % 2 === 1) hashes.copy(hashes, pairs * HASH_SIZE, (width - 1) * HASH_SIZE, width * HASH_SIZE)
    width = pairs + (width % 2)
  }
  return Buffer.from(hashes.subarray(0, HASH_SIZE))
}
