import { ApplianceError } from '../errors.ts'
import type { Certificate, Codec, SIGNED } from '../tape.ts'

/** What reads objects: a store, or the API's tape objects. */
export interface ObjectSource {
  /** Bytes [from, to) or as many of them as there are. Rejects STORE_MISSING where there is no such object. */
  get(key: string, range?: { readonly from: number; readonly to: number }, signal?: AbortSignal): Promise<Uint8Array>
  /** Keys that begin with `prefix`, sorted by code unit. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<string>
  /** Size in bytes. Rejects STORE_MISSING. */
  size(key: string, signal?: AbortSignal): Promise<number>
  /** Bytes worth reading at once; default 1 MiB. */
  readonly windowSize?: number
}

/** It is there, or may be, and cannot be read: nothing can be concluded from what it does not say. */
export function isUnreadable(error: unknown): error is ApplianceError {
  return error instanceof ApplianceError && (error.code === 'STORE_FAILED' || error.code === 'STORE_DENIED')
}

/** Hashes frames to leaves: SHA-256(0x00 || salt || frame). */
export interface LeafHasher {
  /** Writes the leaf of frame `seq`, raw[from, to), into `target` at `at`. */
  write(seq: number, raw: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void
}

/** A gateway key somebody decided to trust. */
export interface GatewayKey {
  readonly gateway: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

/**
 * What verification takes from where it runs: node:crypto and node:zlib in the recorder, WebCrypto and libraries in the page.
 * Everything else about it stands in this folder once, so that the page and the command line cannot come to different verdicts.
 */
export interface VerifyTools {
  sha256(bytes: Uint8Array): Uint8Array
  crc32(bytes: Uint8Array): number
  /** Exactly `rawSize` bytes, or TAPE_MALFORMED; never more memory than that, whatever the input claims. */
  decompress(codec: Codec, stored: Uint8Array, rawSize: number): Uint8Array | Promise<Uint8Array>
  /** At most `maxSize` bytes, or TAPE_MALFORMED. */
  gunzip(bytes: Uint8Array, maxSize: number): Uint8Array | Promise<Uint8Array>
  leaves(saltKey: Uint8Array): LeafHasher
  /** RFC 6962 root over `count` leaf hashes; may overwrite them. */
  merkleRoot(hashes: Uint8Array, count: number): Uint8Array
  /** Whether the raw Ed25519 key has signed `SIGNED[kind] || bytes`. */
  verifyEpoch(
    kind: keyof typeof SIGNED,
    bytes: Uint8Array,
    signature: Uint8Array,
    publicKey: Uint8Array,
  ): boolean | Promise<boolean>
  /** `unknown`: none of the trusted keys is the one named; nothing can be said. `false`: the signature is wrong. */
  checkCertificate(
    certificate: Certificate,
    kind: keyof typeof SIGNED,
    statement: Uint8Array,
    trusted: readonly GatewayKey[],
  ): boolean | 'unknown' | Promise<boolean | 'unknown'>
  /** Whether the key (SPKI, DER) has signed the bytes as they are; `algorithm` is `Ed25519`, or `ES256` with r || s. False for anything that is no such key. */
  verifyKey(publicKey: Uint8Array, algorithm: string, bytes: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>
}
