import { createHmac } from 'node:crypto'
import { byteAt } from './bytes.ts'

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012), 64-bit output, in 32-bit arithmetic: a keyed hash short enough to run once
 * per masked value. `hash` leaves its result in `high` and `low`, so that nothing is allocated.
 */
export class SipHash {
  /** Upper and lower 32 bits of the last hash, unsigned. */
  high = 0
  low = 0
  readonly #k0l: number
  readonly #k0h: number
  readonly #k1l: number
  readonly #k1h: number

  /** `key`: 16 bytes, little endian as in the paper. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`a SipHash key has 16 bytes, not ${key.length}`)
    const view = new DataView(key.buffer, key.byteOffset, 16)
    this.#k0l = view.getInt32(0, true)
    this.#k0h = view.getInt32(4, true)
    this.#k1l = view.getInt32(8, true)
    this.#k1h = view.getInt32(12, true)
  }

  /** A hash whose key belongs to one purpose only. */
  static forDomain(key: Uint8Array, domain: string): SipHash {
    return new SipHash(domainKey(key, domain))
  }

  /** Hashes source[from,to). */
  hash(source: Uint8Array, from: number, to: number): void {
    let v0l = this.#k0l ^ 0x70736575
    let v0h = this.#k0h ^ 0x736f6d65
    let v1l = this.#k1l ^ 0x6e646f6d
    let v1h = this.#k1h ^ 0x646f7261
    let v2l = this.#k0l ^ 0x6e657261
    let v2h = this.#k0h ^ 0x6c796765
    let v3l = this.#k1l ^ 0x79746573
    let v3h = this.#k1h ^ 0x74656462

    const size = to - from
    const blocks = (size >>> 3) + 1
    let at = from
    // A carry is a comparison made a number: written with ?: it would be a branch that nobody can predict.
    // The message blocks, the last one padded with the length, then four rounds to finish.
    for (let block = 0; block <= blocks; block++) {
      let ml = 0
      let mh = 0
      let rounds = 2
      if (block < blocks - 1) {
        ml = byteAt(source, at) | (byteAt(source, at + 1) << 8) | (byteAt(source, at + 2) << 16) | (byteAt(source, at + 3) << 24)
        mh =
          byteAt(source, at + 4) | (byteAt(source, at + 5) << 8) | (byteAt(source, at + 6) << 16) | (byteAt(source, at + 7) << 24)
        at += 8
      } else if (block === blocks - 1) {
        for (let i = 0; at + i < to; i++) {
          if (i < 4) ml |= byteAt(source, at + i) << (8 * i)
          else mh |= byteAt(source, at + i) << (8 * (i - 4))
        }
        mh |= (size & 0xff) << 24
      } else {
        v2l ^= 0xff
        rounds = 4
      }
      v3l ^= ml
      v3h ^= mh
      for (let round = 0; round < rounds; round++) {
        let sum = (v0l + v1l) | 0
        v0h = (v0h + v1h + Number(sum >>> 0 < v0l >>> 0)) | 0
        v0l = sum
        let swap = v1l
        v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l
        v1h = ((v1h << 13) | (swap >>> 19)) ^ v0h
        swap = v0l
        v0l = v0h
        v0h = swap

        sum = (v2l + v3l) | 0
        v2h = (v2h + v3h + Number(sum >>> 0 < v2l >>> 0)) | 0
        v2l = sum
        swap = v3l
        v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l
        v3h = ((v3h << 16) | (swap >>> 16)) ^ v2h

        sum = (v0l + v3l) | 0
        v0h = (v0h + v3h + Number(sum >>> 0 < v0l >>> 0)) | 0
        v0l = sum
        swap = v3l
        v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l
        v3h = ((v3h << 21) | (swap >>> 11)) ^ v0h

        sum = (v2l + v1l) | 0
        v2h = (v2h + v1h + Number(sum >>> 0 < v2l >>> 0)) | 0
        v2l = sum
        swap = v1l
        v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l
        v1h = ((v1h << 17) | (swap >>> 15)) ^ v2h
        swap = v2l
        v2l = v2h
        v2h = swap
      }
      v0l ^= ml
      v0h ^= mh
    }
    this.low = (v0l ^ v1l ^ v2l ^ v3l) >>> 0
    this.high = (v0h ^ v1h ^ v2h ^ v3h) >>> 0
  }
}

/** The key of a hash that belongs to one purpose only. */
export function domainKey(key: Uint8Array, domain: string): Uint8Array {
  return createHmac('sha256', key).update(domain).digest().subarray(0, 16)
}

/** Of the hash that stands in mask spans: the same for every entity, session and rule, so that a value can be looked for. */
export const FINGERPRINT_DOMAIN = 'sallyport fingerprint v1'

/** The 8 bytes a span carries for `value`: what an investigator searches by. */
export function fingerprintOf(fingerprintKey: Uint8Array, value: Uint8Array): Uint8Array {
  const hash = SipHash.forDomain(fingerprintKey, FINGERPRINT_DOMAIN)
  hash.hash(value, 0, value.length)
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, hash.high)
  view.setUint32(4, hash.low)
  return bytes
}
