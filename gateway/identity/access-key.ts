import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Scope } from '../../schemas/session.ts'

/** `sp_` and 32 random bytes in base64url: 256 bits, so a plain SHA-256 is all the hashing it needs. */
const PREFIX = 'sp_'
const SECRET_BYTES = 32
const PATTERN = /^sp_[A-Za-z0-9_-]{43}$/

/** What the gateway keeps of an access key. */
export interface AccessKey {
  readonly id: string
  readonly subject: string
  /** SHA-256 of the whole key, hex. */
  readonly sha256: string
  /** ISO 8601, UTC. */
  readonly createdAt?: string
  readonly expiresAt?: string
  readonly revokedAt?: string
  /** All that it opens, where that is less than its subject may. */
  readonly scope?: Scope
  /** The piece of work it was made for, and why. */
  readonly run?: string
  readonly purpose?: string
}

/** Whether its time is over; so it is where it cannot be told, as of a leap second, which no clock here has. */
export function hasExpired({ expiresAt }: Pick<AccessKey, 'expiresAt'>, nowMs: number): boolean {
  return expiresAt !== undefined && !(nowMs < Date.parse(expiresAt))
}

export function newAccessKey(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
}

export function isAccessKey(text: string): boolean {
  return PATTERN.test(text)
}

export function hashAccessKey(key: string): string {
  return hash('sha256', key)
}

/**
 * The key whose hash this is. Every key is compared, in constant time each, so that neither a near miss nor the place of
 * a hit can be measured.
 */
export function findAccessKey<T extends Pick<AccessKey, 'sha256'>>(secret: string, ...lists: (readonly T[])[]): T | undefined {
  const shown = hash('sha256', secret, 'buffer')
  let found: T | undefined
  for (const keys of lists) for (const key of keys) if (timingSafeEqual(digestOf(key), shown)) found = key
  return found
}

/** Of each key once: every HTTP request looks at all of them. */
const digests = new WeakMap<Pick<AccessKey, 'sha256'>, Buffer>()

function digestOf(key: Pick<AccessKey, 'sha256'>): Buffer {
  let digest = digests.get(key)
  if (digest === undefined) {
    digest = Buffer.from(key.sha256, 'hex')
    digests.set(key, digest)
  }
  return digest
}
