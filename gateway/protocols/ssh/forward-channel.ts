import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Facts } from '../../../schemas/frame.ts'
import { Lanes } from '../../lane.ts'
import type { Message, Side } from '../../message.ts'
import { within } from '../../relay.ts'
import { ChannelEnd, HANG_UP_MS, IDLE_HANG_UP_MS } from './channel-end.ts'
import type { Conversation } from './conversation.ts'
import type { ForwardEnd } from './forward-ends.ts'
import { ByteStream, SshMessage } from './messages.ts'
import type { SshOutput } from './output.ts'
import { pump } from './pump.ts'

/** What a protocol begins with that is sealed against us. */
const OPAQUE: readonly (readonly [name: string, begins: RegExp])[] = [
  ['ssh', /^SSH-/],
  ['tls', /^\x16\x03/],
]

/**
 * Both ends of a sealed protocol agree on how in the clear: names of algorithms look like addresses of mail, certificates hold some. So much
 * of each direction goes unmasked; what follows is sealed, or is masked like anything else.
 */
const HANDSHAKE_SIZE = 16 * 1024

/** One connection that is forwarded: both directions through the gate, as bytes. */
export class ForwardChannel {
  /** Resolves once the client has closed it, or broken it. */
  readonly gone: Promise<void>
  readonly #talk: Conversation
  readonly #number: number
  readonly #lanes: Readonly<Record<Side, Lanes>>
  readonly #left = new AbortController()
  #ends: Readonly<Record<Side, { readonly end: ForwardEnd; readonly writes: ChannelEnd<Duplex> }>> | undefined
  #closed: () => void = () => undefined

  constructor(talk: Conversation, number: number) {
    this.#talk = talk
    this.#number = number
    const asker = AbortSignal.any([talk.stop, this.#left.signal])
    const lanes = (from: Side): Lanes =>
      new Lanes({
        gate: talk.gate,
        deliver: (outputs) => {
          talk.perform(outputs)
          return this.#ends?.[from === 'client' ? 'server' : 'client'].writes.room()
        },
        asker,
        stop: talk.stop,
        onFail: (error) => talk.fail(error),
      })
    this.#lanes = { client: lanes('client'), server: lanes('server') }
    this.gone = new Promise((resolve) => {
      this.#closed = resolve
    })
  }

  /** Until both ends are over. `facts`: of a connection that the target opened, which is told here. */
  async serve(ends: Readonly<Record<Side, ForwardEnd>>, facts: Facts | undefined): Promise<void> {
    const { client, server } = ends
    this.#ends = {
      client: { end: client, writes: new ChannelEnd(client.stream) },
      server: { end: server, writes: new ChannelEnd(server.stream) },
    }
    this.#talk.wire.forwarded(this.#number)
    if (facts !== undefined) this.#tell('server', 'forward-open', facts)
    const over = [once(client.stream, 'close'), once(server.stream, 'close')]
    // One that breaks is gone as well; what broke it is heard below.
    over[0]?.then(this.#closed, this.#closed)
    // Whichever end goes takes the other with it, once what it said is through.
    const pumps = [this.#pump('client', client.stream), this.#pump('server', server.stream)]
    const pumped = Promise.all(pumps)
    const gone: (Promise<void> | undefined)[] = []
    const left = async (side: number): Promise<void> => {
      gone.push(pumps[side])
      await within(HANG_UP_MS, async () => pumps[side])
    }
    await Promise.race([pumped, ...over.map((closed, side) => closed.then(() => left(side)))])
    this.#left.abort()
    // What was kept back of its last words comes behind all that was in the lane.
    await Promise.all([this.#lanes.client.drained(), this.#lanes.server.drained(), ...gone])
    const closing = Object.values(this.#ends).map(async ({ end, writes }) => {
      await writes.finish(Promise.resolve(), IDLE_HANG_UP_MS)
      end.close()
    })
    await Promise.all([...closing, pumped, ...over])
    if (!this.#talk.stop.aborted) await this.#talk.tellUndelivered(this.#number, this.#ends.server.writes)
  }

  perform({ to, action, bytes }: SshOutput): void {
    const one = this.#ends?.[to]
    if (action.act === 'data') one?.writes.write('data', bytes)
    else if (action.act === 'eof') one?.writes.after(() => one.end.eof())
    else if (action.act === 'close') one?.writes.after(() => one.end.close())
  }

  async settled(): Promise<void> {
    const server = this.#ends?.server
    await server?.writes.settle(this.#lanes.client.drained())
    server?.end.close()
    await Promise.all([this.#lanes.client.drained(), this.#lanes.server.drained()])
    await this.#talk.tellUndelivered(this.#number, server?.writes)
  }

  async #pump(from: Side, source: Duplex): Promise<void> {
    const stream = new ByteStream(from, from === 'client' ? 'forward-input' : 'forward-output', this.#number, { act: 'data' })
    let begun = false
    let sealed = 0
    await pump({
      source,
      chatter: this.#talk.chatter,
      lanes: this.#lanes[from],
      read: (chunk): readonly Message[] => {
        const opaque = begun ? undefined : opaqueOf(chunk)
        begun = true
        if (opaque !== undefined) sealed = HANDSHAKE_SIZE
        const bytes = sealed > 0 ? stream.sealed(chunk) : stream.chunk(chunk)
        sealed -= chunk.length
        return opaque === undefined ? [bytes] : [this.#message(from, 'forward-opaque', { holds: opaque }), bytes]
      },
      rest: () => stream.rest(),
    })
    this.#lanes[from].push([new SshMessage({ from, kind: 'eof', channel: this.#number, action: { act: 'eof' }, facts: {} })])
  }

  #tell(from: Side, kind: string, facts: Facts): void {
    this.#lanes[from].push([this.#message(from, kind, facts)])
  }

  /** Something to know, with nothing to do. */
  #message(from: Side, kind: string, facts: Facts): SshMessage {
    return new SshMessage({ from, kind, channel: this.#number, action: { act: 'data' }, facts })
  }
}

function opaqueOf(chunk: Uint8Array): string | undefined {
  const begins = Buffer.from(chunk.subarray(0, 8)).toString('latin1')
  return OPAQUE.find(([, pattern]) => pattern.test(begins))?.[0]
}
