import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { ApplianceError } from '../../../schemas/errors.ts'
import { saslPrep } from './scram-saslprep.ts'

const deriveKey = promisify(pbkdf2)

/** SCRAM-SHA-256 with or without channel binding (RFC 5802, RFC 7677; tls-server-end-point: RFC 5929). */
export type Mechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'

/**
 * How the channel is bound. `none`: no TLS, or a certificate no binding is defined for. `unoffered`: we could, the server says
 * it cannot; it checks that claim, so that nobody between us can have removed the offer.
 */
export type Binding =
  | { readonly kind: 'none' }
  | { readonly kind: 'unoffered' }
  | { readonly kind: 'bound'; readonly data: Uint8Array }

/** PostgreSQL's default is 4,096; OWASP asks for 600,000. More is a server that wants to keep us busy. */
const MAX_ITERATIONS = 1_000_000
/** As many as there are targets and roles, usually; 96 bytes each. */
const MAX_CACHED_KEYS = 256

interface Keys {
  readonly client: Buffer
  readonly server: Buffer
}

/** By a keyed hash of the password, salt and iterations: PBKDF2 costs 680 us at 4,096 iterations, on every login. */
const cache = new Map<string, Promise<Keys>>()
const cacheKey = randomBytes(32)

/** One exchange, client's side. Call `first`, `final` and `verify` in this order, each once. */
export class Scram {
  readonly #password: string
  readonly #binding: Binding
  readonly #nonce: string
  #transcript = ''
  #serverKey: Buffer | undefined

  /** `nonce`: printable ASCII without commas; given only by tests. */
  constructor(password: string, binding: Binding, nonce: string = randomBytes(18).toString('base64')) {
    this.#password = password
    this.#binding = binding
    this.#nonce = nonce
  }

  /** client-first-message. The user is in the startup packet; PostgreSQL ignores the one here (manual, "SCRAM-SHA-256 Authentication"). */
  first(user = ''): string {
    const bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`
    this.#transcript = bare
    return `${this.#header()}${bare}`
  }

  /** server-first-message to client-final-message. Rejects TARGET_REFUSED when the server's word is malformed or out of bounds. */
  async final(serverFirst: string): Promise<string> {
    const match = /^r=([\x21-\x2B\x2D-\x7E]+),s=([A-Za-z0-9+/]+={0,2}),i=([0-9]{1,10})(?:,.*)?$/.exec(serverFirst)
    const [, nonce, salt, count] = match ?? []
    if (nonce === undefined || salt === undefined || count === undefined) throw broken('its first message is malformed')
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) throw broken('it did not extend our nonce')
    const iterations = Number(count)
    if (iterations < 1 || iterations > MAX_ITERATIONS)
      throw broken(`it asks for ${count} iterations; 1 to ${MAX_ITERATIONS} are done`)
    const keys = await keysOf(saslPrep(this.#password), salt, iterations)
    const bound = this.#binding.kind === 'bound' ? this.#binding.data : new Uint8Array(0)
    const channel = Buffer.concat([Buffer.from(this.#header()), bound]).toString('base64')
    const withoutProof = `c=${channel},r=${nonce}`
    this.#transcript = `${this.#transcript},${serverFirst},${withoutProof}`
    this.#serverKey = keys.server
    const stored = createHash('sha256').update(keys.client).digest()
    const proof = hmac(stored, this.#transcript)
    for (let at = 0; at < proof.length; at++) proof[at] = (proof[at] ?? 0) ^ (keys.client[at] ?? 0)
    return `${withoutProof},p=${proof.toString('base64')}`
  }

  /** server-final-message: throws TARGET_REFUSED unless the server knows the password, too. */
  verify(serverFinal: string): void {
    if (this.#serverKey === undefined) throw broken('it ended the exchange before its time')
    const signature = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/.exec(serverFinal)?.[1]
    if (signature === undefined) throw broken('its last message is malformed')
    const expected = hmac(this.#serverKey, this.#transcript)
    const given = Buffer.from(signature, 'base64')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw broken('it could not prove that it knows the password: it may be an impostor')
    }
  }

  #header(): string {
    switch (this.#binding.kind) {
      case 'none':
        return 'n,,'
      case 'unoffered':
        return 'y,,'
      case 'bound':
        return 'p=tls-server-end-point,,'
      default:
        throw this.#binding satisfies never
    }
  }
}

function broken(what: string): ApplianceError {
  return new ApplianceError('TARGET_REFUSED', `SCRAM exchange with the target failed: ${what}`)
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function keysOf(password: string, salt: string, iterations: number): Promise<Keys> {
  const id = createHmac('sha256', cacheKey).update(`${iterations} ${salt} ${password}`).digest('base64')
  const known = cache.get(id)
  if (known !== undefined) return known
  const keys = deriveKey(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256').then((salted) => ({
    client: hmac(salted, 'Client Key'),
    server: hmac(salted, 'Server Key'),
  }))
  keys.catch(() => cache.delete(id))
  const oldest = cache.keys().next().value
  if (cache.size >= MAX_CACHED_KEYS && oldest !== undefined) cache.delete(oldest)
  cache.set(id, keys)
  return keys
}
