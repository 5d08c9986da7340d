import {
  type GatewaySigner,
  Journal,
  openFileSigner,
  openRecorder,
  openStore,
  publishKey,
  RECOVERY_LIMITS,
  type RecorderRoom,
  spoolLimits,
} from '../recorder/index.ts'
import { publishBeside } from '../recorder/tape/signer-file.ts'
import type { VaultSignerPlace } from '../recorder/tape/signer-vault.ts'
import type { Settings } from './config.ts'
import type { Log } from './log.ts'
import { placesIn } from './places.ts'

type TapeSettings = Pick<Settings, 'dataDir' | 'gateway' | 'store' | 'signer' | 'spool'>

/** One process's recorder with the ledger it writes; both are given back together. */
export interface TapeRoom extends AsyncDisposable {
  readonly room: RecorderRoom
}

/**
 * Opens the recorder of this process on the configured folder. `worker` 0 is the only process or the primary of several; each
 * worker records, numbers and signs under a name of its own (`gw1-3`), as its number is gapless only within it.
 */
export async function openTapeRoom(settings: TapeSettings, worker = 0, limits = spoolLimits(settings.spool)): Promise<TapeRoom> {
  const places = placesIn(settings.dataDir)
  const gateway = worker === 0 ? settings.gateway : `${settings.gateway}-${worker}`
  const signer = await openSigner(settings.signer, places.keys, gateway)
  const store = await openStore(settings.store)
  if (!('folder' in settings.store)) await publishKey(store, signer)
  const ledger = await Journal.open(places.ledger, gateway)
  try {
    const room = await openRecorder({ gateway, store, signer, spoolFolder: places.spool, ledger, limits })
    return {
      room,
      [Symbol.asyncDispose]: async () => {
        try {
          await room.close()
        } finally {
          await ledger.close()
        }
      },
    }
  } catch (error) {
    await ledger.close()
    throw error
  }
}

/** The key in its vault, whose public half then stands beside the file keys as those do; without one, the file. */
async function openSigner(vault: VaultSignerPlace | undefined, keys: string, gateway: string): Promise<GatewaySigner> {
  if (vault === undefined) return openFileSigner(keys, gateway)
  const { openVaultSigner } = await import('../recorder/tape/signer-vault.ts')
  const signer = await openVaultSigner(vault, gateway)
  await publishBeside(keys, signer)
  return signer
}

/** Seals as recovered what processes that died left open, and tells the log. Tapes of the living are left alone. */
export async function recoverTapes(settings: TapeSettings, log: Log): Promise<void> {
  await using tapes = await openTapeRoom(settings, 0, RECOVERY_LIMITS)
  log.recovered(await tapes.room.recover())
}
