import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js'
import type { CHash, Hash } from '@noble/hashes/utils.js'
import { decompress as zstd } from 'fzstd'
import { hexOf, joinBytes } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { isPlainGzip } from '../../schemas/gzip.ts'
import { type Certificate, type Codec, HASH_SIZE, KEY_SIZE, MAX_CHUNK_RAW_SIZE, SALT_SIZE, SIGNED } from '../../schemas/tape.ts'
import { isCanonicalSignature, isSoundKey } from '../../schemas/verify/ed25519.ts'
import type { GatewayKey, LeafHasher, VerifyTools } from '../../schemas/verify/tools.ts'
import { isPlainZstd } from '../../schemas/zstd-frame.ts'

/** Salts that come out of one SHA-512 (docs/tape-format.md). */
const SALTS_PER_HASH = 4

/**
 * Verification in a browser. Hashes are a library's and not WebCrypto's: that answers by promise, and a million of them cost
 * more than the hashing. Signatures, of which there is one per chunk, are WebCrypto's.
 */
export const webTools = {
  sha256: (bytes) => nobleSha256(bytes),
  crc32,
  decompress,
  gunzip,
  leaves: (saltKey) => new WebLeaves(saltKey),
  merkleRoot,
  verifyEpoch: (kind, bytes, signature, publicKey) => ed25519(publicKey, 'raw', signature, signedBytes(kind, bytes)),
  checkCertificate,
  verifyKey,
} as const satisfies VerifyTools

/** A running SHA-256, for what is read in pieces. */
export function webHasher(): { update(bytes: Uint8Array): void; digest(): Uint8Array } {
  const hash = nobleSha256.create()
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
}

async function decompress(codec: Codec, stored: Uint8Array, rawSize: number): Promise<Uint8Array> {
  if (rawSize > MAX_CHUNK_RAW_SIZE)
    throw new ApplianceError('TAPE_MALFORMED', `a chunk of ${rawSize} bytes, the limit is ${MAX_CHUNK_RAW_SIZE}`)
  let raw: Uint8Array
  try {
    raw = codec === 'store' ? stored : codec === 'zstd' ? unzstd(stored, rawSize) : await gunzip(stored, rawSize)
  } catch (error) {
    throw new ApplianceError('TAPE_MALFORMED', `the chunk cannot be decompressed (${codec})`, { cause: error })
  }
  if (raw.length !== rawSize)
    throw new ApplianceError('TAPE_MALFORMED', `the chunk has ${raw.length} bytes, its header says ${rawSize}`)
  return raw
}

/**
 * fzstd checks neither sizes nor windows, reads without the dictionary that is asked for and goes on with other frames: hence the look before.
 * It writes into what it is given and fails at its end, so no input can make it take more. It also asks, twice, whether what
 * it is given `== 1`: an array answers that by writing itself out as text, megabytes of it, unless it has an answer of its own.
 */
function unzstd(stored: Uint8Array, rawSize: number): Uint8Array {
  if (!isPlainZstd(stored, rawSize)) throw new ApplianceError('TAPE_MALFORMED', 'not one plain zstd frame')
  return zstd(stored, Object.defineProperty(new Uint8Array(rawSize), Symbol.toPrimitive, { value: () => Number.NaN }))
}

async function gunzip(bytes: Uint8Array, maxSize: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new DecompressionStream('gzip'))
    const reader = stream.getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.length
      if (size > maxSize) {
        await reader.cancel()
        throw new ApplianceError('TAPE_MALFORMED', `more than ${maxSize} bytes come out of ${bytes.length}`)
      }
      parts.push(next.value)
    }
  } catch (error) {
    if (error instanceof ApplianceError) throw error
    throw new ApplianceError('TAPE_MALFORMED', 'the index cannot be decompressed', { cause: error })
  }
  // Not every runtime refuses what stands behind the first member.
  if (!isPlainGzip(bytes, size)) throw new ApplianceError('TAPE_MALFORMED', 'not one gzip member')
  return joinBytes(...parts)
}

/** IEEE 802.3, reflected, as in gzip (RFC 1952 section 8). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1
  return crc >>> 0
})

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** One hash after the other by the same hasher: making one, with its buffers, costs a third of hashing a frame. */
class Hasher<T extends Hash<T>> {
  readonly #blank: T
  readonly #used: T

  constructor({ create }: CHash<T>) {
    this.#blank = create()
    this.#used = create()
  }

  /** `target` is as long as the hash. */
  write(bytes: Uint8Array, target: Uint8Array): void {
    this.#blank._cloneInto(this.#used)
    this.#used.update(bytes).digestInto(target)
  }
}

