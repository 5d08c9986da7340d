import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { type FileHandle, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../files.ts'
import { FileLock } from '../store/file-lock.ts'
import { createFile, makeFolder } from './exclusive-file.ts'
import { FolderChanges } from './folder-changes.ts'
import type { Records } from './records.ts'

/** A change in the same tick of the file system's clock as the last look leaves no trace in the folder's time. */
const CLOCK_GRAIN_MS = 2_000
/** Only the gateway's own user reads what it keeps. */
const FILE_MODE = 0o600

interface Cached {
  readonly texts: ReadonlyMap<string, string>
  readonly changedMs: number
  readonly readMs: number
  /** Which of our reads it was: clocks are set back, this is not. */
  readonly read: number
}

/** Records as files of a folder that processes of one machine share, readable to its own user only. */
export class FolderRecords implements Records {
  readonly #root: string
  readonly #changes: FolderChanges
  readonly #cached = new Map<string, Cached>()
  /** Folders looked at in this turn of the loop: many requests that came at once ask the file system once. */
  readonly #looked = new Set<string>()
  #reads = 0

  constructor(root: string) {
    this.#root = root
    this.#changes = new FolderChanges(root)
  }

  async create(path: string, text: string): Promise<boolean> {
    const created = await this.#inFolder(path, (file) => createFile(file, text))
    this.#looked.clear()
    return created
  }

  replace(path: string, text: string): Promise<void> {
    return this.#inFolder(path, async (file) => {
      const draft = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.draft`)
      let handle: FileHandle | undefined
      try {
        handle = await open(draft, 'wx', FILE_MODE)
        await handle.writeFile(text)
        await handle.sync()
        await rename(draft, file)
        this.#looked.clear()
      } finally {
        await handle?.close()
        await rm(draft, { force: true })
      }
    })
  }

  async swap(path: string, before: string | undefined, text: string): Promise<boolean> {
    const lock = await this.#inFolder(path, (file) => FileLock.take(file, path))
    try {
      if ((await this.read(path)) !== before) return false
      await this.replace(path, text)
      return true
    } finally {
      await lock.release()
    }
  }

  async read(path: string): Promise<string | undefined> {
    return ifThere(readFile(join(this.#root, path), 'utf8'), undefined)
  }

  async names(folder: string): Promise<readonly string[]> {
    const found = await ifThere(readdir(join(this.#root, folder), { withFileTypes: true }), [])
    return found.flatMap((each) => (each.isFile() && !each.name.startsWith('.') ? [each.name] : [])).sort()
  }

  async all(folder: string): Promise<ReadonlyMap<string, string>> {
    const cached = this.#cached.get(folder)
    if (cached !== undefined && this.#looked.has(folder)) return cached.texts
    // At once, for every HTTP request: some microseconds, where a trip through the thread pool took a tenth of all the time.
    const changedMs = statSync(join(this.#root, folder), { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (cached?.changedMs === changedMs && cached.readMs - changedMs > CLOCK_GRAIN_MS) {
      if (this.#looked.size === 0) setImmediate(() => this.#looked.clear())
      this.#looked.add(folder)
      return cached.texts
    }
    const readMs = Date.now()
    this.#reads += 1
    const read = this.#reads
    const texts = new Map<string, string>()
    for (const name of await this.names(folder)) {
      const text = await this.read(join(folder, name))
      if (text !== undefined) texts.set(name, text)
    }
    // Of two that read at the same time, the one that began later knows more.
    if ((this.#cached.get(folder)?.read ?? 0) < read) this.#cached.set(folder, { texts, changedMs, readMs, read })
    return texts
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#root, path), { force: true })
    this.#looked.clear()
    // So that folders do not outlive what was in them.
    if (path.includes('/')) await rmdir(dirname(join(this.#root, path))).catch(stillUsed)
  }

  async forget(olderThanMs: number): Promise<void> {
    const found = await ifThere(readdir(this.#root, { recursive: true, withFileTypes: true }), [])
    for (const each of found) {
      if (!each.isFile()) continue
      const path = join(each.parentPath, each.name)
      const changed = await ifThere(stat(path), undefined)
      if (changed !== undefined && Date.now() - changed.mtimeMs > olderThanMs) await rm(path, { force: true })
    }
  }

  async next(prefix: string, signal: AbortSignal, maxMs?: number): Promise<void> {
    await makeFolder(this.#root)
    return this.#changes.next(prefix, signal, maxMs)
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]()
  }

  /** Folders are made when the first record comes into them, and again where one was removed meanwhile with the last that was in it. */
  async #inFolder<T>(path: string, work: (file: string) => Promise<T>): Promise<T> {
    const file = join(this.#root, path)
    for (;;) {
      try {
        return await work(file)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        await makeFolder(dirname(file))
      }
    }
  }
}

function stillUsed(error: unknown): void {
  if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
}

async function ifThere<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise
    throw error
  }
}
