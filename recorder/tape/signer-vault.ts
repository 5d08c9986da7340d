import { createPublicKey } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import { Vault, type VaultPlace } from '../azure/vault.ts'
import { sha256 } from './merkle.ts'
import type { GatewaySigner } from './signer.ts'

export interface VaultSignerPlace extends VaultPlace {
  readonly key: string
  /** The newest at the start, if not given: what signs is then recorded with its version all the same. */
  readonly version?: string
}

/**
 * A gateway's key that never leaves its vault: ES256 by Key Vault. One signature per tape, checkpoint and recovery, none per
 * frame, so the vault's limits (thousands of signatures in ten seconds) and its tens of milliseconds are far away.
 */
export async function openVaultSigner(place: VaultSignerPlace, gateway: string): Promise<GatewaySigner> {
  const vault = new Vault(place)
  const { kid, x, y } = await vault.key(place.key, place.version)
  const jwk = { kty: 'EC', crv: 'P-256', x: Buffer.from(x).toString('base64url'), y: Buffer.from(y).toString('base64url') }
  return {
    gateway,
    algorithm: 'ES256',
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'spki' }),
    async sign(bytes) {
      try {
        return await vault.sign(kid, sha256(bytes))
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new ApplianceError('RECORDER_FAILED', `the vault does not sign: ${why}`, { cause: error })
      }
    },
  }
}