/** Salt i is bytes [16 (i mod 4), +16) of SHA-512(key || u64be(i div 4)); leaf i is SHA-256(0x00 || salt i || frame i). */
class WebLeaves implements LeafHasher {
  readonly #input: Uint8Array
  readonly #sha256 = new Hasher(nobleSha256)
  readonly #sha512 = new Hasher(sha512)
  readonly #salts = new Uint8Array(SALTS_PER_HASH * SALT_SIZE)
  #group = -1
  #scratch = new Uint8Array(4096)

  constructor(saltKey: Uint8Array) {
    this.#input = new Uint8Array(saltKey.length + 8)
    this.#input.set(saltKey)
  }

  write(seq: number, raw: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
    const group = Math.floor(seq / SALTS_PER_HASH)
    if (group !== this.#group) {
      new DataView(this.#input.buffer).setBigUint64(this.#input.length - 8, BigInt(group))
      this.#sha512.write(this.#input, this.#salts)
      this.#group = group
    }
    const size = 1 + SALT_SIZE + to - from
    if (size > this.#scratch.length) this.#scratch = new Uint8Array(size * 2)
    const salt = (seq % SALTS_PER_HASH) * SALT_SIZE
    this.#scratch[0] = 0x00
    this.#scratch.set(this.#salts.subarray(salt, salt + SALT_SIZE), 1)
    this.#scratch.set(raw.subarray(from, to), 1 + SALT_SIZE)
    this.#sha256.write(this.#scratch.subarray(0, size), target.subarray(at, at + HASH_SIZE))
  }
}

/** Level by level; a hash without a sibling goes up as it is, which gives the same tree as RFC 6962's split at a power of two. */
function merkleRoot(hashes: Uint8Array, count: number): Uint8Array {
  if (count === 0) return nobleSha256(new Uint8Array(0))
  const sha256 = new Hasher(nobleSha256)
  const node = new Uint8Array(1 + 2 * HASH_SIZE)
  node[0] = 0x01
  for (let width = count; width > 1; width = (width + 1) >> 1) {
    const pairs = width >> 1
    for (let index = 0; index < pairs; index += 1) {
      node.set(hashes.subarray(index * 2 * HASH_SIZE, (index * 2 + 2) * HASH_SIZE), 1)
      sha256.write(node, hashes.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE))
    }
    if (width % 2 === 1) hashes.copyWithin(pairs * HASH_SIZE, (width - 1) * HASH_SIZE, width * HASH_SIZE)
  }
  return hashes.slice(0, HASH_SIZE)
}

function signedBytes(kind: keyof typeof SIGNED, bytes: Uint8Array): Uint8Array {
  return joinBytes(new TextEncoder().encode(SIGNED[kind]), bytes)
}

async function ed25519(key: Uint8Array, format: 'raw' | 'spki', signature: Uint8Array, bytes: Uint8Array): Promise<boolean> {
  if (!isSoundKey(key.subarray(-KEY_SIZE)) || !isCanonicalSignature(signature)) return false
  try {
    const imported = await crypto.subtle.importKey(format, owned(key), 'Ed25519', false, ['verify'])
    return await crypto.subtle.verify('Ed25519', imported, owned(signature), owned(bytes))
  } catch (error) {
    // Not a key at all: nothing it could have signed. A browser without Ed25519 must not pass for a bad signature.
    if (error instanceof DOMException && error.name === 'NotSupportedError')
      throw new Error('This browser cannot verify Ed25519 signatures; a newer one can, and so can `sallyport verify`.', {
        cause: error,
      })
    return false
  }
}

async function checkCertificate(
  certificate: Certificate,
  kind: keyof typeof SIGNED,
  statement: Uint8Array,
  trusted: readonly GatewayKey[],
): Promise<boolean | 'unknown'> {
  const key = trusted.find(
    (one) => one.gateway === certificate.gateway && hexOf(nobleSha256(one.publicKey)).slice(0, 16) === certificate.keyId,
  )
  if (key === undefined) return 'unknown'
  return verifyKey(key.publicKey, certificate.algorithm, signedBytes(kind, statement), certificate.signature)
}

async function verifyKey(publicKey: Uint8Array, algorithm: string, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (algorithm === 'Ed25519') return ed25519(publicKey, 'spki', signature, bytes)
  if (algorithm !== 'ES256') return false
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  try {
    const imported = await crypto.subtle.importKey('spki', owned(publicKey), curve, false, ['verify'])
    return await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, imported, owned(signature), owned(bytes))
  } catch {
    return false
  }
}

/** WebCrypto takes no view that might be of shared memory. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}
