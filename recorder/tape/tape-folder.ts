import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { readTapeIndex } from '../../schemas/verify/segment-index.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { codeOf } from '../files.ts'
import { FileStore } from '../store/store-file.ts'
import { nodeTools } from './tools.ts'

const SEGMENT = /^(?:\d{4}|recovered-\d{4})\.tape$/

/** The files of one tape in a folder of any name, wherever it was copied to, as if it lay in a store under its session's id. */
export class TapeFolder implements ObjectSource {
  readonly session: string
  readonly #files: FileStore

  private constructor(path: string, session: string) {
    this.#files = new FileStore(path)
    this.session = session
  }

  /** The session is the one its header names; where that cannot be read, the folder's name stands for it. */
  static async open(path: string): Promise<TapeFolder> {
    const unread = new TapeFolder(path, basename(path))
    try {
      const { header } = await readTapeIndex(unread, nodeTools, unread.session)
      return new TapeFolder(path, header.session.id)
    } catch (error) {
      if (error instanceof ApplianceError && (error.code === 'TAPE_MALFORMED' || error.code === 'STORE_MISSING')) return unread
      throw error
    }
  }

  get(key: string, range?: { readonly from: number; readonly to: number }, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#files.get(this.#name(key), range, signal)
  }

  size(key: string, signal?: AbortSignal): Promise<number> {
    return this.#files.size(this.#name(key), signal)
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    for await (const name of this.#files.list('', signal)) {
      const key = this.#prefix + name
      if (key.startsWith(prefix)) yield key
    }
  }

  get #prefix(): string {
    return `tapes/${this.session}/`
  }

  #name(key: string): string {
    return key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : key
  }
}

/** Whether a folder holds files of a tape. */
export async function isTapeFolder(path: string): Promise<boolean> {
  try {
    return (await readdir(path, { withFileTypes: true })).some((one) => one.isFile() && SEGMENT.test(one.name))
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR' || codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** The folders in a folder that hold a tape each, in the order of their names. */
export async function tapeFoldersIn(path: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of (await readdir(path)).sort()) if (await isTapeFolder(join(path, name))) found.push(join(path, name))
  return found
}
