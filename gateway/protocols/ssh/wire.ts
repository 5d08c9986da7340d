import { safeText } from '../../../schemas/safe-text.ts'
import type { Notice, Refusal } from '../../../schemas/verdict.ts'
import type { Message, Output, Wire } from '../../message.ts'
import { LineMessage } from './line-message.ts'
import { actionOf, isDropped, passedOf } from './messages.ts'
import { SshOutput } from './output.ts'
import { SftpMessage } from './sftp/messages.ts'

/** What a shell says of a command that may not be executed (POSIX, "Exit Status for Commands"). */
const NOT_PERMITTED = 126
/** What ssh itself ends with when the connection failed. */
const CONNECTION_FAILED = 255

/** Different words about refused file operations on one channel. */
const MAX_TOLD = 100

/**
 * To the end of the line, and kill it: line editors and terminals know both. No interrupt: bash mixes what is typed within the next
 * milliseconds into the line it was to drop, and runs that.
 */
const TAKE_BACK = Buffer.from([0x05, 0x15])

const NO_BYTES = new Uint8Array()

/** A channel that runs, whether a terminal is at its end, and what was said on it of file operations. */
interface OpenChannel {
  readonly terminal: boolean
  readonly told: Set<string>
}

/** The gate's decisions as things to do on channels. */
export class SshWire implements Wire {
  readonly #channels = new Map<number, OpenChannel>()
  readonly #forwarded = new Set<number>()
  /** Said on the next channel that can say something. */
  #owed: readonly string[] = []
  #statements = 0

  opened(channel: number, terminal: boolean): void {
    this.#channels.set(channel, { terminal, told: new Set() })
  }

  /** The number of the next operation on a file, of all channels together. */
  readonly nextStatement = (): number => ++this.#statements

  /** Both ends of something that is forwarded are there. */
  forwarded(channel: number): void {
    this.#forwarded.add(channel)
  }

  closed(channel: number): void {
    this.#channels.delete(channel)
    this.#forwarded.delete(channel)
  }

