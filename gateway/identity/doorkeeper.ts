import { setTimeout as delay } from 'node:timers/promises'
import type { ConfiguredIdentity } from '../../schemas/config.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Identity } from '../../schemas/session.ts'
import { type AccessKey, findAccessKey, hasExpired, isAccessKey } from './access-key.ts'
import type { AccessKeys } from './access-keys.ts'
import type { BlockedSubjects } from './blocked.ts'
import { Failures } from './failures.ts'
import { isJwt, type JwtProver } from './jwt.ts'
import { identityByKey, type Proof } from './proof.ts'
import { type SshKey, SshKeys } from './ssh-keys.ts'

/** What every failed proof hears, whatever was wrong: no oracle for subjects, keys or issuers. */
const DENIED = 'access denied: the key or token is unknown, expired or revoked; ask for a new one with `sallyport keys create`'

export interface Proving {
  readonly secret: string
  /** A key whose possession the protocol has seen proved: then there is no secret. */
  readonly sshKey?: SshKey
  /** `address:port`; failures are counted by address. */
  readonly client: string
}

export type OnDenied = (client: string, why: string) => void

/** Proves who knocks, by access key, token or SSH key. */
export class Doorkeeper {
  readonly #identities: ReadonlyMap<string, ConfiguredIdentity>
  readonly #configuredKeys: readonly AccessKey[]
  readonly #accessKeys: AccessKeys
  readonly #blocked: BlockedSubjects
  readonly #jwt: JwtProver
  readonly #sshKeys: SshKeys
  readonly #failures = new Failures()
  readonly #onDenied: OnDenied

  constructor(parts: {
    readonly identities: readonly ConfiguredIdentity[]
    readonly accessKeys: AccessKeys
    /** Who is kept out whatever they prove. */
    readonly blocked: BlockedSubjects
    readonly jwt: JwtProver
    /** Told why, for our own log. */
    readonly onDenied: OnDenied
  }) {
    this.#identities = new Map(parts.identities.map((identity) => [identity.subject, identity]))
    this.#configuredKeys = parts.identities.flatMap(({ subject, keys = [] }) =>
      keys.map(({ id, sha256, expires }) => ({ id, subject, sha256, ...(expires === undefined ? {} : { expiresAt: expires }) })),
    )
    this.#accessKeys = parts.accessKeys
    this.#blocked = parts.blocked
    this.#jwt = parts.jwt
    this.#sshKeys = new SshKeys(parts.identities)
    this.#onDenied = parts.onDenied
  }

  /** Rejects AUTH_DENIED, always with the same words and after a delay that grows with the failures of the address. */
  async prove({ secret, sshKey, client }: Proving, signal: AbortSignal): Promise<Identity> {
    const proof = await this.#admitted(sshKey === undefined ? await this.#prove(secret) : this.#sshKeys.whose(sshKey))
    if ('identity' in proof) return proof.identity
    const delayMs = this.#failures.note(client)
    this.#onDenied(client, proof.why)
    await delay(delayMs, undefined, { signal }).catch(() => undefined)
    throw new ApplianceError('AUTH_DENIED', DENIED)
  }

  /** Why what an identity once proved holds no longer: its key was revoked or has expired, or it, or the human behind, is kept out. Undefined where it does. */
  async whyNot(identity: Identity): Promise<string | undefined> {
    const { subject, proof } = identity
    const out = await this.#keptOut(identity)
    if (out !== undefined) return out
    if (!proof.startsWith('key:')) return undefined
    const id = proof.slice('key:'.length)
    const key = [...this.#configuredKeys, ...(await this.#accessKeys.list())].find((each) => each.id === id)
    if (key === undefined || key.subject !== subject) return 'its access key is gone'
    return keyProblem(key)
  }

  /** Who is kept out is, and so is whoever comes while it cannot be read who is. */
  async #admitted(proof: Proof): Promise<Proof> {
    if ('why' in proof) return proof
    try {
      const why = await this.#keptOut(proof.identity)
      return why === undefined ? proof : { why }
    } catch {
      return { why: 'who is kept out cannot be read; see `sallyport identities list`' }
    }
  }

  /** Whoever acts for somebody who is kept out is kept out with them. */
  async #keptOut({ subject, principal }: Identity): Promise<string | undefined> {
    if ((await this.#blocked.why(subject)) !== undefined) return `${subject} is kept out`
    if (principal === undefined || (await this.#blocked.why(principal)) === undefined) return undefined
    return `${subject} is kept out with ${principal}, for whom it acts`
  }

  /** Whether this key would prove somebody, were its possession proved: clients offer every key they have. */
  knows(sshKey: SshKey): boolean {
    return 'identity' in this.#sshKeys.whose(sshKey)
  }

  async #prove(secret: string): Promise<Proof> {
    if (isAccessKey(secret)) return this.#proveKey(secret)
    if (isJwt(secret)) return this.#jwt.prove(secret)
    return { why: secret === '' ? 'nothing shown' : 'neither key nor token' }
  }

  async #proveKey(secret: string): Promise<Proof> {
    // A damaged file must not tell clients of itself, nor keep out those whose keys stand elsewhere.
    const made = await this.#accessKeys.list().catch((error: unknown) => (error instanceof Error ? error : new Error('unknown')))
    const key = findAccessKey(secret, this.#configuredKeys, made instanceof Error ? [] : made)
    if (key === undefined)
      return { why: made instanceof Error ? 'the access keys cannot be read; see `sallyport keys list`' : 'unknown key' }
    const problem = keyProblem(key)
    if (problem !== undefined) return { why: problem }
    const configured = this.#identities.get(key.subject)
    if (configured === undefined) return { why: `key ${key.id} is of a subject that is not configured` }
    return { identity: identityByKey(configured, key) }
  }
}

function keyProblem(key: AccessKey): string | undefined {
  if (key.revokedAt !== undefined) return `key ${key.id} is revoked`
  return hasExpired(key, Date.now()) ? `key ${key.id} has expired` : undefined
}
