import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { codeOf } from '../files.ts'
import { isFoundKey, OWN_PREFIX } from '../store/store.ts'
import { PlainFolder } from '../tape/plain-folder.ts'

const NOTHING_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])

/**
 * A bundle that was unpacked to a folder. Links are not followed, and what is no regular file is not there; but it is listed, whatever it is, as people
 * who look into the folder see it. Names that begin with a dot are the system's own.
 */
export class UnpackedBundle implements ObjectSource {
  readonly #root: string
  readonly #files: PlainFolder

  constructor(root: string) {
    this.#root = root
    this.#files = new PlainFolder(root)
  }

  get(key: string, range?: { readonly from: number; readonly to: number }, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#files.get(key, range, signal)
  }

  size(key: string, signal?: AbortSignal): Promise<number> {
    return this.#files.size(key, signal)
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '' && !isFoundKey(folder.slice(0, -1))) return
    if (await this.#files.leads(prefix)) yield* this.#walk(folder, prefix, signal)
  }

  async *#walk(folder: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
    signal?.throwIfAborted()
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch((cause: unknown) => {
      if (NOTHING_THERE.has(codeOf(cause))) return []
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ApplianceError('STORE_FAILED', `listing of ${folder} failed: ${why}`, { cause })
    })
    for (const entry of entries) {
      const key = `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`
      if (entry.name.startsWith(OWN_PREFIX) || !key.startsWith(prefix)) continue
      if (entry.isDirectory()) yield* this.#walk(key, prefix, signal)
      else yield key
    }
  }
}
