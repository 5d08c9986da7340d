import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import { type GatewaySigner, keyIdOf } from './signer.ts'

const PREFIX = 'keys/'
const SUFFIX = '.pub'
/** A public key and a name take a tenth of it; whatever is larger is not ours. */
const MAX_SIZE = 4 << 10

/**
 * Puts the gateway's public key beside its tapes, where no folder of keys lies beside them: who verifies a container finds it
 * there. Like every key beside tapes it proves only that nothing was changed since by somebody who could not change it as well.
 */
export async function publishKey(store: Store, signer: GatewaySigner): Promise<void> {
  const line = `${signer.gateway} ${Buffer.from(signer.publicKey).toString('base64')}\n`
  await store.put(`${PREFIX}${signer.gateway}-${keyIdOf(signer.publicKey)}${SUFFIX}`, Buffer.from(line))
}

/** The keys published in a store; what is not a key is passed over. */
export async function readStoreKeys(store: Store): Promise<GatewayKey[]> {
  const keys: GatewayKey[] = []
  for await (const key of store.list(PREFIX)) {
    if (!key.endsWith(SUFFIX)) continue
    const text = Buffer.from(await store.get(key, { from: 0, to: MAX_SIZE })).toString()
    try {
      keys.push(...parseGatewayKeys(text, key))
    } catch {
      // Put there by somebody else: whoever trusts it must name it by hand.
    }
  }
  return keys
}
