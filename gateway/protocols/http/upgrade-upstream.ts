import { request as ask, type IncomingMessage } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { isMetadata } from '../../hosts.ts'
import { type Headers, pairsOf, type RequestHead, rawOf, without } from './head.ts'
import { MAX_HEAD_BYTES } from './strict-server.ts'
import { authorityOf } from './upstream.ts'

const CONNECT_MS = 10_000

/** What a target says to an upgrade: a connection that is no longer HTTP, or an answer like any other. */
export type Upgraded = {
  readonly status: number
  readonly headers: Headers
  /** `host:port` as the target knows itself. */
  readonly authority: string
} & ({ readonly socket: Duplex } | { readonly socket: undefined; readonly body: IncomingMessage })

/**
 * Asks on a connection of its own, as it will belong to this exchange alone. Rejects TARGET_UNREACHABLE, or TARGET_REFUSED where the
 * target broke off.
 */
export async function askUpgrade(
  head: RequestHead,
  {
    target,
    credential,
    proof,
    signal,
  }: {
    readonly target: Target
    readonly credential: Pick<Credential, 'tls' | 'certificate'>
    readonly proof: Headers
    readonly signal: AbortSignal
  },
): Promise<Upgraded> {
  const socket = await open(target, credential, signal)
  return askUpgradeOn(socket, head, { authority: authorityOf(target, credential.tls.mode !== 'off'), proof, signal })
}

/** Asks on a connection that is open already, and is taken. Rejects TARGET_REFUSED where the target broke off. */
export function askUpgradeOn(
  socket: Socket,
  head: RequestHead,
  { authority, proof, signal }: { readonly authority: string; readonly proof: Headers; readonly signal: AbortSignal },
): Promise<Upgraded> {
  const own = new Set(['host', ...proof.map(([name]) => name.toLowerCase())])
  // Said, as nothing would be nothing and the end of chunks else, which whoever upgraded reads as the first of what follows.
  const length: Headers = head.method === 'GET' ? [] : [['content-length', '0']]
  const headers = rawOf([['host', authority], ['connection', 'Upgrade'], ...length, ...without(head.headers, own), ...proof])
  return new Promise((resolve, reject) => {
    const asked = ask({
      method: head.method,
      path: head.target,
      headers,
      createConnection: () => socket,
      maxHeaderSize: MAX_HEAD_BYTES,
      signal,
    })
    asked.once('upgrade', (answer, upgraded, first) => {
      if (first.length > 0) upgraded.unshift(first)
      resolve({ status: answer.statusCode ?? 101, headers: pairsOf(answer.rawHeaders), authority, socket: upgraded })
    })
    asked.once('response', (answer) =>
      resolve({
        status: answer.statusCode ?? 502,
        headers: pairsOf(answer.rawHeaders),
        authority,
        socket: undefined,
        body: answer,
      }),
    )
    asked.once('error', (cause) =>
      reject(
        signal.aborted
          ? signal.reason
          : new ApplianceError('TARGET_REFUSED', `the target broke off: ${codeOf(cause)}`, { cause }),
      ),
    )
    asked.end()
  })
}

function open(
  target: Target,
  { tls, certificate }: Pick<Credential, 'tls' | 'certificate'>,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = target
  const socket =
    tls.mode === 'off'
      ? connect({ host, port, signal })
      : connectTls({
          host,
          port,
          ALPNProtocols: ['http/1.1'],
          servername: tls.mode === 'verify' && tls.serverName !== undefined ? tls.serverName : isIP(host) === 0 ? host : '',
          rejectUnauthorized: tls.mode === 'verify',
          ...(tls.mode === 'verify' && tls.ca !== undefined ? { ca: tls.ca } : {}),
          ...certificate,
        })
  return new Promise((resolve, reject) => {
    const give = (error: unknown): void => {
      socket.destroy()
      reject(error)
    }
    const aborted = (): void => give(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    socket.setTimeout(CONNECT_MS, () =>
      give(new ApplianceError('TARGET_UNREACHABLE', 'the target cannot be reached: it does not answer')),
    )
    socket.once('error', (cause) =>
      give(new ApplianceError('TARGET_UNREACHABLE', `the target cannot be reached: ${codeOf(cause)}`, { cause })),
    )
    // Before a handshake is over nothing was sent that proves anything.
    socket.once('connect', () => {
      if (isMetadata(socket.remoteAddress ?? ''))
        give(new ApplianceError('TARGET_REFUSED', 'the target is where this platform hands out identities'))
    })
    socket.once(tls.mode === 'off' ? 'connect' : 'secureConnect', () => {
      signal.removeEventListener('abort', aborted)
      socket.setTimeout(0)
      socket.setNoDelay(true)
      resolve(socket)
    })
    if (signal.aborted) aborted()
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
