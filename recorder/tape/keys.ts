import { createPublicKey, generateKeyPair, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { KEY_SIZE, SIGNED } from '../../schemas/tape.ts'

const generate = promisify(generateKeyPair)

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
    const { publicKey, privateKey } = await generate('ed25519')
    return new EpochKey(publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length), privateKey)
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
