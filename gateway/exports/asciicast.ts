import type { Frame } from '../../schemas/frame.ts'
import { type TerminalSize, terminalStep } from '../../schemas/views/terminal.ts'
import { derivedFrom, type Origin } from './origin.ts'

/** Of asciicast: 2 is what every player reads, 3 has times from event to event and an exit status. */
export type CastVersion = 2 | 3

export interface CastFacts {
  readonly origin: Origin
  readonly channel: number
  readonly startedAt: string
}

/**
 * A terminal of a session as an asciicast, line by line. What the target wrote, resizes, and a marker for each verdict; what was typed is in the
 * recording, not here. Derived: only the recording proves anything.
 * https://docs.asciinema.org/manual/asciicast/v2/, https://docs.asciinema.org/manual/asciicast/v3/
 */
export class Asciicast {
  readonly #facts: CastFacts
  readonly #version: CastVersion
  /** Characters go on in the next frame. */
  readonly #utf8 = new TextDecoder()
  #size: TerminalSize | undefined
  #beganUs = 0
  #lastUs = 0

  constructor(facts: CastFacts, version: CastVersion) {
    this.#facts = facts
    this.#version = version
  }

  /** Lines for the next frame of the channel; none before its terminal is opened. */
  *add(frame: Frame): Generator<string> {
    const { verdict, seq, atUs } = frame
    const step = terminalStep(frame)
    if (step?.does === 'start') {
      if (this.#size === undefined) {
        this.#beganUs = atUs
        this.#lastUs = atUs
        this.#size = step
        yield* this.#header(step, seq)
      } else yield this.#event(atUs, 'r', `${step.cols}x${step.rows}`)
    } else if (this.#size === undefined) return
    else if (step?.does === 'resize') yield this.#event(atUs, 'r', `${step.cols}x${step.rows}`)
    else if (step?.does === 'output') {
      const text = this.#utf8.decode(step.bytes, { stream: true })
      if (text !== '') yield this.#event(atUs, 'o', text)
    }
    if (this.#size !== undefined && verdict !== null && verdict.act !== 'allow')
      yield this.#event(atUs, 'm', `${verdict.act} frame ${seq}: ${verdict.rules.join(' ')}`)
  }

  #header({ cols, rows }: TerminalSize, seq: number): string[] {
    const { origin, channel, startedAt } = this.#facts
    const { session } = origin
    const timestamp = Math.floor((Date.parse(startedAt) + this.#beganUs / 1000) / 1000)
    const title = `${session} channel ${channel} from frame ${seq} (derived, not evidence)`
    if (this.#version === 2) return [line({ version: 2, width: cols, height: rows, timestamp, title })]
    return [line({ version: 3, term: { cols, rows }, timestamp, title }), `# ${derivedFrom(origin)}; this from frame ${seq} on\n`]
  }

  #event(atUs: number, code: 'o' | 'm' | 'r', data: string): string {
    const since = this.#version === 2 ? this.#beganUs : this.#lastUs
    this.#lastUs = atUs
    return line([Math.max(0, atUs - since) / 1e6, code, data])
  }
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
