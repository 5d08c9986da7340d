import { posix } from 'node:path'
import type { Client, Connection, ServerChannel } from 'ssh2'
import type { Facts } from '../../../schemas/frame.ts'
import { normaliseHost } from '../../policy/shell/hosts.ts'
import type { Conversation } from './conversation.ts'
import { ForwardChannel } from './forward-channel.ts'
import { agentStreamOf, endOf, type ForwardEnd, fromAgent, openAgentChannel, openOf, rejectWith } from './forward-ends.ts'
import { SshMessage } from './messages.ts'
import { SshOutput } from './output.ts'
import { zeroIn } from './request-message.ts'

type Answer = ((...args: never[]) => unknown) | undefined

/** A port or a socket the target is asked to listen on. */
interface Listen {
  readonly bindAddr?: string
  readonly bindPort?: number
  readonly socketPath?: string
}

/** Of ports and sockets of the target that are asked for, so many wait for those before them; whoever asks for more is refused. */
const MAX_WAITING = 128

/**
 * Everything a client may ask to have forwarded (RFC 4254, 7; OpenSSH's PROTOCOL for sockets and agents). Asked for once, judged, and
 * where it is allowed recorded both ways, byte for byte; what runs inside is not understood.
 */
export class Forwards {
  readonly #talk: Conversation
  readonly #connection: Connection
  #listening = false
  /** Ports of the target are asked about one after the other, as they are answered. */
  #turn: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Ports of the target that this client was given, `host:port`: it ends these and no others. */
  readonly #given = new Set<string>()
  /** What is being asked, for whichever channel. */
  readonly #asking = new Map<'agent' | 'x11', Promise<boolean>>()

