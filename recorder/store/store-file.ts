import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, readdir, readFile, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf, syncFolder, writeFully } from '../files.ts'
import { sideThread } from '../side-thread.ts'
import { appendToFile, conflict } from './file-append.ts'
import { isFoundKey, isKey, keyError, OWN_PREFIX, type Range, type Store } from './store.ts'
import { Turns } from './turns.ts'

/** Whoever appends more than this often does it beside the event loop: a command that writes a word to the ledger starts no thread. */
const APPENDS_HERE = 16

/** A store in a folder of a local file system: one file per object. */
export class FileStore implements Store {
  readonly folder: string
  /** Among the writes of this process; the file lock is for the others. */
  readonly #turns = new Turns()
  #appendCount = 0

  constructor(folder: string) {
    this.folder = resolve(folder)
  }

  async append(key: string, position: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const path = this.#path(key)
    await this.#turns.take(path, async () => {
      signal?.throwIfAborted()
      try {
        await this.#append(key, path, position, bytes)
      } catch (error) {
        throw failed(error, `append to ${key}`)
      }
    })
  }

  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const path = this.#path(key)
    signal?.throwIfAborted()
    // Several stores of a process share a folder, and in a container the next process has the number of the last: only chance tells them apart.
    const temporary = join(dirname(path), `${OWN_PREFIX}put-${randomBytes(12).toString('hex')}`)
    try {
      await makeFolder(dirname(path), this.folder)
      const file = await open(temporary, 'wx', 0o600)
      try {
        try {
          await writeFully(file, bytes, 0)
          await file.sync()
        } finally {
          await file.close()
        }
        await link(temporary, path)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        if (!(await readFile(path)).equals(bytes)) throw conflict(key, 'it exists with other content')
      } finally {
        await unlink(temporary)
      }
      await syncFolder(dirname(path))
    } catch (error) {
      throw failed(error, `put of ${key}`)
    }
  }

  async get(key: string, range?: Range, signal?: AbortSignal): Promise<Uint8Array> {
    const path = this.#foundPath(key)
    signal?.throwIfAborted()
    try {
      const file = await openRegular(path, key)
      try {
        if (range === undefined) return await file.readFile()
        const { size } = await file.stat()
        const to = Math.min(range.to, size)
        if (range.from >= to) return new Uint8Array(0)
        const bytes = Buffer.allocUnsafe(to - range.from)
        let filled = 0
        while (filled < bytes.length) {
          const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, range.from + filled)
          if (bytesRead === 0) return bytes.subarray(0, filled)
          filled += bytesRead
        }
        return bytes
      } finally {
        await file.close()
      }
    } catch (error) {
      throw missingOr(error, key)
    }
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '' && !isFoundKey(folder.slice(0, -1))) throw keyError(prefix)
    yield* this.#walk(folder, prefix, signal)
  }

  async size(key: string, signal?: AbortSignal): Promise<number> {
    const path = this.#foundPath(key)
    signal?.throwIfAborted()
    try {
      const found = await lstat(path)
      if (!found.isFile()) throw missing(key)
      return found.size
    } catch (error) {
      throw missingOr(error, key)
    }
  }

  /** One file mounted or linked twice is one object still. */
  async mark(key: string, signal?: AbortSignal): Promise<string> {
    const path = this.#foundPath(key)
    signal?.throwIfAborted()
    try {
      const found = await lstat(path, { bigint: true })
      if (!found.isFile()) throw missing(key)
      return `${found.dev} ${found.ino}`
    } catch (error) {
      throw missingOr(error, key)
    }
  }

  async #append(key: string, path: string, position: number, bytes: Uint8Array): Promise<void> {
    if (position === 0) await makeFolder(dirname(path), this.folder)
    this.#appendCount += 1
    if (position > 0 && this.#appendCount > APPENDS_HERE) await sideThread.run('append', { key, path, position, bytes })
    else await appendToFile(key, path, position, bytes)
    if (position === 0) await syncFolder(dirname(path))
  }

  async *#walk(folder: string, prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    signal?.throwIfAborted()
    const names: string[] = []
    try {
      for (const entry of await readdir(join(this.folder, folder), { withFileTypes: true })) {
        if (entry.name.startsWith(OWN_PREFIX)) continue
        // The slash takes part in the order: `a-b` comes before `a/b`, as it does among whole keys.
        if (entry.isDirectory()) names.push(`${entry.name}/`)
        else if (entry.isFile()) names.push(entry.name)
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return
      throw failed(error, `listing of ${prefix}`)
    }
    for (const name of names.sort(byCodeUnit)) {
      const key = folder + name
      if (name.endsWith('/')) {
        if (key.startsWith(prefix) || prefix.startsWith(key)) yield* this.#walk(key, prefix, signal)
      } else if (key.startsWith(prefix)) yield key
    }
  }

  #path(key: string): string {
    if (!isKey(key)) throw keyError(key)
    return join(this.folder, key)
  }

  /** What others put into the folder may have any name: it is listed, so it can be read; it is never written. */
  #foundPath(key: string): string {
    if (!isFoundKey(key)) throw keyError(key)
    return join(this.folder, key)
  }
}

/** Makes the folders down to `folder`, durable: a file whose folder a power loss forgets is lost with it. */
async function makeFolder(folder: string, root: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length && made.length >= root.length; made = dirname(made))
    await syncFolder(dirname(made))
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** An object is a regular file: what somebody else put there may be a link to elsewhere, or a pipe that nobody ever writes to. */
async function openRegular(path: string, key: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw missing(key)
}

function missing(key: string, cause?: unknown): ApplianceError {
  return new ApplianceError('STORE_MISSING', `${key} is not in the store`, { cause })
}

function missingOr(error: unknown, key: string): unknown {
  const code = codeOf(error)
  // ELOOP: a link. ENXIO: a socket.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return missing(key, error)
  return failed(error, `reading of ${key}`)
}

function failed(error: unknown, what: string): unknown {
  if (error instanceof ApplianceError || (error instanceof Error && error.name === 'AbortError')) return error
  const told = new ApplianceError('STORE_FAILED', `${what} failed: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
  // The log tells of an error by its place: that of what failed, not this one.
  Error.captureStackTrace(told, failed)
  return told
}
