import { createHash, randomBytes } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { SIGN_IN_FRAGMENT } from '../../schemas/api.ts'
import type { Records } from '../desk/records.ts'

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
 * One-time links as records: `<SHA-256 of the token>.json`, and `<...>.used` once it was taken. Creating the second is the
 * compare-and-swap, so a link works once, whoever made it and however many processes there are. The token itself stands nowhere.
 */
export class SignInLinks {
  readonly #records: Records
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#now = now
  }

  /** A fresh token for this subject; it exists only in the answer. */
  async create(subject: string, ttlMs = LINK_TTL_MS): Promise<{ readonly token: string; readonly expiresAt: Date }> {
    await this.#records.forget(ttlMs + KEPT_MS)
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const expiresAt = new Date(this.#now() + ttlMs)
    const link: StoredLink = { subject, expiresAt: expiresAt.toISOString() }
    await this.#records.create(nameOf(token, 'json'), JSON.stringify(link))
    return { token, expiresAt }
  }

  /** Whose link it is, at most once; undefined for what is unknown, used or expired. */
  async take(token: string): Promise<string | undefined> {
    if (!TOKEN_PATTERN.test(token)) return undefined
    const link = await this.#read(nameOf(token, 'json'))
    if (link === undefined || Date.parse(link.expiresAt) <= this.#now()) return undefined
    return (await this.#records.create(nameOf(token, 'used'), new Date(this.#now()).toISOString())) ? link.subject : undefined
  }

  async #read(name: string): Promise<StoredLink | undefined> {
    try {
      const value: unknown = JSON.parse((await this.#records.read(name)) ?? 'null')
      return checker.Check(value) ? value : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }
}

function nameOf(token: string, end: 'json' | 'used'): string {
  return `${createHash('sha256').update(token).digest('hex')}.${end}`
}

/** The link to give to a person: the token is in the fragment, which browsers keep to themselves. */
export function signInUrl(console: string, token: string): string {
  return `${console.replace(/\/$/, '')}/#${SIGN_IN_FRAGMENT}=${token}`
}
