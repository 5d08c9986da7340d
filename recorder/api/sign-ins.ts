import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Identity } from '../../schemas/session.ts'
import type { Records } from '../desk/records.ts'

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

const SignInRecord = Type.Object({
  tokenHash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  identity: Type.Unsafe<Identity>(
    Type.Object({
      subject: Type.String(),
      kind: Type.Union([Type.Literal('human'), Type.Literal('agent'), Type.Literal('service')]),
      groups: Type.Array(Type.String()),
      proof: Type.String(),
    }),
  ),
  createdMs: Type.Number(),
  expiresMs: Type.Number(),
  seenMs: Type.Number(),
})
type SignInRecord = Static<typeof SignInRecord>
const checker = Compile(SignInRecord)

/** Who is signed in, as records by the hash of their token: every console that shares them knows, a restart signs nobody out, and who signs out is out everywhere. */
export class SignIns {
  readonly #records: Records
  readonly #now: () => number
  readonly #onError: (error: unknown) => void
  #texts: ReadonlyMap<string, string> | undefined
  #known = new Map<string, SignInRecord>()
  /** Ended here, and when, ms: their record may not be gone yet. */
  readonly #ended = new Map<string, number>()
  /** When each was last seen here, ms; written down less often. */
  readonly #seenMs = new Map<string, number>()

  constructor(records: Records, onError: (error: unknown) => void, now: () => number = Date.now) {
    this.#records = records
    this.#now = now
    this.#onError = onError
  }

  /** Begins a sign-in under a token nobody has seen before, durably; `instead` ends, so that no token outlives a new sign-in. */
  async start(
    identity: Identity,
    expiresMs = Number.POSITIVE_INFINITY,
    instead?: string,
  ): Promise<{ readonly token: string; readonly record: SignInRecord }> {
    if (instead !== undefined) await this.end(instead)
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const nowMs = this.#now()
    const record: SignInRecord = {
      tokenHash: hashed(token),
      identity,
      createdMs: nowMs,
      expiresMs: Math.min(nowMs + SIGN_IN_TTL_MS, expiresMs),
      seenMs: nowMs,
    }
    await this.#look()
    const own = [...this.#known.values()].filter(
      (each) => each.identity.subject === identity.subject && !this.#ended.has(each.tokenHash),
    )
    own.sort((a, b) => a.createdMs - b.createdMs)
    for (const { tokenHash } of own.slice(0, Math.max(0, own.length + 1 - MAX_PER_SUBJECT))) this.#lapse(tokenHash)
    await this.#write(record, undefined)
    return { token, record }
  }

  /** The sign-in of this token, seen now; undefined where there is none, or it has ended. Rejects where it cannot be looked for. */
  async seen(token: string): Promise<SignInRecord | undefined> {
    if (!TOKEN_PATTERN.test(token)) return undefined
    const record = await this.#lasting(hashed(token))
    if (record === undefined) return undefined
    const seen = { ...record, seenMs: this.#now() }
    const before = this.#texts?.get(pathOf(record.tokenHash))
    if (before !== undefined && seen.seenMs - record.seenMs > SEEN_EVERY_MS) this.#write(seen, before).catch(this.#onError)
    this.#seenMs.set(record.tokenHash, seen.seenMs)
    return seen
  }

  /** Whether it has neither ended nor been left alone too long; for streams that outlive their request. */
  async lasts(tokenHash: string): Promise<boolean> {
    return (await this.#lasting(tokenHash)) !== undefined
  }

  /** It is over everywhere when this resolves. Rejects where its record cannot be removed: then it goes on, and may be ended again. */
  async end(token: string): Promise<void> {
    if (TOKEN_PATTERN.test(token)) await this.#drop(hashed(token))
  }

  /** As it was last written, wherever that was. */
  async #lasting(tokenHash: string): Promise<SignInRecord | undefined> {
    await this.#look()
    const record = this.#ended.has(tokenHash) ? undefined : this.#known.get(tokenHash)
    if (record === undefined) return undefined
    const nowMs = this.#now()
    const seenMs = Math.max(record.seenMs, this.#seenMs.get(tokenHash) ?? 0)
    if (nowMs < record.expiresMs && nowMs - seenMs < SIGN_IN_IDLE_MS) return record
    this.#lapse(tokenHash)
    return undefined
  }

  async #look(): Promise<void> {
    const texts = await this.#records.all('')
    if (texts === this.#texts) return
    this.#texts = texts
    this.#known = new Map()
    for (const text of texts.values()) {
      const record: unknown = JSON.parse(text)
      if (checker.Check(record)) this.#known.set(record.tokenHash, record)
    }
    for (const [ended, atMs] of this.#ended) if (atMs + SIGN_IN_TTL_MS < this.#now()) this.#ended.delete(ended)
    for (const { tokenHash, expiresMs } of this.#known.values()) if (expiresMs <= this.#now()) this.#lapse(tokenHash)
  }

  /** What would be refused anyway: where its record stays, the next who looks tries again. */
  #lapse(tokenHash: string): void {
    if (!this.#ended.has(tokenHash)) this.#drop(tokenHash).catch(this.#onError)
  }

  async #drop(tokenHash: string): Promise<void> {
    this.#ended.set(tokenHash, this.#now())
    this.#seenMs.delete(tokenHash)
    await this.#writing
    try {
      await this.#records.remove(pathOf(tokenHash))
    } catch (error) {
      // Not ended for the others, so not here either: whoever signs out again must find it.
      this.#ended.delete(tokenHash)
      throw error
    }
  }

  /** In order: what is written last stays. */
  #writing: Promise<void> = Promise.resolve()

  /** Over `before` only: what was removed elsewhere meanwhile does not come back. */
  #write(record: SignInRecord, before: string | undefined): Promise<void> {
    const write = async (): Promise<void> => {
      if (this.#ended.has(record.tokenHash)) return
      await this.#records.swap(pathOf(record.tokenHash), before, JSON.stringify(record))
    }
    const written = this.#writing.then(write)
    this.#writing = written.catch(() => undefined)
    return written
  }
}

function pathOf(tokenHash: string): string {
  return `${tokenHash}.json`
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
