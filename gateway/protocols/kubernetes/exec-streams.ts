import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Side } from '../../message.ts'
import { type LastWords, TunnelMessage } from '../http/tunnel-message.ts'
import { PromptWatch } from '../ssh/prompt-watch.ts'
import { StreamText } from './stream-text.ts'

/** Of exec and attach (k8s.io/apimachinery, remotecommand); port-forward has `data` and `error`, one pair for each connection. */
export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'error' | 'resize' | 'data'

const TEXT: Field = { path: 'stream.status', action: 'scan' }
/** A status says how a program ended; more would be no status. */
const MAX_STATUS_BYTES = 64 * 1024

export interface StreamFrame {
  readonly from: Side
  readonly name: StreamName
  readonly bytes: Uint8Array
  /** Nothing follows in this direction. */
  readonly last: boolean
  /** Tells one stream of a name from another. */
  readonly id: number
  readonly facts?: Facts
  readonly frame: (bytes: Uint8Array, last: boolean) => Uint8Array
}

/** The streams of one connection, whatever carries them: each piece becomes a message, as those of an SSH channel. */
export class ExecStreams {
  readonly #channel: number
  readonly #terminal: boolean
  readonly #farewell: (words: LastWords) => Uint8Array
  readonly #prompts = new PromptWatch()
  readonly #texts: Readonly<Record<Side, Map<number, StreamText>>> = { client: new Map(), server: new Map() }
  #stdout: StreamText | undefined

  constructor(parts: {
    readonly channel: number
    readonly terminal: boolean
    readonly farewell: (words: LastWords) => Uint8Array
  }) {
    this.#channel = parts.channel
    this.#terminal = parts.terminal
    this.#farewell = parts.farewell
  }

  messages(piece: StreamFrame): TunnelMessage[] {
    const { from, name, bytes, last } = piece
    if (name === 'resize') return [this.#told(piece, 'terminal-resize', sizeIn(bytes))]
    // Whoever reads how it ended has had all of it.
    if (name === 'error' && from === 'server' && piece.facts?.['port'] === undefined)
      return [...this.flush(from), this.#told(piece, 'exit', exitIn(bytes))]
    const text = this.#text(piece)
    let secret = false
    if (name === 'stdin') {
      secret = this.#prompts.typed(bytes)
      if (this.#terminal && !secret) this.#stdout?.typed(bytes)
    } else if (from === 'server') this.#prompts.wrote(bytes)
    const message = text.chunk(bytes, { secret, last })
    if (last) this.#texts[from].delete(piece.id)
    return [message]
  }

  /** What is kept back of this side's streams, once all their messages are through. */
  rest(from: Side, idleMs = 0): TunnelMessage[] {
    return [...this.#texts[from].values()].filter((text) => text.holds(idleMs)).map((text) => text.rest())
  }

  holds(from: Side): boolean {
    return [...this.#texts[from].values()].some((text) => text.holds())
  }

  /** What may be kept back by the time what came before is through: for what has to stand behind it. */
  flush(from: Side): TunnelMessage[] {
    return [...this.#texts[from].values()].filter(({ fresh }) => fresh).map((text) => text.rest())
  }

  /** News of the connection itself, which passes as it came. `shown`: what it says. */
  control(from: Side, facts: Facts, raw: Uint8Array, shown: Uint8Array = EMPTY): TunnelMessage {
    return this.#message(from, 'control', facts, shown, () => raw)
  }

  eof(from: Side, facts: Facts, raw: Uint8Array): TunnelMessage {
    return this.#message(from, 'eof', facts, EMPTY, () => raw)
  }

  /** The end of a connection of port-forward: others go on by the same. */
  over(id: number): void {
    this.#texts.client.delete(id)
    this.#texts.server.delete(id)
  }

  #told({ from, bytes, last, frame }: StreamFrame, kind: string, facts: Facts): TunnelMessage {
    return this.#message(from, kind, facts, bytes, (released) => frame(released, last))
  }

  #message(from: Side, kind: string, facts: Facts, bytes: Uint8Array, frame: (bytes: Uint8Array) => Uint8Array): TunnelMessage {
    return new TunnelMessage({
      from,
      kind,
      channel: this.#channel,
      bytes,
      facts,
      redact: (redactor, source) => {
        if (redactor.clean(source, 0, source.length, TEXT)) return { bytes: source, masks: null }
        const sink = redactor.sink(source.length)
        redactor.write(sink, source, 0, source.length, TEXT)
        return sink.finish()
      },
      frame,
      farewell: this.#farewell,
    })
  }

  #text({ from, name, id, facts = {}, frame }: StreamFrame): StreamText {
    const known = this.#texts[from].get(id)
    if (known !== undefined) return known
    const kind = this.#kind(from, name)
    const text = new StreamText({ from, kind, channel: this.#channel, facts, frame, farewell: this.#farewell })
    this.#texts[from].set(id, text)
    if (name === 'stdout') this.#stdout = text
    return text
  }

  #kind(from: Side, name: StreamName): string {
    if (name === 'error') return 'forward-error'
    if (name === 'data') return from === 'client' ? 'forward-input' : 'forward-output'
    if (!this.#terminal) return name
    return name === 'stdin' ? 'terminal-input' : name === 'stdout' ? 'terminal-output' : name
  }
}

const EMPTY = new Uint8Array()

/** `{"Width":80,"Height":24}` */
function sizeIn(bytes: Uint8Array): Facts {
  const { Width: cols, Height: rows } = objectIn(bytes)
  return typeof cols === 'number' && typeof rows === 'number' ? { cols, rows } : {}
}

/** The end of a program, as a `Status`: success, or an exit code among its causes. */
function exitIn(bytes: Uint8Array): Facts {
  if (bytes.length === 0) return {}
  const { status, details } = objectIn(bytes)
  if (status === 'Success') return { status: 0 }
  const causes = typeof details === 'object' && details !== null && 'causes' in details ? details.causes : undefined
  for (const cause of Array.isArray(causes) ? causes : []) {
    if (cause?.reason === 'ExitCode' && /^\d{1,3}$/.test(String(cause.message))) return { status: Number(cause.message) }
  }
  return { failed: true }
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > MAX_STATUS_BYTES) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
