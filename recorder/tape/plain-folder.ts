import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf } from '../files.ts'
import type { MarkedSource } from '../store/store.ts'
import { FileStore } from '../store/store-file.ts'

/** A data folder as evidence is read: it may be a link itself, below it none is followed, and what lies behind one is not there. */
export class PlainFolder implements MarkedSource {
  readonly folder: string
  readonly #files: FileStore
  readonly #folders = new Map<string, Promise<boolean>>()

  constructor(root: string) {
    this.folder = resolve(root)
    this.#files = new FileStore(root)
  }

  async get(key: string, range?: { readonly from: number; readonly to: number }, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#need(key)
    return this.#files.get(key, range, signal)
  }

  async size(key: string, signal?: AbortSignal): Promise<number> {
    await this.#need(key)
    return this.#files.size(key, signal)
  }

  async mark(key: string, signal?: AbortSignal): Promise<string> {
    await this.#need(key)
    return this.#files.mark(key, signal)
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    if (await this.leads(prefix)) yield* this.#files.list(prefix, signal)
  }

  async #need(key: string): Promise<void> {
    if (!(await this.leads(key))) throw new ApplianceError('STORE_MISSING', `${key} is not in the store: a link is on the way`)
  }

  /** Whether no part of the way to what stands in the last folder of `key` is a link. */
  async leads(key: string): Promise<boolean> {
    const parts = key.split('/').slice(0, -1)
    for (const [index] of parts.entries()) {
      const folder = parts.slice(0, index + 1).join('/')
      const known = this.#folders.get(folder) ?? isPlain(join(this.folder, folder))
      this.#folders.set(folder, known)
      if (!(await known)) return false
    }
    return true
  }
}

/** Whether it is no link; whoever reads on says what else is wrong with it. */
export async function isPlain(path: string): Promise<boolean> {
  try {
    return !(await lstat(path)).isSymbolicLink()
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return true
  }
}
