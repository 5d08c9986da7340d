import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { OWN_PREFIX } from '../store/store.ts'
import { PlainFolder } from '../tape/plain-folder.ts'

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
    for await (const key of this.#walk('', signal)) if (key.startsWith(prefix)) yield key
  }

  async *#walk(folder: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
    signal?.throwIfAborted()
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ApplianceError('STORE_FAILED', `listing of ${folder} failed: ${why}`, { cause })
    })
    for (const entry of entries) {
      if (entry.name.startsWith(OWN_PREFIX)) continue
      if (entry.isDirectory()) yield* this.#walk(`${folder}${entry.name}/`, signal)
      else yield `${folder}${entry.name}`
    }
  }
}
