import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../../schemas/errors.ts'
import type { AzureIdentity } from './identity.ts'
import { tokensOf } from './identity.ts'

/** Newest stable version of the Key Vault REST API all of whose clouds have it. */
const API_VERSION = '7.4'
const VAULT_SUFFIX = /\.(?:vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net)$/
/** Sessions cannot open while the key does not sign, so this is shorter than anybody's patience. */
const TRIES = 4
const FIRST_PAUSE_MS = 100
const TIMEOUT_MS = 5_000
/** A key or a secret (25 KiB at most), and no more. */
const MAX_ANSWER_SIZE = 64 << 10

export interface VaultPlace {
  /** Of the vault: `https://<name>.vault.azure.net`. */
  readonly url: string
  readonly identity: AzureIdentity
}

export interface VaultKey {
  /** Which of its versions this is: what a signature is checked with for ever. */
  readonly version: string
  /** Affine coordinates of the P-256 point. */
  readonly x: Uint8Array
  readonly y: Uint8Array
  /** When it stops to sign, ms; undefined: never. */
  readonly expiresMs?: number
}

interface Attempt {
  readonly answer?: Readonly<Record<string, unknown>>
  readonly why?: string
  /** Trying again may help. */
  readonly passing?: boolean
  readonly status?: number
}

/** The vault's own audience, by which tokens of one cloud are no use in another. Rejected where the host is no vault, so that no token goes elsewhere. */
export function vaultScope(url: string): string {
  const { hostname, protocol } = new URL(url)
  const cloud = VAULT_SUFFIX.exec(hostname)?.[1]
  if (protocol === 'https:' && cloud !== undefined) {
    const family = hostname.includes('.managedhsm.') ? 'managedhsm' : 'vault'
    return `https://${family}.${cloud}/.default`
  }
  // A stand-in on this machine, over TLS as everything that carries tokens.
  if (protocol === 'https:' && /^(localhost|127\.0\.0\.1)$/.test(hostname)) return 'https://vault.azure.net/.default'
  throw new ApplianceError('CONFIG_INVALID', `${hostname} is no key vault: https://<name>.vault.azure.net`)
}

/** Three calls of Key Vault, over fetch: two packages of the SDK less, and no challenge to be asked to whom a token goes. */
export class Vault {
  readonly #place: VaultPlace
  readonly #scope: string

  /** Throws CONFIG_INVALID where `url` is no vault. */
  constructor(place: VaultPlace) {
    this.#place = place
    this.#scope = vaultScope(place.url)
  }

  /** The public half of a P-256 key that may sign now; the newest version where none is given. Rejects AZURE_FAILED where it may not, or another key came. */
  async key(name: string, version = ''): Promise<VaultKey> {
    const { key, attributes } = await this.#ask('GET', `keys/${name}/${version}`)
    const { kid, kty, crv, x, y, key_ops: uses } = membersOf(key)
    if (!(kty === 'EC' || kty === 'EC-HSM') || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string')
      throw failed(`key ${name} is ${String(kty)} ${String(crv)}, not an EC key on P-256, which ES256 needs`)
    const [, ownName, ownVersion = ''] = /\/keys\/([0-9A-Za-z-]+)\/([0-9A-Za-z]+)$/.exec(String(kid)) ?? []
    if (ownName?.toLowerCase() !== name.toLowerCase() || (version !== '' && ownVersion !== version))
      throw failed(`asked for key ${name} ${version}, the vault has sent ${String(kid).slice(0, 200)}`)
    if (Array.isArray(uses) && !uses.includes('sign')) throw failed(`key ${name} ${ownVersion} is not for signing (its key_ops)`)
    const { enabled, nbf, exp } = membersOf(attributes)
    if (enabled === false) throw failed(`key ${name} ${ownVersion} is disabled`)
    if (typeof nbf === 'number' && nbf * 1000 > Date.now())
      throw failed(`key ${name} ${ownVersion} may not sign before ${timeOf(nbf)}`)
    if (typeof exp === 'number' && exp * 1000 <= Date.now())
      throw failed(`key ${name} ${ownVersion} has expired, at ${timeOf(exp)}`)
    const expires = typeof exp === 'number' ? { expiresMs: exp * 1000 } : {}
    return { version: ownVersion, x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url'), ...expires }
  }

  /** ES256 over a SHA-256 digest, r || s (RFC 7518 section 3.4). `version` as `key` gave it. */
  async sign(name: string, version: string, digest: Uint8Array): Promise<Uint8Array> {
    const path = `keys/${name}/${version}`
    const { value } = await this.#ask('POST', `${path}/sign`, { alg: 'ES256', value: Buffer.from(digest).toString('base64url') })
    const signature = typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.alloc(0)
    if (signature.length !== 64) throw failed(`the signature of ${path} has ${signature.length} bytes, not 64`)
    return signature
  }

  /** A secret's newest value; the error never has it. */
  async secret(name: string): Promise<string> {
    const { value } = await this.#ask('GET', `secrets/${name}`)
    if (typeof value !== 'string' || value === '') throw failed(`secret ${name} is empty`)
    return value
  }

  async #ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Readonly<Record<string, unknown>>> {
    for (let tries = 1; ; tries += 1) {
      const { answer, why, passing, status } = await this.#attempt(method, path, body)
      if (answer !== undefined) return answer
      if (!passing || tries >= TRIES) throw failed(`${method} ${this.#place.url}/${path}: ${why}`, status)
      await delay(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random() * 0.5))
    }
  }

  async #attempt(method: string, path: string, body: object | undefined): Promise<Attempt> {
    const { token } = await (await tokensOf(this.#place.identity)).getToken(this.#scope)
    let response: Response
    let text: string
    try {
      response = await fetch(`${this.#place.url}/${path}?api-version=${API_VERSION}`, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      text = await bounded(response)
    } catch (error) {
      return { why: reasonOf(error), passing: true }
    }
    const answer = jsonOf(text)
    if (response.ok) return answer === undefined ? { why: 'an answer that is no JSON object' } : { answer }
    const { code, message } = membersOf(answer?.['error'])
    const passing = response.status === 408 || response.status === 429 || response.status >= 500
    const { status } = response
    return { why: `${status} ${String(code ?? '')} ${String(message ?? '').slice(0, 200)}`.trim(), passing, status }
  }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > MAX_ANSWER_SIZE) throw new Error(`an answer of more than ${MAX_ANSWER_SIZE} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return membersOf(JSON.parse(text))
  } catch {
    return undefined
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** Seconds, as the vault has them; whatever it says. */
function timeOf(seconds: number): string {
  const at = new Date(seconds * 1000)
  return Number.isNaN(at.getTime()) ? `${seconds} s` : at.toISOString()
}

/** Why fetch failed stands in its error's cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

function failed(why: string, status?: number): ApplianceError {
  return new ApplianceError('AZURE_FAILED', why, status === 403 || status === 404 ? { cause: new Refusal(why) } : undefined)
}

class Refusal extends Error {}

/** Whether the vault has said that there is none, or not for us (deleted, disabled, a right taken away), which is not the same as being away. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApplianceError && error.cause instanceof Refusal
}
