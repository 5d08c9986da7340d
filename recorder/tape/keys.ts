import { createPublicKey, generateKeyPair, KeyObject, sign, verify } from 'node:crypto'
import { KEY_SIZE, SIGNED } from '../../schemas/tape.ts'

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')

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
    const { publicKey, privateKey } = await generate()
    return new EpochKey(publicKey.subarray(SPKI_HEAD.length), privateKey)
  }

  /** Signs `SIGNED[kind] || bytes`. Once. */
  sign(kind: keyof typeof SIGNED, bytes: Uint8Array): Uint8Array {
    const key = this.#privateKey
    if (key === undefined) throw new Error('an epoch key signs once')
    this.#privateKey = undefined
    return sign(null, signedBytes(kind, bytes), key)
  }
}

export function verifyEpoch(kind: keyof typeof SIGNED, bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEY_SIZE) return false
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' })
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
