import type { SignedEntry } from '../../schemas/verify/ledger-line.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { signedBytes } from '../tape/keys.ts'
import { keyIdOf, verifyKey } from '../tape/signer.ts'

/** Whether one of these keys has signed the entry. */
export function isSignedBy({ statementBytes, keyId, signature }: SignedEntry, keys: readonly GatewayKey[]): boolean {
  const key = keys.find(({ publicKey }) => keyIdOf(publicKey) === keyId)
  if (key === undefined) return false
  const bytes = signedBytes('entry', statementBytes)
  return ['Ed25519', 'ES256'].some((algorithm) => verifyKey(key.publicKey, algorithm, bytes, signature))
}
