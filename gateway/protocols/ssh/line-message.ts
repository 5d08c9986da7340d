import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Message, Redacted, Redactor } from '../../message.ts'
import { shellFacts } from '../../policy/shell/facts.ts'
import type { TerminalLine } from '../../policy/shell/terminal-lines.ts'

const LINE: Field = { path: 'ssh.line', action: 'scan' }
const NO_BYTES = new Uint8Array()

export interface LineParts {
  readonly channel: number
  /** Keys of it are with the target already. */
  readonly begun: boolean
  /** Undefined where the line can be told now; else resolves when it can. */
  readonly settled: () => Promise<void> | undefined
  /** Asked once, in the line's turn; undefined where none was sent off after all. */
  readonly read: () => TerminalLine | undefined
  /** A line that was not decided yet when this one was typed. */
  readonly behind?: LineMessage
}

/** A line typed on a terminal, before the key is passed on that sends it off. */
export class LineMessage implements Message {
  readonly part = 'whole'
  readonly from = 'client'
  readonly units = 0
  readonly channel: number
  /** Nothing of it is passed on: the keys have been, or come behind it. */
  readonly bytes = NO_BYTES
  /** What is typed behind a line that was refused is not passed on. */
  state: 'waiting' | 'passed' | 'refused' = 'waiting'
  readonly #parts: LineParts
  #waited = false
  #line: Told | undefined

  constructor(parts: LineParts) {
    this.channel = parts.channel
    this.#parts = parts
  }

  get begun(): boolean {
    return this.#parts.begun
  }

  get behind(): LineMessage | undefined {
    return this.#parts.behind
  }

  pending(): Promise<void> | undefined {
    if (this.#waited) return undefined
    this.#waited = true
    return this.#parts.settled()
  }

  /** An empty line, or one that is the answer to a question, asks for nothing. */
  get kind(): string {
    return this.#read().asks ? 'line' : 'enter'
  }

  facts(): Facts {
    return this.#read().facts
  }

  recorded(): Facts {
    const { sure, unshown } = this.facts()
    return { ...(sure === undefined ? {} : { sure }), ...(unshown === undefined ? {} : { unshown }) }
  }

  command(): string {
    return this.#read().text === '' ? 'a line that was typed and not shown' : this.#read().text
  }

  binding(): readonly Uint8Array[] {
    return [this.#read().bytes]
  }

  redacted(redactor: Redactor): Redacted {
    const { bytes } = this.#read()
    if (redactor.clean(bytes, 0, bytes.length, LINE)) return { bytes, masks: null }
    const sink = redactor.sink(bytes.length)
    redactor.write(sink, bytes, 0, bytes.length, LINE)
    return sink.finish()
  }

  #read(): Told {
    this.#line ??= told(this.#parts.read())
    return this.#line
  }
}

interface Told {
  readonly text: string
  readonly bytes: Uint8Array
  readonly facts: Facts
  /** There is something to judge. */
  readonly asks: boolean
}

function told(line: TerminalLine | undefined): Told {
  const text = line?.texts.join('\n') ?? ''
  const bytes = Buffer.from(text)
  if (line === undefined || line.hidden === 'password') return { text, bytes, asks: false, facts: {} }
  if (line.hidden === 'unshown') return { text, bytes, asks: true, facts: { unshown: true } }
  if (text === '') return { text, bytes, asks: false, facts: { sure: line.sure } }
  const { parse_ok: parsed, ...facts } = shellFacts(text)
  // A line may be the first of several that make a command: what cannot be read is no reason to refuse it.
  return { text, bytes, asks: true, facts: { command: text, sure: line.sure, ...facts, ...(parsed ? { parse_ok: true } : {}) } }
}
