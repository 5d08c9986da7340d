import { generateKeyPair, generateKeyPairSync, KeyObject, sign, verify } from 'node:crypto'
import { isMainThread } from 'node:worker_threads'
import { SIGNED } from '../../schemas/tape.ts'
import { isCanonicalSignature, isSoundKey } from '../../schemas/verify/ed25519.ts'

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')

/** A key on its way between threads. */
export interface HandedKey {
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/**
 * The key of one chunk: signs once and is then dropped, so that whoever takes over the process later cannot re-sign what was
 * recorded before. (JavaScript cannot wipe memory; dropped means no longer reachable.)
 */
export class EpochKey {
  readonly publicKey: Uint8Array
  #privateKey: KeyObject | undefined

  private constructor(publicKey: Uint8Array, privateKey: KeyObject) {
    this.publicKey = publicKey
    this.#privateKey = privateKey
  }

  static async make(): Promise<EpochKey> {
    const { publicKey, privateKey } = isMainThread ? await generate() : generateNow()
    return new EpochKey(Uint8Array.from(publicKey.subarray(SPKI_HEAD.length)), privateKey)
  }

  /** A key another thread has handed over. */
  static taken({ publicKey, privateKey }: HandedKey): EpochKey {
    return new EpochKey(publicKey, privateKey)
  }

  /** Hands the key over to another thread: it is forgotten here. */
  hand(): HandedKey {
    return { publicKey: this.publicKey, privateKey: this.#take() }
  }

  /** Signs `SIGNED[kind] || bytes`. Once. */
  sign(kind: keyof typeof SIGNED, bytes: Uint8Array): Uint8Array {
    return sign(null, signedBytes(kind, bytes), this.#take())
  }

  #take(): KeyObject {
    const key = this.#privateKey
    if (key === undefined) throw new Error('an epoch key signs once')
    this.#privateKey = undefined
    return key
  }
}

export function verifyEpoch(kind: keyof typeof SIGNED, bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (!isSoundKey(publicKey) || !isCanonicalSignature(signature)) return false
  // Not as a KeyObject: each is used once, and what it holds outside the heap would wait for a collection.
  const key = { key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' } as const
  return verify(null, signedBytes(kind, bytes), key, signature)
}

export function signedBytes(kind: keyof typeof SIGNED, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(SIGNED[kind], 'latin1'), bytes])
}

/** Encoding the public key in the same step costs a third of exporting it afterwards. */
function generate(): Promise<{ readonly publicKey: Uint8Array; readonly privateKey: KeyObject }> {
  return new Promise((resolve, reject) => {
    // The types know the encodings of both keys or of neither; the runtime gives a KeyObject where none is named.
    generateKeyPair(
      'ed25519',
      { publicKeyEncoding: { format: 'der', type: 'spki' } },
      (error, publicKey: unknown, privateKey: unknown) => {
        if (error !== null) reject(error)
        else if (publicKey instanceof Uint8Array && privateKey instanceof KeyObject) resolve({ publicKey, privateKey })
        else reject(new TypeError('node:crypto gave other keys than asked for'))
      },
    )
  })
}

/** Beside the event loop: the way through the thread pool costs more than the key. */
function generateNow(): { readonly publicKey: Uint8Array; readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: publicKey.export({ format: 'der', type: 'spki' }), privateKey }
}
