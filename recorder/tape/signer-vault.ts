import { createPublicKey } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import { Slots } from '../azure/slots.ts'
import { Vault, type VaultPlace } from '../azure/vault.ts'
import { sha256 } from './merkle.ts'
import { type GatewaySigner, verifyKey } from './signer.ts'

/** A thousand signatures and more in a second, at tens of milliseconds each: beyond what a vault allows. */
const AT_ONCE = 32
/** Half of what an entry of the ledger waits. */
const PATIENCE_MS = 15_000

export interface VaultSignerPlace extends VaultPlace {
  readonly key: string
  /** The newest at the start, if not given: what signs is then recorded with its version all the same. */
  readonly version?: string
}

export interface VaultSigner extends GatewaySigner {
  /** When the key stops to sign, ms; undefined: never. */
  readonly expiresMs?: number
}

/**
 * A gateway's key that never leaves its vault: ES256 by Key Vault. One signature for each tape, checkpoint, recovery and entry of the ledger, none
 * for a frame: the vault's limits (some thousand in ten seconds) are those of sessions that open. What it answers is checked before it is used.
 */
export async function openVaultSigner(place: VaultSignerPlace, gateway: string): Promise<VaultSigner> {
  const vault = new Vault(place)
  const { version, x, y, expiresMs } = await vault.key(place.key, place.version)
  const publicKey = spkiOf(place.key, x, y)
  const slots = new Slots(AT_ONCE, PATIENCE_MS)
  return {
    gateway,
    algorithm: 'ES256',
    publicKey,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    async sign(bytes) {
      try {
        const signature = await slots.run(() => vault.sign(place.key, version, sha256(bytes)))
        // Nobody would notice before the recording is verified, when it is too late.
        if (!verifyKey(publicKey, 'ES256', bytes, signature))
          throw new ApplianceError('AZURE_FAILED', `what it answered is no signature by ${place.key} ${version}`)
        return signature
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new ApplianceError('RECORDER_FAILED', `the vault does not sign: ${why}`, { cause: error })
      }
    },
  }
}

/** DER. Rejects AZURE_FAILED for coordinates of no point. */
function spkiOf(name: string, x: Uint8Array, y: Uint8Array): Uint8Array {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  try {
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: text(x), y: text(y) }, format: 'jwk' })
    return key.export({ format: 'der', type: 'spki' })
  } catch (cause) {
    throw new ApplianceError('AZURE_FAILED', `key ${name}: what the vault has sent is no point on P-256`, { cause })
  }
}
