import type { CsvCell } from '../../schemas/csv.ts'
import { keptPolicy } from '../policy-texts.ts'
import type { Store } from '../store/store.ts'
import type { WrittenFile, ZipWriter } from './zip-writer.ts'

/** `kept`: whether its text is here. One that was in force before texts were kept has none. */
export const POLICY_COLUMNS = ['policy', 'sessions', 'kept'] as const

/**
 * The texts of policies (SHA-256, hex, each with the number of sessions that began under it), as far as the store keeps them, each under a name by
 * which a reader can tell that it is the one. A row for each in `rows`.
 */
export async function* writePolicies(
  zip: ZipWriter,
  store: Store,
  policies: ReadonlyMap<string, number>,
  rows: CsvCell[][],
  signal: AbortSignal | undefined,
): AsyncGenerator<WrittenFile> {
  for (const [hash, sessions] of [...policies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!/^[0-9a-f]{64}$/.test(hash)) continue
    const text = await keptPolicy(store, hash, signal)
    rows.push([hash, sessions, text === undefined ? 'no' : 'yes'])
    if (text !== undefined) yield await zip.add(`policies/${hash}.json`, text)
  }
}
