import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AuthContext, Connection, ServerConfig } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { DeviceLogins } from '../../identity/device-logins.ts'
import type { SshKey } from '../../identity/ssh-keys.ts'
import type { Session, Sessions } from '../../protocol.ts'
import { offered } from './certificate.ts'
import { because, NO_MORE_AUTH_METHODS, tellWhy } from './disconnect.ts'
import { hearLate } from './late-requests.ts'
import { Server } from './library.ts'
import { preferGcm } from './offer.ts'
import { askedFor } from './question.ts'
import { guardRequests } from './request-guard.ts'
import { quicken } from './transport.ts'
import { guardWindows } from './window-guard.ts'

const METHODS = ['publickey', 'password', 'keyboard-interactive'] as const
/** Clients offer every key they have before they ask for a password; a script that guesses has this many tries per connection. */
const MAX_ATTEMPTS = 20

export interface Door {
  readonly hostKeys: readonly string[]
  /** Fingerprints of those who sign users' certificates. */
  readonly authorities: ReadonlySet<string>
  /** Where people may sign in by a browser. */
  readonly devices?: DeviceLogins
}

/** A client that has proved who it is. Nothing of what it sends is heard before `admit`. */
export interface Greeting {
  readonly connection: Connection
  /** Or why there is none, which a client can only be told once it is in. */
  readonly opened: Session | ApplianceError
  readonly facts: { readonly user: string; readonly method: string; readonly software: string }
  admit(): void
}

/**
 * Key exchange and authentication (RFC 4253, RFC 4252). Undefined when the client left, or was sent away for what it showed.
 * `signal`: the listener's; its reason is told.
 */
export async function greet(socket: Duplex, door: Door, sessions: Sessions, signal: AbortSignal): Promise<Greeting | undefined> {
  if (!(socket instanceof Socket)) throw new TypeError('ssh is spoken over sockets')
  const config: ServerConfig = {
    hostKeys: [...door.hostKeys],
    // OpenSSH's clients say where they stop reading to no other.
    ident: 'OpenSSH_compatible_Sallyport',
    // Rekeys and windows are the library's; nothing is compressed, so that no length tells of what stands beside it.
    algorithms: { compress: ['none'] },
  }
  const { promise, resolve, reject } = Promise.withResolvers<Greeting | undefined>()
  const server = new Server(config, (connection, { header }) => {
    guardWindows(connection)
    quicken(connection, socket)
    guardRequests(connection, socket)
    hearLate(connection)
    tellWhy(connection)
    preferGcm(connection, header.versions.software)
    // What a peer breaks is said by the close that follows.
    connection.on('error', () => undefined)
    const leave = (): void => {
      if (signal.reason instanceof ApplianceError) because(connection, `${signal.reason.code}: ${signal.reason.message}`)
      connection.end()
    }
    signal.addEventListener('abort', leave, { once: true })
    const closed = new AbortController()
    const over = AbortSignal.any([signal, closed.signal])
    const proving = new Proving({
      door,
      sessions,
      signal: over,
      software: header.versions.software,
      address: networkAddress(socket),
    })
    connection.on('authentication', (context) => {
      proving.take(context, connection).then(
        (greeting) => {
          if (greeting !== undefined) resolve(greeting)
        },
        (error: unknown) => {
          connection.end()
          reject(error)
        },
      )
    })
    connection.on('close', () => {
      signal.removeEventListener('abort', leave)
      closed.abort()
    })
  })
  // SSH has no half of a connection, but the listener's sockets do: who ended hears nothing more.
  socket.once('end', () => socket.destroy())
  socket.once('close', () => resolve(undefined))
  server.injectSocket(socket)
  return promise
}

interface ProvingParts {
  readonly door: Door
  readonly sessions: Sessions
  readonly signal: AbortSignal
  readonly software: string
  readonly address: string
}

interface Shown {
  readonly secret: string
  readonly sshKey?: SshKey
  readonly byDevice?: boolean
}

/** One client's attempts. */
class Proving {
  readonly #parts: ProvingParts
  #attempts = 0
  #proved = false

  constructor(parts: ProvingParts) {
    this.#parts = parts
  }

  /** The greeting, once an attempt has succeeded. */
  async take(context: AuthContext, connection: Connection): Promise<Greeting | undefined> {
    if (this.#proved) return undefined
    if (++this.#attempts > MAX_ATTEMPTS) {
      because(connection, `${MAX_ATTEMPTS} attempts to sign in were not enough`, NO_MORE_AUTH_METHODS)
      connection.end()
      return undefined
    }
    const shown = await this.#shown(context)
    if (shown === undefined) return undefined
    const { user, target } = addressed(context.username)
    const { sessions, signal, software } = this.#parts
    const { byDevice, ...proof } = shown
    let opened: Session | ApplianceError
    try {
      const claims = { user, software, ...(byDevice === true ? { signIn: 'device' } : {}) }
      opened = await sessions.open({ protocol: 'ssh', client: '', ...proof, target, claims }, signal)
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      if (error.code.startsWith('AUTH_')) {
        context.reject([...METHODS])
        return undefined
      }
      opened = error
    }
    this.#proved = true
    const method = byDevice === true ? `${context.method} (device)` : context.method
    const facts = { user: context.username, method, software }
    return { connection, opened, facts, admit: () => context.accept() }
  }

  /** What was shown as a proof; undefined where there is none yet, and the client was told how to go on. */
  async #shown(context: AuthContext): Promise<Shown | undefined> {
    switch (context.method) {
      case 'password':
        return { secret: context.password }
      case 'keyboard-interactive': {
        const { door, sessions, signal } = this.#parts
        const answer = await askedFor(context, { devices: door.devices, sessions, signal })
        if (answer === undefined) break
        return answer
      }
      case 'publickey': {
        const { door, sessions, address } = this.#parts
        const { key, signature, blob, hashAlgo } = context
        const rules = { authorities: door.authorities, address, nowMs: Date.now() }
        const shown = offered(key.algo, key.data, rules)
        if (shown === undefined || !sessions.knows(shown.key)) break
        // Without a signature it is an offer only: that the client has the key is what the signature shows.
        if (signature === undefined || blob === undefined) {
          context.accept()
          return undefined
        }
        if (!shown.verify(blob, signature, hashAlgo)) break
        return { secret: '', sshKey: shown.key }
      }
      default:
        break
    }
    context.reject([...METHODS])
    return undefined
  }
}

/** `claim+target` or just the target: the key says who it is, the claim is recorded and decides nothing. */
function addressed(username: string): { readonly user: string; readonly target: string } {
  const plus = username.lastIndexOf('+')
  return { user: username.slice(0, Math.max(0, plus)), target: username.slice(plus + 1) }
}

/** The client's address; of an IPv4 client of a listener for both families, the IPv4 one. */
function networkAddress(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}
