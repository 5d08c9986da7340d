import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Identity } from '../../schemas/session.ts'
import type { Catalog, SignInRecord } from '../catalog/catalog.ts'

const TOKEN_BYTES = 32
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{43}$/
/** A shift; nobody stays signed in over night (OWASP ASVS 5.0, 7.3.2). */
const SIGN_IN_TTL_MS = 12 * 3_600_000
/** Left alone for so long, a page with evidence on it is somebody else's (ASVS 7.3.1). */
export const SIGN_IN_IDLE_MS = 3_600_000
/** Being seen is written down this often at most: a restart then forgets a minute of it. */
const SEEN_EVERY_MS = 60_000
/** Browsers of one person. */
const MAX_PER_SUBJECT = 20

/** Who is signed in: in memory for every request, and in the catalog's schema `desk`, so that a restart signs nobody out. */
export class SignIns {
  readonly #desk: Pick<Catalog, 'signIns' | 'putSignIn' | 'endSignIn'>
  readonly #now: () => number
  readonly #onError: (error: unknown) => void
  readonly #records = new Map<string, SignInRecord>()
  readonly #writtenMs = new Map<string, number>()
  readonly #loaded: Promise<void>

  constructor(
    desk: Pick<Catalog, 'signIns' | 'putSignIn' | 'endSignIn'>,
    onError: (error: unknown) => void,
    now: () => number = Date.now,
  ) {
    this.#desk = desk
    this.#now = now
    this.#onError = onError
    this.#loaded = this.#load()
  }

  /** Begins a sign-in under a token nobody has seen before; `instead` ends, so that no token outlives a new sign-in. */
  start(
    identity: Identity,
    expiresMs = Number.POSITIVE_INFINITY,
    instead?: string,
  ): { readonly token: string; readonly record: SignInRecord } {
    if (instead !== undefined) this.end(instead)
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const nowMs = this.#now()
    const record: SignInRecord = {
      tokenHash: hashed(token),
      identity,
      createdMs: nowMs,
      expiresMs: Math.min(nowMs + SIGN_IN_TTL_MS, expiresMs),
      seenMs: nowMs,
    }
    const own = [...this.#records.values()].filter((each) => each.identity.subject === identity.subject)
    for (const { tokenHash } of own.slice(0, Math.max(0, own.length + 1 - MAX_PER_SUBJECT))) this.#drop(tokenHash)
    this.#records.set(record.tokenHash, record)
    this.#write(record)
    return { token, record }
  }

  /** The sign-in of this token, seen now; undefined where there is none, or it has ended. */
  async seen(token: string): Promise<SignInRecord | undefined> {
    if (!TOKEN_PATTERN.test(token)) return undefined
    const tokenHash = hashed(token)
    if (!this.#records.has(tokenHash)) await this.#loaded
    if (!this.lasts(tokenHash)) return undefined
    const record = this.#records.get(tokenHash)
    if (record === undefined) return undefined
    const nowMs = this.#now()
    const seen = { ...record, seenMs: nowMs }
    this.#records.set(tokenHash, seen)
    if (nowMs - (this.#writtenMs.get(tokenHash) ?? 0) > SEEN_EVERY_MS) this.#write(seen)
    return seen
  }

  /** Whether it has neither ended nor been left alone too long; for streams that outlive their request. */
  lasts(tokenHash: string): boolean {
    const record = this.#records.get(tokenHash)
    if (record === undefined) return false
    const nowMs = this.#now()
    if (nowMs < record.expiresMs && nowMs - record.seenMs < SIGN_IN_IDLE_MS) return true
    this.#drop(tokenHash)
    return false
  }

  end(token: string): void {
    if (TOKEN_PATTERN.test(token)) this.#drop(hashed(token))
  }

  #drop(tokenHash: string): void {
    this.#writtenMs.delete(tokenHash)
    if (this.#records.delete(tokenHash)) this.#desk.endSignIn(tokenHash).catch(this.#onError)
  }

  #write(record: SignInRecord): void {
    this.#writtenMs.set(record.tokenHash, this.#now())
    this.#desk.putSignIn(record).catch(this.#onError)
  }

  async #load(): Promise<void> {
    try {
      for (const record of await this.#desk.signIns())
        if (!this.#records.has(record.tokenHash)) this.#records.set(record.tokenHash, record)
    } catch (error) {
      this.#onError(error)
    }
  }
}

/** The CSRF token that goes with a sign-in's token: whoever has only the one cannot make the other, and neither is stored. */
export function csrfOf(token: string): string {
  return createHmac('sha256', token).update('sallyport csrf').digest('base64url')
}

export function isCsrf(shown: string | undefined, token: string): boolean {
  const [one, other] = [Buffer.from(shown ?? ''), Buffer.from(csrfOf(token))]
  return one.length === other.length && timingSafeEqual(one, other)
}

function hashed(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
