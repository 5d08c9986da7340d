import { generateKeyPairSync, sign } from 'node:crypto'
import { StoreLedger } from '../../recorder/ledger/store-ledger.ts'
import type { StoreLedgerOptions } from '../../recorder/ledger/store-ledger-options.ts'
import type { Store } from '../../recorder/store/store.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { nodeTools } from '../../recorder/tape/tools.ts'
import type { SignedEntry } from '../../schemas/verify/ledger-line.ts'
import { type VerifiedLedger, verifyLedger } from '../../schemas/verify/verify-ledger.ts'

export function makeSigner(gateway = 'gw1'): GatewaySigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    gateway,
    algorithm: 'Ed25519',
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
    sign: async (bytes) => sign(null, bytes, privateKey),
  }
}

export function openTestLedger(
  store: Store,
  signer: GatewaySigner,
  options: Partial<StoreLedgerOptions> = {},
): Promise<StoreLedger> {
  return StoreLedger.open({ store, gateway: signer.gateway, signer, ...options })
}

export interface ReadLedger extends VerifiedLedger {
  readonly entries: readonly SignedEntry[]
}

/** The ledger as a verifier who trusts these gateways sees it. */
export async function readLedger(store: Store, signers: readonly GatewaySigner[], nowMs = Date.now()): Promise<ReadLedger> {
  const entries: SignedEntry[] = []
  const read = await verifyLedger(
    { source: store, tools: nodeTools },
    { gatewayKeys: signers },
    { nowMs, onEntry: ({ entry, state }) => void (state === 'good' && entry !== undefined && entries.push(entry)) },
  )
  if (read === undefined) throw new Error('there is no ledger')
  return { ...read, entries }
}
