import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { ClientChannel, ServerChannel, Session as SshSession } from 'ssh2'
import type { Facts } from '../../../schemas/frame.ts'
import { Lanes } from '../../lane.ts'
import type { Message, Output, Side } from '../../message.ts'
import { ChannelEnd, HANG_UP_MS, IDLE_HANG_UP_MS } from './channel-end.ts'
import type { Conversation } from './conversation.ts'
import { type FileTalk, fileTalk } from './file-talk.ts'
import { onEndOfWrite, sendEndOfWrite, sendSignal, sendSize } from './late-requests.ts'
import { ByteStream, SshMessage } from './messages.ts'
import type { Action, ChannelRequest, Exit, SshOutput, Terminal } from './output.ts'
import { PromptWatch } from './prompt-watch.ts'
import { type Pump, pump } from './pump.ts'
import { askedText, requestMessage } from './request-message.ts'
import { exitOf, start } from './start.ts'
import { Environment, SIGNALS, sizeOf, terminalOf } from './surroundings.ts'
import { TypedLines } from './typed-lines.ts'

const INTERRUPTED = 'interrupted before it began'

/** How the library tells that an answer is wanted: by giving something to answer with. */
type Answer = (() => unknown) | undefined

/** One session channel (RFC 4254, 6): what it is asked to be, and then the bytes of both directions. */
export class SessionChannel {
  /** Resolves once the client has closed it. */
  readonly gone: Promise<void>
  readonly #talk: Conversation
  readonly #number: number
  readonly #env = new Environment()
  /** Whether the client's agent is forwarded, once that was asked for and decided. */
  #agent: Promise<boolean> | undefined
  #screen: Promise<boolean> | undefined
  #terminal: Terminal | undefined
  #lines: TypedLines | undefined
  /** Keys of a terminal, which the target has before the tape has all of them. */
  #keys: ByteStream | undefined
  #files: FileTalk | undefined
  #client: ChannelEnd | undefined
  #server: ChannelEnd | undefined
  #starting: Promise<void> | undefined
  /** Resolves once all that the client said has been given to the target's end; undefined before anything can be. */
  #said: Promise<unknown> | undefined
  /** The client takes no more of what the program puts out. */
  #deaf = false
  /** Aborted when nobody waits for this channel any more. */
  readonly #left = new AbortController()
  readonly #lanes: Readonly<Record<Side, Lanes>>
  /** A size, and each signal, that waits in the lane, and what came of the same since. */
  readonly #waiting = new Map<string, SshMessage | undefined>()

  constructor(talk: Conversation, number: number, session: SshSession) {
    this.#talk = talk
    this.#number = number
    const asker = AbortSignal.any([talk.stop, this.#left.signal])
    const lanes = (from: Side): Lanes =>
      new Lanes({
        gate: talk.gate,
        deliver: (outputs) => this.#deliver(outputs, from),
        asker,
        stop: talk.stop,
        onFail: (error) => talk.fail(error),
      })
    this.#lanes = { client: lanes('client'), server: lanes('server') }
    this.gone = new Promise((resolve) => void session.once('close', () => resolve()))
    this.#listen(session)
  }

  /** Does what a released output says. Outputs come in the order of the tape, whichever channel's lane brings them. */
  perform({ to, action, bytes }: SshOutput): void {
    if (action.act === 'start') {
      this.#starting = this.#start(action.request).finally(() => {
        this.#starting = undefined
      })
      return
    }
    const end = to === 'client' ? this.#client : this.#server
    if (action.act === 'data' || action.act === 'stderr') end?.write(action.act, bytes)
    else end?.after(() => act(end.channel, action))
  }