  release(message: Message, bytes: Uint8Array = passedOf(message)): readonly Output[] {
    if (message instanceof SftpMessage) return message.release(bytes)
    if (message instanceof LineMessage) return this.#sendOff(message)
    if (isDropped(message)) return []
    const action = actionOf(message)
    if (action === undefined) return []
    const output = new SshOutput(message.from === 'client' ? 'server' : 'client', message.channel, action, bytes)
    if (action.act !== 'start' || this.#owed.length === 0) return [output]
    const owed = this.#owed
    this.#owed = []
    return [this.#say(message.channel, 'refusal', owed), output]
  }

  /** A request that was refused never ran; what was cut in the middle ends on both sides. Behind a cut nothing is said any more. */
  refuse(message: Message, refusal: Refusal): readonly Output[] {
    const { channel } = message
    if (this.#forwarded.has(channel)) return this.#cut(channel)
    if (!this.#channels.has(channel) && message.kind !== 'forward') return []
    const lines = [
      refusal.rules.length === 0 ? refusal.message : `${refusal.message} [${refusal.rules.join(', ')}]`,
      ...(refusal.hint === undefined ? [] : [refusal.hint]),
    ]
    if (message.kind === 'forward') return this.#refuseForward(message, lines)
    if (message instanceof LineMessage) return this.#takeBack(message, lines)
    if (message instanceof SftpMessage) return [...this.#tell(channel, lines), ...message.refuse(refusal)]
    const outputs = [this.#say(channel, 'refusal', lines), exit(channel, NOT_PERMITTED)]
    if (actionOf(message)?.act !== 'start')
      outputs.push(new SshOutput('server', channel, { act: 'close' }, NO_BYTES, { kind: 'close', facts: {} }))
    this.closed(channel)
    return outputs
  }

  /** The key that sends it off comes behind it. */
  #sendOff(line: LineMessage): readonly SshOutput[] {
    line.state = line.behind?.state === 'refused' ? 'refused' : 'passed'
    return line.state === 'refused' ? [] : [new SshOutput('server', line.channel, { act: 'data' }, NO_BYTES)]
  }

  /** Of a line that stands in the shell's buffer already the keys are taken back. The shell answers with a new prompt. */
  #takeBack(line: LineMessage, lines: readonly string[]): readonly SshOutput[] {
    line.state = 'refused'
    if (!line.begun) return [this.#say(line.channel, 'refusal', lines)]
    const keys = new SshOutput('server', line.channel, { act: 'data' }, TAKE_BACK, { kind: 'terminal-input', facts: {} })
    return [this.#say(line.channel, 'refusal', lines), keys]
  }

  /** A channel is refused in words of its own; for the rest there is only the stderr of another. */
  #refuseForward(message: Message, lines: readonly string[]): readonly SshOutput[] {
    if (message.facts()['direction'] === 'local') {
      const text = `sallyport: ${safeText(lines.join('; '))}`
      return [new SshOutput('client', message.channel, { act: 'refuse' }, Buffer.from(text), { kind: 'refusal', facts: {} })]
    }
    const [first] = this.#channels.keys()
    if (first !== undefined) return [this.#say(first, 'refusal', lines)]
    if (this.#owed.length < MAX_TOLD && !this.#owed.includes(lines[0] ?? '')) this.#owed = [...this.#owed, ...lines]
    return []
  }

  /** What is forwarded has no words for its end. */
  #cut(channel: number): readonly SshOutput[] {
    this.closed(channel)
    const close = { kind: 'close', facts: {} }
    return (['client', 'server'] as const).map((side) => new SshOutput(side, channel, { act: 'close' }, NO_BYTES, close))
  }

  /** Clients of SFTP show a status and not its words, so these stand on stderr: once, for a refusal may be one of thousands. */
  #tell(channel: number, lines: readonly string[]): readonly SshOutput[] {
    const told = this.#channels.get(channel)?.told
    const text = lines.join('\n')
    if (told === undefined || told.has(text) || told.size >= MAX_TOLD) return []
    told.add(text)
    return [this.#say(channel, 'refusal', lines)]
  }

  notify(message: Message, notice: Notice): readonly Output[] {
    if (!this.#channels.has(message.channel)) return []
    return [this.#say(message.channel, 'notice', [notice.message, ...(notice.hint === undefined ? [] : [notice.hint])])]
  }

  /** A channel that cannot be served ends like a connection that failed. */
  fail(channel: number, message: string): readonly SshOutput[] {
    if (!this.#channels.has(channel)) return []
    const outputs = [this.#say(channel, 'refusal', [message]), exit(channel, CONNECTION_FAILED)]
    this.closed(channel)
    return outputs
  }

  farewell(refusal: Refusal): readonly Output[] {
    const outputs = [...this.#channels.keys()].flatMap((channel) => [
      this.#say(channel, 'farewell', [refusal.message]),
      exit(channel, CONNECTION_FAILED),
    ])
    outputs.push(...[...this.#forwarded].flatMap((channel) => this.#cut(channel)))
    this.#channels.clear()
    return outputs
  }

  /** Lines of our own on stderr. A terminal in raw mode needs its carriage returns, and a line of its own. */
  #say(channel: number, kind: string, lines: readonly string[]): SshOutput {
    const terminal = this.#channels.get(channel)?.terminal === true
    const text = lines.map((line) => `sallyport: ${safeText(line)}${terminal ? '\r\n' : '\n'}`).join('')
    return new SshOutput('client', channel, { act: 'stderr' }, Buffer.from(terminal ? `\r\n${text}` : text), {
      kind,
      facts: { stream: 'stderr' },
    })
  }
}

/** The end of a channel, in the place of a program's own. */
function exit(channel: number, status: number): SshOutput {
  return new SshOutput('client', channel, { act: 'exit', exit: { status } }, NO_BYTES, { kind: 'exit', facts: { status } })
}
