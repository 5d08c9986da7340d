import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { isErrno, makeFolder } from '../recorder/desk/exclusive-file.ts'
import { Budgets, type Spending } from './policy/budgets.ts'

/** How late one process may hear of what another let through. */
const SHARE_EVERY_MS = 500
/** The longest window is a day; what was not touched for longer counts nowhere. */
const FORGET_AFTER_MS = 25 * 3_600_000
/** A file that another process wrote larger than this is not read: ten thousand budgets take half of it. */
const MAX_FILE_BYTES = 64 * 1024 * 1024

const Shared = Type.Object({
  spending: Type.Record(
    Type.String(),
    Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.Tuple([Type.Number(), Type.Number()])),
  ),
})
const shared = Compile(Shared)

/**
 * Budgets shared by all processes that share a data folder: each writes a file of its own, replaced whole, and reads those of the
 * others, also of processes that have ended. Twice a second; so budgets may be overdrawn by what others let through meanwhile.
 */
export class BudgetFolder implements AsyncDisposable {
  readonly budgets = new Budgets()
  readonly #folder: string
  readonly #file = `${process.pid}-${randomBytes(6).toString('hex')}.json`
  readonly #onError: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  readonly #read = new Map<string, { readonly changedMs: number; readonly spending: Spending }>()
  #written = 0
  #sharing: Promise<void> = Promise.resolve()

  private constructor(folder: string, onError: (error: unknown) => void) {
    this.#folder = folder
    this.#onError = onError
    this.#timer = setInterval(() => void this.share(), SHARE_EVERY_MS).unref()
  }

  /** Knows what the others have spent when it resolves. `onError` hears of files that cannot be read or written; counting goes on. */
  static async open(folder: string, onError: (error: unknown) => void): Promise<BudgetFolder> {
    await makeFolder(folder)
    const made = new BudgetFolder(folder, onError)
    await made.share()
    return made
  }

  /** Tells the others and hears of them, at once. */
  share(): Promise<void> {
    this.#sharing = this.#sharing.then(() => this.#share()).catch((error: unknown) => this.#onError(error))
    return this.#sharing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.share()
  }

  async #share(): Promise<void> {
    const { version } = this.budgets
    if (version !== this.#written) {
      const draft = join(this.#folder, `.${this.#file}.draft`)
      await writeFile(draft, JSON.stringify({ spending: this.budgets.spending() }), { mode: 0o600 })
      await rename(draft, join(this.#folder, this.#file))
      this.#written = version
    }
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json') && name !== this.#file)
    for (const known of this.#read.keys()) if (!names.includes(known)) this.#read.delete(known)
    for (const name of names) await this.#hear(name)
    this.budgets.hear([...this.#read.values()].map(({ spending }) => spending))
  }

  async #hear(name: string): Promise<void> {
    const path = join(this.#folder, name)
    const found = await stat(path).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined // another process has just removed it
      throw error
    })
    if (found === undefined) return
    const { mtimeMs, size } = found
    if (Date.now() - mtimeMs > FORGET_AFTER_MS) {
      await rm(path, { force: true })
      this.#read.delete(name)
    } else if (this.#read.get(name)?.changedMs !== mtimeMs) {
      if (size > MAX_FILE_BYTES) throw new Error(`${path} has ${size} bytes; at most ${MAX_FILE_BYTES} are read`)
      const value: unknown = JSON.parse(await readFile(path, 'utf8'))
      if (!shared.Check(value)) throw new Error(`${path} is no list of what was spent`)
      this.#read.set(name, { changedMs: mtimeMs, spending: value.spending })
    }
  }
}
