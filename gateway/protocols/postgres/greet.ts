import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Knock } from '../../protocol.ts'
import { checkStartup, negotiation, parseTarget, type Startup } from './greet-startup.ts'
import { ALPN, acceptTls } from './greet-tls.ts'
import { dismiss, reportError } from './refuse.ts'
import { readStartup, type StartupPacket, startupSize } from './startup-packet.ts'
import { pull, pullPacket, push, tolerateErrors } from './startup-pull.ts'

/** Who came. After `startup` the client waits for AuthenticationOk or an ErrorResponse; every byte it sent beyond its password is still in `client`. */
export type Greeting =
  | (Startup & {
      readonly kind: 'startup'
      readonly client: Duplex
      readonly knock: Knock
      readonly tls: ClientTls | undefined
      /** What the client was asked (behind the TLS answer), for the tape that did not exist yet. */
      readonly sent: Uint8Array
    })
  | { readonly kind: 'cancel'; readonly client: Duplex; readonly key: Uint8Array }
  /** Nobody to serve: left, or was refused (`error`) and told so. The connection is closed. */
  | { readonly kind: 'closed'; readonly error?: ApplianceError }

interface ClientTls {
  readonly protocol: string
  readonly how: 'request' | 'direct'
}

export interface GreetOptions {
  readonly tls: { readonly context: SecureContext; readonly required: boolean }
  /** For the whole greeting, TLS handshake and password included. */
  readonly deadlineMs?: number
}

/** The server's authentication_timeout is 60 s, made for people typing; ours are agents and tools that have the password at hand. */
const GREETING_DEADLINE_MS = 30_000
/** Room for a JWT with many groups; the server itself takes 65,535 bytes (PG_MAX_AUTH_TOKEN_LENGTH). */
export const MAX_PASSWORD_BYTES = 64 * 1024

const CLEARTEXT_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]) // AuthenticationCleartextPassword
const TLS_HANDSHAKE = 0x16 // first byte of a TLS record that opens a handshake

/** What is known of the peer so far; grows while it is greeted. */
interface Visitor {
  stream: Duplex
  tls: ClientTls | undefined
}

/**
 * Hears a new connection out until its password is known (TLS, protocol version, parameters, proof), or until it proves to be
 * a CancelRequest. A peer that breaks the protocol or the deadline is told so where it can hear it, and closed; that is a
 * result (`closed`), never a rejection. Rejects only with `signal`'s reason, after closing the client.
 */
export async function greet(client: Duplex, options: GreetOptions, signal: AbortSignal): Promise<Greeting> {
  tolerateErrors(client)
  const visitor: Visitor = { stream: client, tls: undefined }
  const from = addressOf(client)
  const late = new AbortController()
  const deadlineMs = options.deadlineMs ?? GREETING_DEADLINE_MS
  const timer = setTimeout(() => {
    late.abort(new ApplianceError('PROTOCOL_TIMEOUT', `the connection was not set up within ${deadlineMs} ms`))
  }, deadlineMs)
  const stop = AbortSignal.any([signal, late.signal])
  try {
    return (await hear(visitor, options, from, stop)) ?? (await left(visitor))
  } catch (error) {
    if (signal.aborted) {
      client.destroy()
      throw signal.reason
    }
    const refused = error instanceof ApplianceError ? error : undefined
    // A peer in the middle of a handshake cannot read plain bytes; OpenSSL has sent its alert.
    if (!shaking(visitor)) await dismiss(visitor.stream, reportError(error))
    client.destroy()
    if (refused === undefined) throw error
    return { kind: 'closed', error: refused }
  } finally {
    clearTimeout(timer)
  }
}

async function left(visitor: Visitor): Promise<Greeting> {
  await dismiss(visitor.stream, undefined)
  return { kind: 'closed' }
}

/** TLS was agreed on and is not there yet. */
function shaking(visitor: Visitor): boolean {
  return visitor.tls !== undefined && !(visitor.stream instanceof TLSSocket)
}