  /** Resolves once everything that was let in is through, or withdrawn, and the tape has all that the target was given. */
  async settled(): Promise<void> {
    const cut = this.#files?.end() ?? []
    await this.#server?.settle(this.#lanes.client.drained())
    this.#server?.channel.close()
    await Promise.all([this.#lanes.client.drained(), this.#lanes.server.drained()])
    const keys = this.#keys?.rest(true)
    await this.#tape(keys === undefined ? cut : [...cut, keys])
    await this.#talk.tellUndelivered(this.#number, this.#server)
  }

  /** What the target has already, or nobody gets. */
  async #tape(messages: readonly Message[]): Promise<void> {
    if (messages.length > 0) await this.#talk.gate.take(messages).catch((error: unknown) => this.#talk.fail(error))
  }

  #listen(session: SshSession): void {
    // What a channel is asked to be is asked before it is that (RFC 4254, 6.5): what is judged is what runs.
    const begun = (): boolean => this.#client !== undefined
    session.on('pty', (accept: Answer, reject: Answer, info) => {
      if (begun()) return answer(reject)
      this.#terminal = terminalOf(info)
      answer(this.#terminal === undefined ? reject : accept)
    })
    session.on('env', (accept: Answer, reject: Answer, { key, val }) => {
      answer(!begun() && this.#env.take(key, val) ? accept : reject)
    })
    session.on('exec', (accept, _, { command }) => this.#asked(accept(), { kind: 'exec', command }))
    session.on('shell', (accept) => this.#asked(accept(), { kind: 'shell' }))
    session.on('subsystem', (accept, _, { name }) => this.#asked(accept(), { kind: 'subsystem', name }))
    session.on('window-change', (_accept, _reject, info) => {
      const size = sizeOf(info)
      this.#lines?.resize(size.cols)
      if (this.#client !== undefined) this.#say('terminal-resize', { act: 'resize', size }, { cols: size.cols, rows: size.rows })
    })
    session.on('signal', (accept: Answer, _, { name }) => {
      answer(accept)
      if (!SIGNALS.has(name)) return
      // What the target has not been asked for is not interrupted but withdrawn.
      if (this.#server !== undefined || this.#starting !== undefined)
        this.#say('signal', { act: 'signal', signal: name }, { signal: name })
      else if (begun()) this.#left.abort(INTERRUPTED)
    })
    onEndOfWrite(session, () => {
      if (!begun()) return
      this.#deaf = true
      this.#say('output-closed', { act: 'end-of-write' }, {})
    })
    session.on('auth-agent', (accept: Answer, reject: Answer) => {
      if (begun() || this.#agent !== undefined) return answer(reject)
      this.#agent = this.#talk.forwards.allowed('agent', this.#number)
      this.#agent.then((allowed) => answer(allowed ? accept : reject)).catch((error: unknown) => this.#talk.fail(error))
    })
    session.on('x11', (_, reject: Answer) => {
      // Asked about, so that the wish is on the tape; nobody is given it.
      if (!begun()) this.#screen ??= this.#talk.forwards.allowed('x11', this.#number)
      answer(reject)
    })
    session.once('close', () => {
      this.#left.abort()
      void this.#hangUp()
      if (this.#client === undefined) this.#talk.over(this.#number)
    })
  }

  /** The target is told that the client is gone behind all that was said before, as long as it takes any of that. */
  async #hangUp(): Promise<void> {
    const [server, said] = [this.#server, this.#said]
    if (server === undefined || said === undefined) return
    await server.finish(said, this.#terminal === undefined ? IDLE_HANG_UP_MS : HANG_UP_MS)
    server.channel.close()
    await said
    if (!this.#talk.stop.aborted) await this.#talk.tellUndelivered(this.#number, this.#server)
  }

  /** `channel` is undefined where the client closed in the same breath. */
  #asked(channel: ServerChannel | undefined, what: ChannelRequest['what']): void {
    if (channel === undefined) return
    this.#client = new ChannelEnd(channel, channel.stderr)
    this.#talk.wire.opened(this.#number, this.#terminal !== undefined)
    const serve = async (): Promise<void> => {
      const agent = (await this.#agent) === true
      await this.#serve(channel, { what, terminal: this.#terminal, env: this.#env.passed, work: this.#env.work, agent })
    }
    serve()
      .catch((error: unknown) => this.#talk.fail(error))
      .finally(() => {
        this.#server?.channel.close()
        // When all is over the last words are still to be said here.
        if (!this.#talk.stop.aborted) this.#talk.over(this.#number)
      })
  }

  /** From the request to the end of the channel. */
  async #serve(channel: ServerChannel, request: ChannelRequest): Promise<void> {
    this.#lanes.client.push([requestMessage(this.#number, request)])
    await this.#lanes.client.drained()
    const upstream = this.#server?.channel
    // Refused, or the target could not be had; the client has been told.
    if (upstream === undefined || !isFromTarget(upstream)) return
    const exit = (): Exit | undefined => exitOf(upstream)
    const closed = once(upstream, 'close')
    const files = fileTalk(request, this.#number, this.#talk.wire.nextStatement)
    const { typing } = await (files !== undefined
      ? this.#operations(files, channel, upstream, closed)
      : this.#streams(channel, upstream, closed, request))
    if (this.#talk.stop.aborted) return
    this.#news('server', 'exit', { act: 'exit', exit: exit() }, exitFacts(exit()))
    await this.#lanes.server.drained()
    this.#talk.wire.closed(this.#number)
    await typing
    if (!this.#talk.stop.aborted) await this.#talk.tellUndelivered(this.#number, this.#server)
  }

  /** Both directions as they come, until the target is done. `typing`: what the client sends, to its end. */
  async #streams(
    channel: ServerChannel,
    upstream: ClientChannel,
    closed: Promise<unknown>,
    { what, terminal }: ChannelRequest,
  ): Promise<{ readonly typing: Promise<void> }> {
    const [input, output] =
      terminal === undefined ? (['stdin', 'stdout'] as const) : (['terminal-input', 'terminal-output'] as const)
    const lines =
      terminal === undefined
        ? undefined
        : new TypedLines(this.#number, terminal.cols, () => void this.#talk.gate.cancelHolds(this.#number))
    this.#lines = lines
    const asked = askedText(what)
    const stdin = new ByteStream('client', input, this.#number, { act: 'data' }, asked)
    if (terminal !== undefined) this.#keys = stdin
    const stdout = new ByteStream('server', output, this.#number, { act: 'data' }, asked)
    const stderr = new ByteStream('server', 'stderr', this.#number, { act: 'stderr' }, asked)
    const prompts = new PromptWatch()
    const writes = (source: Readable, stream: ByteStream): Promise<void> =>
      pump({
        source,
        chatter: this.#talk.chatter,
        lanes: this.#lanes.server,
        read: (chunk) => {
          // What a typed line is can be told by its echo alone, also when its client has left behind it.
          prompts.wrote(chunk)
          lines?.output(chunk)
          // Nobody gets it then, and a program may say much while it takes what its client said.
          return this.#left.signal.aborted || (this.#deaf && stream === stdout) ? [] : [stream.chunk(chunk)]
        },
        rest: () => stream.rest(),
      })
    const typing = this.#typing(channel, {
      read(chunk) {
        const secret = prompts.typed(chunk)
        if (lines === undefined) return [stdin.chunk(chunk, secret)]
        if (!secret) stdout.typed(chunk)
        return lines.input(chunk, secret, stdin)
      },
      rest: () => stdin.rest(),
    })
    await Promise.all([writes(upstream, stdout), writes(upstream.stderr, stderr), closed])
    return { typing }
  }

  /** As `#streams`, where both ends speak SFTP or SCP. What breaks its rules ends the channel, and no other. */
  async #operations(
    files: FileTalk,
    channel: ServerChannel,
    upstream: ClientChannel,
    closed: Promise<unknown>,
  ): Promise<{ readonly typing: Promise<void> }> {
    this.#files = files
    const stderr = new ByteStream('server', 'stderr', this.#number, { act: 'stderr' })
    void closed.then(() => files.leave?.())
    const broken = (error: unknown): Promise<void> => {
      upstream.close()
      return this.#talk.refuse(this.#number, error)
    }
    const typing = this.#typing(channel, { read: (chunk) => files.client(chunk), room: () => files.pending?.room() }).catch(
      broken,
    )
    const { chatter } = this.#talk
    // How uploads went is still read when the client has left; a block of a file nobody gets then.
    const answers = (chunk: Uint8Array): readonly Message[] =>
      files.server(chunk).filter(({ kind }) => kind !== 'file-download' || !this.#left.signal.aborted)
    await Promise.all([
      pump({ source: upstream, chatter, lanes: this.#lanes.server, read: answers }).catch(broken),
      pump({
        source: upstream.stderr,
        chatter,
        lanes: this.#lanes.server,
        read: (chunk) => (this.#left.signal.aborted ? [] : [stderr.chunk(chunk)]),
        rest: () => stderr.rest(),
      }),
      closed,
    ])
    const cut = files.end()
    await this.#lanes.client.drained()
    await this.#tape(cut)
    return { typing }
  }

  #typing(source: Readable, from: Pick<Pump, 'read' | 'rest' | 'room'>): Promise<void> {
    const typing = pump({ source, chatter: this.#talk.chatter, lanes: this.#lanes.client, ...from }).then(() =>
      this.#news('client', 'eof', { act: 'eof' }, {}),
    )
    this.#said = typing.catch(() => undefined)
    // It left while the target was being asked.
    if (this.#left.signal.aborted) void this.#hangUp()
    return typing
  }

  /** Opens the channel at the target. What fails there is told to the client. Never rejects. */
  async #start(request: ChannelRequest): Promise<void> {
    if (this.#left.signal.reason === INTERRUPTED) return this.#talk.say(...this.#talk.wire.fail(this.#number, INTERRUPTED))
    try {
      const { client } = await this.#talk.upstream
      if (this.#left.signal.aborted) return
      this.#server = new ChannelEnd(await start(client, request))
    } catch (error) {
      await this.#talk.refuse(this.#number, error)
    }
  }

  /** Nothing slows a client that says these: of each kind one waits in the lane, and behind it the last that came since. */
  #say(kind: 'terminal-resize' | 'signal' | 'output-closed', action: Action, facts: Facts): void {
    const what = action.act === 'signal' ? action.signal : kind
    const message = new SshMessage({ from: 'client', kind, channel: this.#number, action, facts })
    if (this.#waiting.has(what)) this.#waiting.set(what, message)
    else this.#push(what, message)
  }

  #push(what: string, message: SshMessage): void {
    this.#waiting.set(what, undefined)
    this.#lanes.client.pushTold(message, () => {
      const next = this.#waiting.get(what)
      this.#waiting.delete(what)
      if (next !== undefined) this.#push(what, next)
    })
  }

  #news(from: Side, kind: string, action: Action, facts: Facts): void {
    this.#lanes[from].push([new SshMessage({ from, kind, channel: this.#number, action, facts })])
  }

  /** Undefined where the lane may go on at once. */
  #deliver(outputs: readonly Output[], from: Side): Promise<void> | undefined {
    this.#talk.perform(outputs)
    if (from === 'server') return this.#client?.room()
    return this.#starting ?? this.#server?.room()
  }
}

function answer(how: Answer): void {
  how?.()
}

function isFromTarget(channel: ChannelEnd['channel']): channel is ClientChannel {
  return !channel.server
}

function act(channel: ChannelEnd['channel'], action: Exclude<Action, { act: 'start' | 'data' | 'stderr' }>): void {
  switch (action.act) {
    case 'eof':
      channel.end()
      return
    case 'resize':
      sendSize(channel, action.size)
      return
    case 'signal':
      sendSignal(channel, action.signal)
      return
    case 'end-of-write':
      sendEndOfWrite(channel)
      return
    case 'exit':
      if (action.exit !== undefined && 'status' in action.exit) channel.exit(action.exit.status)
      else if (action.exit !== undefined && SIGNALS.has(action.exit.signal))
        channel.exit(action.exit.signal, action.exit.core, action.exit.message)
      channel.end() // at this end the library closes with it
      return
    case 'close':
      channel.close()
      return
    case 'forward':
    case 'refuse':
      return
    default:
      action satisfies never
  }
}

function exitFacts(exit: Exit | undefined): Facts {
  if (exit === undefined) return {}
  return 'status' in exit ? { status: exit.status } : { signal: exit.signal, ...(exit.core ? { core: true } : {}) }
}
