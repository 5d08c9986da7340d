import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { serialize } from 'pg-protocol'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { upstreamParameters } from './login-parameters.ts'
import { refusedBy } from './login-refusal.ts'
import { type Binding, type Mechanism, Scram } from './scram.ts'
import { readReport, ServerError } from './startup-error.ts'
import { type Version, writeStartup } from './startup-packet.ts'
import { type Packet, push } from './startup-pull.ts'
import { dial, type Line } from './upstream.ts'
import { pin } from './upstream-pins.ts'
import { pullAnswer } from './upstream-query.ts'
import { endPointBinding } from './upstream-tls.ts'

type Authentication = 'none' | 'cleartext' | 'md5' | Mechanism

/** A target's server, logged in and idle: its next message answers whatever is written to `socket` next. */
export interface Upstream {
  readonly socket: Duplex
  /** What server and gateway speak; may be older than what the client speaks. */
  readonly version: Version
  /** Parameters as reported (ParameterStatus), the pinned settings in force among them. */
  readonly parameters: ReadonlyMap<string, string>
  readonly serverVersion: string
  readonly processId: number
  /** Process id and secret, as a CancelRequest carries them; empty where the server gave none. */
  readonly cancelKey: Uint8Array
  readonly tls: { readonly protocol: string } | undefined
  readonly authentication: Authentication
  /** Whole NoticeResponse messages that came with the login (a login trigger's, a password's expiry), still unmasked. */
  readonly notices: readonly Uint8Array[]
}

/** What the client asked for, to be passed on. */
export interface LoginRequest {
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
  readonly version: Version
}

/** From the first byte to ReadyForQuery. The server's own authentication_timeout is 60 s. */
const LOGIN_TIMEOUT_MS = 30_000
/** The largest message of a login is an ErrorResponse; libpq takes 30,000 bytes of one. */
const MAX_LOGIN_BYTES = 64 * 1024
const MAX_NOTICES = 64
/** Server versions 9.2 and older, and some poolers, break on a newer minor version instead of negotiating. */
const CANNOT_NEGOTIATE = new Set(['08P01', '0A000'])

/**
 * Logs in with the gateway's own credential and makes sure that the pinned settings are in force. Rejects TARGET_UNREACHABLE,
 * TARGET_REFUSED (its `cause` has the server's own words, which may name our user: for the log only), PROTOCOL_UNSUPPORTED for
 * parameters that are not passed on, or with the signal's reason. Leaves no connection open when it rejects.
 */
export async function loginUpstream(
  target: Target,
  credential: Credential,
  request: LoginRequest,
  signal: AbortSignal,
): Promise<Upstream> {
  // Version 3.1 was never used by any server (manual, "Protocol Versions").
  const version = { major: 3, minor: request.version.minor >= 2 ? 2 : 0 }
  try {
    return await attempt(target, credential, { ...request, version }, signal)
  } catch (error) {
    const unheard =
      error instanceof ApplianceError && error.cause instanceof ServerError && CANNOT_NEGOTIATE.has(error.cause.sqlState)
    if (!unheard || version.minor === 0) throw error
    return attempt(target, credential, { ...request, version: { major: 3, minor: 0 } }, signal)
  }
}

