import { ApplianceError } from '../schemas/errors.ts'
import type { Store } from './store/store.ts'
import { sha256 } from './tape/merkle.ts'

/** Longer than any policy with its packs written out. */
const MAX_TEXT_SIZE = 16 << 20

/** Keeps a policy beside the tapes it judged, under the SHA-256 (hex) of its text, by which ledger and tapes name it. Again is no conflict. */
export async function keepPolicy(store: Store, { hash, text }: { readonly hash: string; readonly text: string }): Promise<void> {
  await store.put(keyOf(hash), Buffer.from(text))
}

/** Undefined where nobody kept it, or what is there is another. */
export async function keptPolicy(store: Store, hash: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    const bytes = await store.get(keyOf(hash), { from: 0, to: MAX_TEXT_SIZE }, signal)
    return sha256(bytes).toString('hex') === hash ? bytes : undefined
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}

function keyOf(hash: string): string {
  return `policies/${hash}.json`
}
