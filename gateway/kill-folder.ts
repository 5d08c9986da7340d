import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { createFile, isErrno, makeFolder } from '../recorder/desk/exclusive-file.ts'

/** How soon what was asked elsewhere happens here. */
const LOOK_MS = 500
/** A gateway that has the session and does not say so by then is not well; the session may end all the same. */
const ANSWER_MS = 4_000
const POLL_MS = 50
/** Questions nobody answered, and answers nobody fetched. */
const FORGET_AFTER_MS = 60_000
const SESSION = /^[0-9A-Za-z-]{1,100}$/

const Wish = Type.Object({ message: Type.String() })
type Wish = Static<typeof Wish>
const checker = Compile(Wish)

/**
 * Ends sessions that another gateway on the same data folder has: `<session>.json` asks for it, whoever has it ends it and answers with
 * `<session>.done`. Asking twice at once is one question.
 */
export class KillFolder implements AsyncDisposable {
  readonly #folder: string
  readonly #end: (session: string, message: string) => Promise<boolean>
  readonly #onError: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> | undefined

  private constructor(folder: string, end: KillFolder['kill'], onError: (error: unknown) => void) {
    this.#folder = folder
    this.#end = end
    this.#onError = onError
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look()
        .catch(onError)
        .finally(() => {
          this.#looking = undefined
        })
    }, LOOK_MS).unref()
  }

  /** `end` ends a session of our own with these words to its client; false where it is not open here. */
  static async open(folder: string, end: KillFolder['kill'], onError: (error: unknown) => void): Promise<KillFolder> {
    await makeFolder(folder)
    return new KillFolder(folder, end, onError)
  }

  /** Ends it here, or has it ended where it runs; false where nobody says that it runs. */
  async kill(session: string, message: string): Promise<boolean> {
    if (await this.#end(session, message)) return true
    if (!SESSION.test(session)) return false
    const wish: Wish = { message }
    await createFile(this.#path(session, 'json'), JSON.stringify(wish))
    const untilMs = performance.now() + ANSWER_MS
    try {
      while (performance.now() < untilMs) {
        if (await exists(this.#path(session, 'done'))) return true
        await delay(POLL_MS)
      }
      return false
    } finally {
      await rm(this.#path(session, 'json'), { force: true })
      await rm(this.#path(session, 'done'), { force: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      try {
        if (Date.now() - (await stat(path)).mtimeMs > FORGET_AFTER_MS) await rm(path, { force: true })
        else if (name.endsWith('.json') && !name.startsWith('.')) await this.#take(name.slice(0, -'.json'.length), path)
      } catch (error) {
        // Whoever asked has gone meanwhile.
        if (!isErrno(error, 'ENOENT')) this.#onError(error)
      }
    }
  }

  async #take(session: string, path: string): Promise<void> {
    const wish: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (checker.Check(wish) && (await this.#end(session, wish.message)))
      await createFile(this.#path(session, 'done'), new Date().toISOString())
  }

  #path(session: string, end: 'json' | 'done'): string {
    return join(this.#folder, `${session}.${end}`)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return false
      throw error
    },
  )
}