/** undefined: the client left. */
async function hear(visitor: Visitor, options: GreetOptions, from: string, stop: AbortSignal): Promise<Greeting | undefined> {
  const first = await pull(visitor.stream, 1, stop)
  if (first === undefined) return undefined
  visitor.stream.unshift(first)
  if (first[0] === TLS_HANDSHAKE) await secure(visitor, options, 'direct', stop)

  const seen = new Set<'ssl' | 'gss'>()
  for (;;) {
    const received = await pullStartup(visitor.stream, stop)
    if (received === undefined) return undefined
    const packet = readStartup(received.subarray(4))
    switch (packet.kind) {
      case 'ssl':
      case 'gss':
        if (visitor.tls !== undefined || seen.has(packet.kind)) {
          throw new ApplianceError(
            'PROTOCOL_MALFORMED',
            `a second ${packet.kind.toUpperCase()} encryption request on one connection`,
          )
        }
        seen.add(packet.kind)
        if (packet.kind === 'ssl') await secure(visitor, options, 'request', stop)
        // GSSAPI encryption is not spoken here; the client goes on without it or asks for TLS next.
        else await push(visitor.stream, Buffer.from('N'))
        break
      case 'cancel':
        return { kind: 'cancel', client: visitor.stream, key: packet.key }
      case 'startup':
        return admit(visitor, packet, received, options, from, stop)
      default:
        throw packet satisfies never
    }
  }
}

/** Bytes behind the request could only have been put there by someone between us: they would be taken as if they came through TLS (CVE-2021-23222). */
async function secure(visitor: Visitor, options: GreetOptions, how: ClientTls['how'], stop: AbortSignal): Promise<void> {
  if (how === 'request') {
    if (visitor.stream.readableLength > 0) {
      throw new ApplianceError(
        'PROTOCOL_MALFORMED',
        'received unencrypted data after SSL request; this could be an attack on the connection',
      )
    }
    visitor.tls = { protocol: 'unfinished', how }
    await push(visitor.stream, Buffer.from('S'))
  }
  visitor.tls = { protocol: 'unfinished', how }
  const secured = await acceptTls(visitor.stream, options.tls.context, stop)
  visitor.stream = secured
  visitor.tls = { protocol: secured.getProtocol() ?? 'unknown', how }
  if (how === 'direct' && secured.alpnProtocol !== ALPN) {
    throw new ApplianceError('PROTOCOL_MALFORMED', `direct TLS without the application protocol ${JSON.stringify(ALPN)} (ALPN)`)
  }
}

/** Length field and body, as they came. */
async function pullStartup(stream: Duplex, stop: AbortSignal): Promise<Buffer | undefined> {
  const head = await pull(stream, 4, stop)
  if (head === undefined) return undefined
  const body = await pull(stream, startupSize(head.readUInt32BE(0)), stop)
  return body === undefined ? undefined : Buffer.concat([head, body])
}

async function admit(
  visitor: Visitor,
  packet: Extract<StartupPacket, { kind: 'startup' }>,
  received: Uint8Array,
  options: GreetOptions,
  from: string,
  stop: AbortSignal,
): Promise<Greeting | undefined> {
  const startup = checkStartup(packet, received)
  const { target, database } = parseTarget(startup)
  if (visitor.tls === undefined && options.tls.required) {
    throw new ApplianceError('AUTH_INSECURE', 'this gateway takes connections over TLS only')
  }
  const negotiated = negotiation(packet)
  const sent = negotiated === undefined ? CLEARTEXT_PASSWORD : Buffer.concat([negotiated, CLEARTEXT_PASSWORD])
  await push(visitor.stream, sent)
  const secret = await pullPassword(visitor.stream, stop)
  if (secret === undefined) return undefined
  const knock: Knock = {
    protocol: 'postgres',
    client: from,
    secret,
    target,
    ...(database === undefined ? {} : { database }),
    claims: { ...startup.claims, tls: visitor.tls?.protocol ?? 'none' },
  }
  return { kind: 'startup', client: visitor.stream, ...startup, knock, tls: visitor.tls, sent }
}

async function pullPassword(stream: Duplex, stop: AbortSignal): Promise<string | undefined> {
  const packet = await pullPacket(stream, MAX_PASSWORD_BYTES, stop)
  if (packet === undefined) return undefined
  if (packet.type !== 'p') throw new ApplianceError('PROTOCOL_MALFORMED', 'expected a password message')
  if (packet.body.indexOf(0) !== packet.body.length - 1)
    throw new ApplianceError('PROTOCOL_MALFORMED', 'invalid password message')
  if (packet.body.length === 1) throw new ApplianceError('AUTH_REQUIRED', 'the password is empty')
  return packet.body.toString('utf8', 0, packet.body.length - 1)
}

function addressOf(client: Duplex): string {
  const { remoteAddress, remotePort } = client as { remoteAddress?: unknown; remotePort?: unknown }
  return typeof remoteAddress === 'string' && typeof remotePort === 'number' ? `${remoteAddress}:${remotePort}` : 'local'
}
