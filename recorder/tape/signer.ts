import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Certificate, SIGNED } from '../../schemas/tape.ts'
import { isCanonicalSignature, isSoundKey } from '../../schemas/verify/ed25519.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { signedBytes } from './keys.ts'
import { sha256 } from './merkle.ts'

/** How a gateway signs the statements it answers for. The private key may be a file or stay in a vault. */
export interface GatewaySigner {
  /** The name that stands in certificates; workers of one gateway share it. */
  readonly gateway: string
  readonly algorithm: 'Ed25519' | 'ES256'
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /** Signs the bytes as they are. Rejects RECORDER_FAILED when the key cannot be reached. */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

export function keyIdOf(publicKey: Uint8Array): string {
  const known = keyIds.get(publicKey)
  if (known !== undefined) return known
  const id = sha256(publicKey).toString('hex').slice(0, 16)
  keyIds.set(publicKey, id)
  return id
}

const keyIds = new WeakMap<Uint8Array, string>()

export async function certify(signer: GatewaySigner, kind: keyof typeof SIGNED, statement: Uint8Array): Promise<Certificate> {
  return {
    gateway: signer.gateway,
    algorithm: signer.algorithm,
    keyId: keyIdOf(signer.publicKey),
    signature: await signer.sign(signedBytes(kind, statement)),
  }
}

/** `unknown`: none of the trusted keys is the one named; nothing can be said. `false`: the signature is wrong. */
export function checkCertificate(
  certificate: Certificate,
  kind: keyof typeof SIGNED,
  statement: Uint8Array,
  trusted: readonly GatewayKey[],
): boolean | 'unknown' {
  const key = trusted.find((one) => one.gateway === certificate.gateway && keyIdOf(one.publicKey) === certificate.keyId)
  if (key === undefined) return 'unknown'
  return verifyKey(key.publicKey, certificate.algorithm, signedBytes(kind, statement), certificate.signature)
}

/** Whether the key (SPKI, DER) has signed the bytes as they are. */
export function verifyKey(publicKey: Uint8Array, algorithm: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const key = publicKeyOf(publicKey)
  switch (algorithm) {
    case 'Ed25519': {
      const sound = key.asymmetricKeyType === 'ed25519' && isSoundKey(publicKey.subarray(-32)) && isCanonicalSignature(signature)
      return sound && verify(null, bytes, key, signature)
    }
    case 'ES256':
      // RFC 7518 section 3.4: P-256, SHA-256, signature as r || s.
      return key.asymmetricKeyType === 'ec' && verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature)
    default:
      return false
  }
}

/** Gateway keys are few, and used for every entry and tape. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>()

function publicKeyOf(spki: Uint8Array): KeyObject {
  const known = keyObjects.get(spki)
  if (known !== undefined) return known
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    keyObjects.set(spki, key)
    return key
  } catch (error) {
    throw new ApplianceError('CONFIG_INVALID', 'a trusted gateway key is not a public key (SPKI)', { cause: error })
  }
}
