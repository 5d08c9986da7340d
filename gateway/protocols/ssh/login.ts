import type { ConnectConfig, ServerHostKeyAlgorithm, Client as SshClient } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { isMetadata } from '../../hosts.ts'
import { blobOf, fingerprintOf } from '../../identity/ssh-keys.ts'
import type { Chatter } from '../../intake.ts'
import { tellWhy } from './disconnect.ts'
import { AgentDoor } from './forward-ends.ts'
import { certifiedHost, isHostCertificate, takeHostCertificates } from './host-certificate.ts'
import { Client } from './library.ts'
import { connectShared } from './shared-reads.ts'
import { isSealed, quicken } from './transport.ts'
import { certifiedKey, certifiedLogin, proveByCertificate } from './user-certificate.ts'
import { guardWindows } from './window-guard.ts'

/** From the first packet to a finished login: sshd asks name services, and a busy one takes seconds. */
const LOGIN_TIMEOUT_MS = 20_000
/** Idle sessions must outlive the idle timeouts of load balancers, and a target that is gone must be noticed. */
const KEEPALIVE_MS = 60_000
const KEEPALIVE_COUNT = 3

/** A connection to the target, logged in. */
export interface Upstream {
  readonly client: SshClient
  /** What the tape says of it. */
  readonly facts: {
    readonly host: string
    readonly port: number
    readonly user: string
    readonly method: string
    readonly software: string
    readonly hostKey: string
    /** Where a certificate says whose key that is: who signed it, and the name it was given. */
    readonly hostAuthority?: string
    readonly hostCertificate?: string
    /** Of the certificate the gateway logged in by: the name it was given. */
    readonly certificate?: string
  }
}

/**
 * Connects and logs in with the gateway's own credential to a target that proves one of its pinned host keys, or a key that a pinned
 * authority has certified. Rejects TARGET_UNREACHABLE or TARGET_REFUSED, or with the signal's reason; nothing is left open then.
 */
