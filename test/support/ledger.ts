import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StoreLedger } from '../../recorder/ledger/store-ledger.ts'
import type { StoreLedgerOptions } from '../../recorder/ledger/store-ledger-options.ts'
import type { Store } from '../../recorder/store/store.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { nodeTools } from '../../recorder/tape/tools.ts'
import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'
import type { SignedEntry } from '../../schemas/verify/ledger-line.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { type VerifiedLedger, verifyLedger } from '../../schemas/verify/verify-ledger.ts'
import { MemoryStore } from './memory-store.ts'

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

/** A ledger of test/vectors as it would stand in a store, and the keys of its gateways. */
export function goldenLedger(name: 'ledger' | 'ledger-kinds'): {
  readonly store: MemoryStore
  readonly gatewayKeys: readonly GatewayKey[]
} {
  const folder = fileURLToPath(new URL(`../vectors/${name}/`, import.meta.url))
  const store = new MemoryStore()
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (statSync(join(folder, path)).isFile()) store.objects.set(`ledger/${path}`, readFileSync(join(folder, path)))
  return { store, gatewayKeys: parseGatewayKeys(readFileSync(join(folder, 'gateway.pub'), 'utf8'), 'gateway.pub') }
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
