import type { ConnectConfig, ServerHostKeyAlgorithm, Client as SshClient } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { isMetadata } from '../../hosts.ts'
import { blobOf, fingerprintOf } from '../../identity/ssh-keys.ts'
import { AgentDoor } from './forward-ends.ts'
import { Client } from './library.ts'
import { connectShared } from './shared-reads.ts'
import { isSealed, quicken } from './transport.ts'
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
  }
}

/**
 * Connects and logs in with the gateway's own credential to a target that proves one of its pinned host keys. Rejects
 * TARGET_UNREACHABLE or TARGET_REFUSED, or with the signal's reason; nothing is left open then.
 */
export async function loginUpstream(target: Target, credential: Credential, signal: AbortSignal): Promise<Upstream> {
  signal.throwIfAborted()
  const pinned = (credential.hostKeys ?? []).map((line) => ({ type: line.split(' ')[0] ?? '', blob: Buffer.from(blobOf(line)) }))
  const client = new Client()
  let hostKey = ''
  let stranger = false
  let software = ''
  const method = credential.privateKey === undefined ? 'password' : 'publickey'
  const config: ConnectConfig = {
    username: credential.user,
    readyTimeout: LOGIN_TIMEOUT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_COUNT,
    ident: 'Sallyport',
    algorithms: { compress: ['none'], serverHostKey: pinned.flatMap(({ type }) => algorithmsOf(type)) },
    hostVerifier: (key: Buffer) => {
      hostKey = fingerprintOf(key)
      stranger = !pinned.some(({ blob }) => blob.equals(key))
      return !stranger
    },
    // Never asked for a proof: those are the gateway's own.
    agent: new AgentDoor(),
    authHandler: credential.privateKey === undefined ? ['password', 'keyboard-interactive'] : ['publickey'],
    ...(credential.privateKey === undefined ? {} : { privateKey: credential.privateKey }),
    ...(credential.password === undefined ? {} : { password: credential.password, tryKeyboard: true }),
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const leave = (): void => reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  const socket = connectShared({ host: target.host, port: target.port, noDelay: true }, () => isSealed(client))
  client.on('ready', resolve)
  client.on('error', (error) => reject(failure(target, error, stranger)))
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
    await promise
    return { client, facts: { host: target.host, port: target.port, user: credential.user, method, software, hostKey } }
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
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
function failure(target: Target, cause: Error & { readonly level?: string }, stranger: boolean): ApplianceError {
  if (stranger)
    return new ApplianceError(
      'TARGET_REFUSED',
      `target ${target.name} shows a host key that is none of its configured ones; its operator has to look`,
      { cause },
    )
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
