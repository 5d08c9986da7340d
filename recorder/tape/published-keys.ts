import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_KEYS_SIZE, parseGatewayKeys, tooLarge } from '../../schemas/gateway-keys.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { isKey, type Store } from '../store/store.ts'
import { PlainFolder } from './plain-folder.ts'
import { type GatewaySigner, keyIdOf } from './signer.ts'

const PREFIX = 'keys/'
const FOLDER_KEYS = `${PREFIX}gateway.pub`
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

/** Names of what may be published keys: never what else lies there, a folder's private one included. */
export async function* publishedKeys(store: Store, signal?: AbortSignal): AsyncGenerator<string, void, undefined> {
  for await (const key of store.list(PREFIX, signal)) if (isKey(key) && key.endsWith(SUFFIX)) yield key
}

/** One of them as it stands there. Rejects CONFIG_INVALID where it is too large to be one. */
export async function readPublished(store: Store, key: string, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await store.get(key, { from: 0, to: MAX_SIZE + 1 }, signal)
  if (bytes.length > MAX_SIZE) throw new ApplianceError('CONFIG_INVALID', `${key} has more than ${MAX_SIZE} bytes: it is no key`)
  return bytes
}

/** The keys published in a store; what is not a key is passed over. */
export async function readStoreKeys(store: Store): Promise<GatewayKey[]> {
  const keys: GatewayKey[] = []
  for await (const key of publishedKeys(store)) {
    const text = Buffer.from(await store.get(key, { from: 0, to: MAX_SIZE })).toString()
    try {
      keys.push(...parseGatewayKeys(text, key))
    } catch {
      // Put there by somebody else: whoever trusts it must name it by hand.
    }
  }
  return keys
}

/** The keys beside the tapes of a folder; a link is none, as below `tapes`. Rejects CONFIG_INVALID for what is no file of keys, and STORE_FAILED. */
export async function readFolderKeys(root: string): Promise<GatewayKey[]> {
  const folder = new PlainFolder(root)
  const path = join(root, FOLDER_KEYS)
  try {
    const bytes = await folder.get(FOLDER_KEYS, { from: 0, to: MAX_KEYS_SIZE + 1 })
    if (bytes.length > MAX_KEYS_SIZE) throw new ApplianceError('CONFIG_INVALID', tooLarge(path))
    return parseGatewayKeys(Buffer.from(bytes).toString(), path)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return []
    throw error
  }
}
