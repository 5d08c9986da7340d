import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf, syncFolder } from '../files.ts'

/** Between a file's name and the process that writes it. */
const PART = '.part-'

/**
 * A file that has its name only once it is whole: it stands under a name of its own until `commit`; what is disposed before is gone, and what a
 * process left that was killed goes with the next file of that name.
 */
export class NewFile implements AsyncDisposable {
  readonly file: FileHandle
  readonly #path: string
  readonly #temporary: string
  #committed = false

  private constructor(file: FileHandle, path: string, temporary: string) {
    this.file = file
    this.#path = path
    this.#temporary = temporary
  }

  /** For its owner alone, open for reading and writing. Rejects STORE_CONFLICT where `path` exists, STORE_MISSING where its folder does not. */
  static async create(path: string): Promise<NewFile> {
    await refuseExisting(path)
    await sweep(path).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
        throw new ApplianceError('STORE_MISSING', `there is no folder ${dirname(path)} to write ${basename(path)} into`)
      throw error
    })
    const temporary = join(dirname(path), `${basename(path)}${PART}${process.pid}`)
    const file = await open(temporary, 'wx+', 0o600).catch((error: unknown) => {
      throw new ApplianceError('STORE_FAILED', `${basename(path)} cannot be written into ${dirname(path)} (${codeOf(error)})`)
    })
    written.add(temporary)
    return new NewFile(file, path, temporary)
  }

  /** Gives the file its name, durably. Rejects STORE_CONFLICT where somebody else has taken it meanwhile. */
  async commit(): Promise<void> {
    await this.file.sync()
    await refuseExisting(this.#path)
    await rename(this.#temporary, this.#path)
    this.#committed = true
    await syncFolder(dirname(this.#path))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close()
    written.delete(this.#temporary)
    if (!this.#committed) await rm(this.#temporary, { force: true })
  }
}

/** What processes left that were killed while they wrote this file. */
async function sweep(path: string): Promise<void> {
  const folder = dirname(path)
  const begins = `${basename(path)}${PART}`
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(begins) ? name.slice(begins.length) : ''
    if (/^[1-9]\d{0,9}$/.test(pid) && !isWritten(join(folder, name), Number(pid))) await rm(join(folder, name), { force: true })
  }
}

/** What this process writes; in a container its predecessor may have had its number. */
const written = new Set<string>()

function isWritten(temporary: string, pid: number): boolean {
  if (pid === process.pid) return written.has(temporary)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is one.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await (await open(path, 'r')).close()
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return
    throw error
  }
  throw new ApplianceError('STORE_CONFLICT', `${path} exists, and nothing is written over`)
}