  constructor(talk: Conversation, connection: Connection) {
    this.#talk = talk
    this.#connection = connection
    connection.on('tcpip', (accept, reject, { srcIP, srcPort, destIP, destPort }) => {
      const host = connected(destIP)
      const facts = { direction: 'local', host, port: destPort, from: `${srcIP}:${srcPort}` }
      this.#local(facts, reject, accept, (client) => openOf((done) => client.forwardOut(srcIP, srcPort, host, destPort, done)))
    })
    connection.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
      // One spelling, which is judged and asked for: sshd takes a path from the root, and `/allowed/../other` is not in `/allowed`.
      const path = posix.resolve('/', socketPath)
      const facts = { direction: 'local', host: path }
      this.#local(facts, reject, accept, (client) => openOf((done) => client.openssh_forwardOutStreamLocal(path, done)))
    })
    connection.on('request', (accept, reject, name, info) => this.#request(name, info, accept, reject))
  }

  /**
   * Whether this client may have its agent, or its screen, reached from the target: while that is being asked for one channel, the others hear what
   * comes of it. Never rejects.
   */
  allowed(direction: 'agent' | 'x11', channel: number): Promise<boolean> {
    const before = this.#asking.get(direction)
    if (before !== undefined) return before
    const asking = this.#allowed(direction, channel).finally(() => this.#asking.delete(direction))
    this.#asking.set(direction, asking)
    return asking
  }

  async #allowed(direction: 'agent' | 'x11', channel: number): Promise<boolean> {
    if ((await this.#asked({ direction }, channel)) !== true || direction === 'x11') return false
    this.#listen(await this.#talk.upstream.then(({ client }) => client))
    return true
  }

  /** True, or in which words it is refused. */
  async #asked(place: Facts, channel: number, kind: 'forward' | 'forward-cancel' = 'forward'): Promise<true | string> {
    const facts = { ...place, ...misread(place) }
    const message = new SshMessage({ from: 'client', kind, channel, facts, action: { act: 'forward' } })
    let answer: true | string = ''
    try {
      for await (const outputs of this.#talk.gate.pass([message], this.#talk.stop)) {
        for (const output of outputs) {
          if (!(output instanceof SshOutput)) continue
          if (output.action.act === 'forward') answer = true
          else if (output.action.act === 'refuse') answer = Buffer.from(output.bytes).toString()
        }
        this.#talk.perform(outputs)
      }
    } catch (error) {
      this.#talk.fail(error)
    }
    return answer
  }

  #local(facts: Facts, reject: () => unknown, accept: () => ServerChannel, open: (client: Client) => Promise<ForwardEnd>): void {
    const number = this.#talk.number()
    if (number === undefined) return void reject()
    const serve = async (): Promise<void> => {
      const answer = await this.#asked(facts, number)
      if (answer !== true) return rejectWith(this.#connection, reject, answer)
      const opened = await this.#talk.upstream.then(({ client }) => open(client)).catch(() => undefined)
      if (opened === undefined) return rejectWith(this.#connection, reject, 'sallyport: the target could not connect to it')
      await this.#serve(number, { client: endOf(accept()), server: opened })
    }
    this.#during(number, serve)
  }

  #request(name: string, info: Listen, accept: Answer, reject: Answer): void {
    if (this.#waiting >= MAX_WAITING) return void reject?.()
    const { bindAddr = '', bindPort = 0 } = info
    const serve = async (): Promise<void> => {
      if (name === 'cancel-tcpip-forward') return void ((await this.#cancel(bindAddr, bindPort)) ? accept : reject)?.()
      const facts = { direction: 'remote', host: info.socketPath ?? normaliseHost(bindAddr), port: bindPort }
      // Sockets at the target are asked about, so that the wish is on the tape; they are not served.
      if ((await this.#asked(facts, 0)) !== true || name !== 'tcpip-forward') return void reject?.()
      const { client } = await this.#talk.upstream
      this.#listen(client)
      const port = await new Promise<number | undefined>((resolve) =>
        client.forwardIn(bindAddr, bindPort, (error, bound) => resolve(error === undefined ? bound : undefined)),
      )
      if (port === undefined) return void reject?.()
      this.#given.add(`${bindAddr}:${port}`)
      ;(accept as ((port: number) => unknown) | undefined)?.(port)
    }
    this.#waiting++
    this.#turn = this.#turn
      .then(serve)
      .catch((error: unknown) => this.#talk.fail(error))
      .finally(() => this.#waiting--)
  }

  /** Whether the target listens no more on a port that this client was given. */
  async #cancel(host: string, port: number): Promise<boolean> {
    if (!this.#given.delete(`${host}:${port}`)) return false
    if ((await this.#asked({ direction: 'remote', host: normaliseHost(host), port }, 0, 'forward-cancel')) !== true) return false
    const { client } = await this.#talk.upstream
    return new Promise((resolve) => client.unforwardIn(host, port, (error) => resolve(!error)))
  }

  /** What the target opens because it was allowed to. */
  #listen(client: Client): void {
    if (this.#listening) return
    this.#listening = true
    client.on('tcp connection', ({ srcIP, srcPort, destIP, destPort }, accept, reject) => {
      const facts = { direction: 'remote', host: destIP, port: destPort, from: `${srcIP}:${srcPort}` }
      const open = (): Promise<ForwardEnd> =>
        openOf((done) => this.#connection.forwardOut(destIP, destPort, srcIP, srcPort, done))
      this.#opened(facts, reject, open, () => endOf(accept()))
    })
    agentStreamOf(client, (stream, reject) => {
      const open = (): Promise<ForwardEnd> => openAgentChannel(this.#connection)
      this.#opened({ direction: 'agent' }, reject, open, () => fromAgent(stream))
    })
  }

  #opened(facts: Facts, reject: () => unknown, open: () => Promise<ForwardEnd>, accept: () => ForwardEnd): void {
    const number = this.#talk.number()
    if (number === undefined) return void reject()
    const serve = async (): Promise<void> => {
      const client = await open().catch(() => undefined)
      if (client === undefined) return void reject()
      await this.#serve(number, { client, server: accept() }, facts)
    }
    this.#during(number, serve)
  }

  /** It is one of the channels from the moment it is asked for. */
  #during(number: number, serve: () => Promise<void>): void {
    this.#talk.add(number)
    serve()
      .catch((error: unknown) => this.#talk.fail(error))
      .finally(() => this.#talk.over(number))
  }

  async #serve(number: number, ends: Parameters<ForwardChannel['serve']>[0], facts?: Facts): Promise<void> {
    const channel = new ForwardChannel(this.#talk, number)
    this.#talk.add(number, channel)
    await channel.serve(ends, facts)
  }
}

/** The host as it is judged, and as the target is asked for it: an address in one spelling, and this machine for the one that nobody has. */
function connected(host: string): string {
  const spelt = normaliseHost(host)
  return HERE.get(spelt) ?? spelt
}

/** Where a connection to the unspecified address leads (RFC 4291, 2.5.2, says that it must not be made; systems make it). */
const HERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** Where a target could take it for another place than the one that is judged. */
function misread({ host, port }: Facts): Facts {
  if (typeof port === 'number' && port > MAX_PORT) return { malformed: 'a port that is none' }
  return typeof host === 'string' ? zeroIn(host) : {}
}

const MAX_PORT = 65_535