export async function loginUpstream(
  target: Target,
  credential: Credential,
  chatter: Chatter,
  signal: AbortSignal,
): Promise<Upstream> {
  signal.throwIfAborted()
  const pinned = (credential.hostKeys ?? []).map((line) => ({ type: line.split(' ')[0] ?? '', blob: Buffer.from(blobOf(line)) }))
  const authorities = new Set((credential.hostAuthorities ?? []).map((line) => fingerprintOf(blobOf(line))))
  const { privateKey, certificateLine } = credential
  const certified =
    privateKey === undefined || certificateLine === undefined ? undefined : certifiedKey(certificateLine, privateKey, Date.now())
  const client = new Client()
  let certificates: ReturnType<typeof takeHostCertificates> | undefined
  const host = new HostCheck({ pinned: pinned.map(({ blob }) => blob), authorities, name: credential.hostName ?? target.host })
  let software = ''
  const method = privateKey === undefined ? 'password' : 'publickey'
  const config: ConnectConfig = {
    username: credential.user,
    readyTimeout: LOGIN_TIMEOUT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_COUNT,
    ident: 'Sallyport',
    algorithms: { compress: ['none'], serverHostKey: pinned.flatMap(({ type }) => algorithmsOf(type)) },
    hostVerifier: (key: Buffer) => {
      const blob = host.check(key, Date.now())
      if (blob !== undefined && blob !== key) certificates?.accept(key, blob)
      return blob !== undefined
    },
    // Never asked for a proof: those are the gateway's own.
    agent: new AgentDoor(),
    authHandler:
      certified !== undefined
        ? [certifiedLogin(credential.user, certified)]
        : privateKey === undefined
          ? ['password', 'keyboard-interactive']
          : ['publickey'],
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(credential.password === undefined ? {} : { password: credential.password, tryKeyboard: true }),
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const leave = (): void => reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  const socket = connectShared({ host: target.host, port: target.port, noDelay: true }, chatter, () => isSealed(client))
  client.on('ready', resolve)
  client.on('error', (error) => reject(failure(target, error, host.why)))
  client.on('close', () => reject(new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} left during the login`)))
  // Some servers take a password only as the answer to a question; it answers one question and no other.
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
    finish(prompts.length === 1 ? [credential.password ?? ''] : []),
  )
  client.on('greeting', () => undefined)
  client.on('handshake', () => {
    software = softwareOf(client)
  })
  socket.once('connect', () => {
    // A name may lead anywhere, and whoever got through to there would be the gateway.
    if (isMetadata(socket.remoteAddress ?? ''))
      reject(new ApplianceError('TARGET_REFUSED', `target ${target.name} leads to the metadata service of this platform`))
  })
  try {
    client.connect({ ...config, sock: socket })
    guardWindows(client)
    quicken(client, socket)
    tellWhy(client)
    if (authorities.size > 0) certificates = takeHostCertificates(client)
    if (certified !== undefined) proveByCertificate(client, certified)
    await promise
    const own = certified === undefined ? {} : { certificate: certified.keyId }
    return {
      client,
      facts: { host: target.host, port: target.port, user: credential.user, method, software, ...host.facts, ...own },
    }
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Whether a target is who it should be; the first answer stays. */
class HostCheck {
  readonly #parts: { readonly pinned: readonly Buffer[]; readonly authorities: ReadonlySet<string>; readonly name: string }
  /** Why it is a stranger. */
  why: string | undefined
  facts: Pick<Upstream['facts'], 'hostKey' | 'hostAuthority' | 'hostCertificate'> = { hostKey: '' }
  #certified: { readonly shown: Buffer; readonly blob: Buffer } | undefined

  constructor(parts: { readonly pinned: readonly Buffer[]; readonly authorities: ReadonlySet<string>; readonly name: string }) {
    this.#parts = parts
  }

  /** The key itself, the one a certificate is of, or undefined. */
  check(key: Buffer, nowMs: number): Buffer | undefined {
    const { pinned, authorities, name } = this.#parts
    // Keys are renewed in the middle of sessions: what was valid at the login stays so for this one.
    if (this.#certified?.shown.equals(key) === true) return this.#certified.blob
    if (!isHostCertificate(key)) {
      this.facts = { hostKey: fingerprintOf(key) }
      if (pinned.some((blob) => blob.equals(key))) return key
      this.why = 'shows a host key that is none of its configured ones'
      return undefined
    }
    const host = certifiedHost(key, { authorities, name, nowMs })
    if (typeof host === 'string') {
      this.why = `shows a host certificate that does not count here: ${host}`
      return undefined
    }
    this.#certified = { shown: Buffer.from(key), blob: host.blob }
    this.facts = { hostKey: host.fingerprint, hostAuthority: host.authority, hostCertificate: host.keyId }
    return host.blob
  }
}

/** Without the one by SHA-1 that the type of an RSA key is named after. */
function algorithmsOf(type: string): ServerHostKeyAlgorithm[] {
  switch (type) {
    case 'ssh-rsa':
      return ['rsa-sha2-512', 'rsa-sha2-256']
    case 'ssh-ed25519':
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
      return [type]
    default:
      return []
  }
}

/** In words a client may read; the target's own stay in `cause`. */
function failure(target: Target, cause: Error & { readonly level?: string }, stranger: string | undefined): ApplianceError {
  if (stranger !== undefined)
    return new ApplianceError('TARGET_REFUSED', `target ${target.name} ${stranger}; its operator has to look`, { cause })
  if (cause.level === 'client-authentication')
    return new ApplianceError(
      'TARGET_REFUSED',
      `target ${target.name} refused the gateway's own login; its operator has to look at the target's credential`,
      { cause },
    )
  if (cause.level === 'client-socket') {
    const reason = 'code' in cause ? String(cause.code) : 'no connection'
    return new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} cannot be reached (${reason})`, { cause })
  }
  if (cause.level === 'client-timeout')
    return new ApplianceError(
      'TARGET_UNREACHABLE',
      `target ${target.name} did not finish the login within ${LOGIN_TIMEOUT_MS} ms`,
      { cause },
    )
  return new ApplianceError('TARGET_REFUSED', `target ${target.name} and the gateway found no way to speak to each other`, {
    cause,
  })
}

/** The library keeps what the server calls itself to itself. */
function softwareOf(client: SshClient): string {
  const version: unknown = Reflect.get(client, '_remoteVer')
  return typeof version === 'string' ? version : ''
}