async function attempt(target: Target, credential: Credential, request: LoginRequest, signal: AbortSignal): Promise<Upstream> {
  const parameters = upstreamParameters(request.parameters, { user: credential.user, database: request.database })
  const line = await dial(target, credential, signal)
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(
      new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} did not finish the login within ${LOGIN_TIMEOUT_MS} ms`),
    )
  }, LOGIN_TIMEOUT_MS)
  try {
    const stop = AbortSignal.any([signal, late.signal])
    await push(line.socket, writeStartup(request.version, parameters))
    const upstream = await new Login(target, credential, line, request).run(stop)
    return { ...upstream, parameters: await pin(upstream.socket, upstream.parameters, stop) }
  } catch (error) {
    line.socket.destroy()
    throw error instanceof ServerError ? refusedBy(target, credential, request.database, error) : error
  } finally {
    clearTimeout(timer)
  }
}

/** The dialogue between startup packet and ReadyForQuery (manual, "Start-up"). */
class Login {
  readonly #target: Target
  readonly #credential: Credential
  readonly #line: Line
  readonly #parameters = new Map<string, string>()
  readonly #notices: Uint8Array[] = []
  #version: Version
  #authentication: Authentication = 'none'
  #scram: Scram | undefined
  /** `open` until the server says AuthenticationOk; `proved` once it has shown, in SCRAM, that it knows the password. */
  #state: 'open' | 'exchanging' | 'proved' | 'in' = 'open'
  #cancelKey: Uint8Array = new Uint8Array(0)

  constructor(target: Target, credential: Credential, line: Line, request: LoginRequest) {
    this.#target = target
    this.#credential = credential
    this.#line = line
    this.#version = request.version
  }

  async run(signal: AbortSignal): Promise<Upstream> {
    for (;;) {
      const packet = await pullAnswer(this.#line.socket, MAX_LOGIN_BYTES, signal)
      if (packet === undefined)
        throw new ApplianceError('TARGET_UNREACHABLE', `target ${this.#target.name} left during the login`)
      if (await this.#hear(packet)) return this.#upstream()
    }
  }

  /** True when the login is done. */
  async #hear({ type, body }: Packet): Promise<boolean> {
    switch (type) {
      case 'R':
        await this.#authenticate(body)
        return false
      case 'E':
        throw new ServerError(readReport(body))
      case 'N':
        if (this.#notices.length < MAX_NOTICES) this.#notices.push(whole(type, body))
        return false
      case 'v':
        if (body.length < 8 || body.readUInt16BE(0) !== 3) throw this.#unexpected('a version it cannot speak')
        this.#version = { major: 3, minor: Math.min(body.readUInt16BE(2), this.#version.minor) }
        return false
      case 'S': {
        const [name, value] = body.toString('utf8').split('\0')
        if (name !== undefined && value !== undefined) this.#parameters.set(name, value)
        return false
      }
      case 'K':
        if (body.length < 8 || body.length > 4 + 256) throw this.#unexpected(`a cancel key of ${body.length} bytes`)
        this.#cancelKey = Uint8Array.from(body)
        return false
      case 'Z':
        if (this.#state !== 'in') throw this.#unexpected('ReadyForQuery before the login was over')
        return true
      default:
        throw this.#unexpected(`message ${JSON.stringify(type)}`)
    }
  }

  /** Authentication requests by their number (manual, "Message Formats", Authentication...). */
  async #authenticate(body: Buffer): Promise<void> {
    const kind = body.length < 4 ? -1 : body.readUInt32BE(0)
    const data = body.subarray(4)
    switch (kind) {
      case 0:
        // A server that leaves the exchange early has not proved itself: whoever says so may know nothing.
        if (this.#state === 'exchanging' || this.#state === 'in') throw this.#unexpected('AuthenticationOk out of turn')
        this.#state = 'in'
        return
      case 3:
        this.#once('cleartext')
        if (!this.#line.private) {
          throw new ApplianceError(
            'TARGET_REFUSED',
            `target ${this.#target.name} asks for the password in the clear; that is given only over TLS with a verified certificate, or on loopback`,
          )
        }
        return this.#say(serialize.password(this.#password()))
      case 5:
        this.#once('md5')
        if (data.length !== 4) throw this.#unexpected('an md5 request without its salt')
        return this.#say(serialize.password(md5(this.#credential.user, this.#password(), data)))
      case 10:
        return this.#beginScram(data.toString('latin1').split('\0'))
      case 11:
        if (this.#scram === undefined || this.#state !== 'exchanging') throw this.#unexpected('SASL out of turn')
        return this.#say(serialize.sendSCRAMClientFinalMessage(await this.#scram.final(data.toString('utf8'))))
      case 12:
        if (this.#scram === undefined || this.#state !== 'exchanging') throw this.#unexpected('SASL out of turn')
        this.#scram.verify(data.toString('utf8'))
        this.#state = 'proved'
        return
      default:
        throw new ApplianceError(
          'TARGET_REFUSED',
          `target ${this.#target.name} asks for an authentication method (${kind}) that is not supported`,
        )
    }
  }

  async #beginScram(offered: readonly string[]): Promise<void> {
    const certificate = this.#line.tls?.getPeerX509Certificate()
    const data = certificate === undefined ? undefined : endPointBinding(certificate.raw)
    const plus = offered.includes('SCRAM-SHA-256-PLUS')
    if (!plus && !offered.includes('SCRAM-SHA-256')) {
      throw new ApplianceError(
        'TARGET_REFUSED',
        `target ${this.#target.name} offers none of the SASL mechanisms supported (SCRAM-SHA-256, -PLUS)`,
      )
    }
    const binding: Binding = data === undefined ? { kind: 'none' } : plus ? { kind: 'bound', data } : { kind: 'unoffered' }
    const mechanism: Mechanism = binding.kind === 'bound' ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256'
    this.#once(mechanism)
    this.#state = 'exchanging'
    this.#scram = new Scram(this.#password(), binding)
    await this.#say(serialize.sendSASLInitialResponseMessage(mechanism, this.#scram.first()))
  }

  #once(authentication: Authentication): void {
    if (this.#authentication !== 'none' || this.#state !== 'open') throw this.#unexpected('a second authentication request')
    this.#authentication = authentication
  }

  #password(): string {
    const { password } = this.#credential
    if (password === undefined) {
      throw new ApplianceError('TARGET_REFUSED', `target ${this.#target.name} asks for a password, and its credential has none`)
    }
    return password
  }

  #say(bytes: Uint8Array): Promise<void> {
    return push(this.#line.socket, bytes)
  }

  #unexpected(what: string): ApplianceError {
    return new ApplianceError('TARGET_REFUSED', `target ${this.#target.name} broke the protocol during the login: ${what}`)
  }

  #upstream(): Upstream {
    const { socket, tls } = this.#line
    const key = Buffer.from(this.#cancelKey)
    return {
      socket,
      version: this.#version,
      parameters: this.#parameters,
      serverVersion: this.#parameters.get('server_version') ?? 'unknown',
      processId: key.length < 4 ? 0 : key.readUInt32BE(0),
      cancelKey: this.#cancelKey,
      tls: tls === undefined ? undefined : { protocol: tls.getProtocol() ?? 'unknown' },
      authentication: this.#authentication,
      notices: this.#notices,
    }
  }
}

/** `md5` + md5(md5(password + user) + salt), all in hex (manual, "Authentication" in "Start-up"). */
function md5(user: string, password: string, salt: Uint8Array): string {
  const inner = createHash('md5').update(password).update(user).digest('hex')
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`
}

function whole(type: string, body: Uint8Array): Uint8Array {
  const message = Buffer.alloc(5 + body.length)
  message.write(type, 0, 'latin1')
  message.writeUInt32BE(4 + body.length, 1)
  message.set(body, 5)
  return message
}
