import type { Duplex } from 'node:stream'
import type { Connection } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Gate } from '../../gate.ts'
import type { Chatter } from '../../intake.ts'
import type { Output } from '../../message.ts'
import { farewellMs, refusalOf, TARGET_BROKE, within } from '../../relay.ts'
import type { ChannelEnd } from './channel-end.ts'
import { because } from './disconnect.ts'
import { Forwards } from './forwards.ts'
import type { Upstream } from './login.ts'
import { SshOutput } from './output.ts'
import { SessionChannel } from './session-channel.ts'
import type { SshWire } from './wire.ts'

/** Open at once on one connection. A multiplexing client with a build in every one of them has fewer. */
const MAX_CHANNELS = 128

const NO_BYTES = new Uint8Array()

export interface ConversationParts {
  readonly connection: Connection
  readonly gate: Gate
  readonly wire: SshWire
  /** The session's: aborted, with a Refusal, when it is ended from outside. */
  readonly signal: AbortSignal
  /** Logging in; what it rejects with is told on every channel. */
  readonly upstream: Promise<Upstream>
  readonly chatter: Chatter
}

interface OpenChannel {
  /** Resolves once the client has closed it. */
  readonly gone: Promise<void>
  /** Does what a released output says. Outputs come in the order of the tape, whichever channel's lane brings them. */
  perform(output: SshOutput): void
  /** Resolves once everything that was let in is through, or withdrawn. */
  settled(): Promise<void>
}

/** All channels of one connection, from its admission to its end. */
export class Conversation {
  readonly gate: Gate
  readonly wire: SshWire
  readonly upstream: Promise<Upstream>
  /** Of both connections, all channels together. */
  readonly chatter: Chatter
  readonly forwards: Forwards
  /** Aborted when the conversation is over, for whichever reason. */
  readonly stop: AbortSignal
  readonly #connection: Connection
  readonly #over = new AbortController()
  readonly #channels = new Map<number, OpenChannel>()
  readonly #gone: Promise<void>
  #count = 0

  constructor({ connection, gate, wire, signal, upstream, chatter }: ConversationParts) {
    this.gate = gate
    this.wire = wire
    this.upstream = upstream
    this.chatter = chatter
    this.#connection = connection
    this.stop = AbortSignal.any([signal, this.#over.signal])
    this.#gone = new Promise((resolve) => void connection.on('close', () => resolve()))
    gate.order.start()
    this.forwards = new Forwards(this, connection)
    this.#listen()
  }

  /** Resolves with why it ended, once the client has been told as far as it can be. Never rejects for what peers do. */
  async ended(): Promise<string> {
    this.upstream.then(
      ({ client }) => client.once('close', () => this.#over.abort(TARGET_BROKE)),
      () => undefined,
    )
    if (!this.stop.aborted) await new Promise((resolve) => this.stop.addEventListener('abort', resolve, { once: true }))
    const { reason } = this.stop
    const refusal = refusalOf(reason)
    const halfMs = farewellMs(refusal) / 2
    // What is recorded as released is still written, and what was held is withdrawn, before the tape is sealed; nothing new is let in.
    await within(halfMs, async () => void (await Promise.all([...this.#channels.values()].map((channel) => channel.settled()))))
    if (refusal !== undefined) because(this.#connection, refusal.message)
    if (refusal === undefined) return reason instanceof Error ? `peer: ${reason.message}` : 'closed'
    await within(halfMs, async () => {
      const channels = [...this.#channels.values()]
      this.perform(await this.gate.farewell(refusal, halfMs / 2))
      // A disconnect overtakes what a client has not read yet; having read it, it closes its channels.
      await Promise.race([this.#gone, Promise.all(channels.map((channel) => channel.gone))])
    })
    this.#connection.end()
    return `${refusal.why}: ${refusal.message}`
  }

  /** Does what was recorded, in the order of the tape. */
  perform(outputs: readonly Output[]): void {
    for (const output of this.gate.order.take(outputs)) {
      if (output instanceof SshOutput) this.#channels.get(output.channel)?.perform(output)
    }
  }

  fail(error: unknown): void {
    this.#over.abort(error)
  }

  /** Tells the client that this one channel cannot be served. Never rejects. */
  async refuse(channel: number, error: unknown): Promise<void> {
    const message = error instanceof ApplianceError ? `${error.code}: ${error.message}` : 'the gateway failed'
    if (!(error instanceof ApplianceError)) this.fail(error)
    await this.say(...this.wire.fail(channel, message))
  }

  /** Records and does what is the gateway's own. Never rejects. */
  async say(...outputs: readonly SshOutput[]): Promise<void> {
    try {
      this.perform(await this.gate.say(outputs))
    } catch (failure) {
      this.fail(failure)
    }
  }

  /** Puts on the tape what was recorded on its way to the target's end of a channel, and can no longer get there. Never rejects. */
  async tellUndelivered(channel: number, target: ChannelEnd<Duplex> | undefined): Promise<void> {
    const size = target?.tellUnsent() ?? 0
    if (size === 0) return
    await this.say(new SshOutput('server', channel, { act: 'data' }, NO_BYTES, { kind: 'undelivered', facts: { size } }))
  }

  /** The number of the next channel; undefined where there are as many as there may be. */
  number(): number | undefined {
    return this.#channels.size >= MAX_CHANNELS || this.stop.aborted ? undefined : ++this.#count
  }

  /** One that is asked for counts like one that is open. */
  add(number: number, channel: OpenChannel = ASKED_FOR): void {
    this.#channels.set(number, channel)
  }

  over(channel: number): void {
    this.wire.closed(channel)
    this.#channels.delete(channel)
  }

  #listen(): void {
    const connection = this.#connection
    connection.on('session', (accept, reject) => {
      const number = this.number()
      if (number === undefined) return reject()
      this.add(number, new SessionChannel(this, number, accept()))
    })
    connection.on('error', (error) => this.#over.abort(error))
    connection.on('close', () => this.#over.abort(GONE))
  }
}

const ASKED_FOR: OpenChannel = { gone: Promise.resolve(), perform: () => undefined, settled: () => Promise.resolve() }

/** The client closed the connection: nothing is left to say. */
const GONE = 'closed'
