import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { SIGN_IN_FRAGMENT } from '../../schemas/api.ts'
import { createFile, isErrno, makeFolder } from '../desk/exclusive-file.ts'

/** 256 bits: nobody guesses one, so a plain hash is all the hiding it needs. */
const TOKEN_BYTES = 32
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{43}$/
/** Long enough to be copied into a browser, short enough that one left in a terminal's history is dead. */
const LINK_TTL_MS = 15 * 60_000
/** Used and expired ones are kept a while for whoever asks why one does not work, then removed: they are no evidence. */
const KEPT_MS = 24 * 3_600_000

const StoredLink = Type.Object({ subject: Type.String({ minLength: 1 }), expiresAt: Type.String({ format: 'date-time' }) })
type StoredLink = Static<typeof StoredLink>
const checker = Compile(StoredLink)

/**
 * One-time links as files: `<SHA-256 of the token>.json`, and `<...>.used` once it was taken. Creating the second is the
 * compare-and-swap, so a link works once, whoever made it and however many processes there are. The token itself stands nowhere.
 */
export class SignInLinks {
  readonly #folder: string
  readonly #now: () => number

  private constructor(folder: string, now: () => number) {
    this.#folder = folder
    this.#now = now
  }

  static async open(folder: string, now: () => number = Date.now): Promise<SignInLinks> {
    await makeFolder(folder)
    return new SignInLinks(folder, now)
  }

  /** A fresh token for this subject; it exists only in the answer. */
  async create(subject: string, ttlMs = LINK_TTL_MS): Promise<{ readonly token: string; readonly expiresAt: Date }> {
    await this.#prune()
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const expiresAt = new Date(this.#now() + ttlMs)
    const link: StoredLink = { subject, expiresAt: expiresAt.toISOString() }
    await createFile(this.#path(token, 'json'), JSON.stringify(link))
    return { token, expiresAt }
  }

  /** Whose link it is, at most once; undefined for what is unknown, used or expired. */
  async take(token: string): Promise<string | undefined> {
    if (!TOKEN_PATTERN.test(token)) return undefined
    const link = await this.#read(this.#path(token, 'json'))
    if (link === undefined || Date.parse(link.expiresAt) <= this.#now()) return undefined
    return (await createFile(this.#path(token, 'used'), new Date(this.#now()).toISOString())) ? link.subject : undefined
  }

  async #read(path: string): Promise<StoredLink | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(path, 'utf8'))
      return checker.Check(value) ? value : undefined
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  #path(token: string, end: 'json' | 'used'): string {
    return join(this.#folder, `${createHash('sha256').update(token).digest('hex')}.${end}`)
  }

  async #prune(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.json') || name.startsWith('.')) continue
      const link = await this.#read(join(this.#folder, name))
      if (link !== undefined && Date.parse(link.expiresAt) + KEPT_MS > this.#now()) continue
      await rm(join(this.#folder, name), { force: true })
      await rm(join(this.#folder, name.replace(/json$/, 'used')), { force: true })
    }
  }
}

/** The link to give to a person: the token is in the fragment, which browsers keep to themselves. */
export function signInUrl(console: string, token: string): string {
  return `${console.replace(/\/$/, '')}/#${SIGN_IN_FRAGMENT}=${token}`
}
