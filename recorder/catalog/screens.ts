import { type Keyframe, KeyframeMaker, type KeyframePace, keyframePace } from '../../schemas/views/keyframes.ts'
import type { TerminalSize, TerminalStep } from '../../schemas/views/terminal.ts'
import { TerminalWork } from '../../schemas/views/terminal-work.ts'

/** Terminals at once; of a client that opens more the others' screens are found by reading from the start. */
const MAX_TERMINALS = 16
/** Of one terminal at its first pace; then half as often, and so on: a recording of any length has few for its length. */
const MAX_AT_PACE = 512
/** In characters: a large screen full of colours has some hundred thousand, and is come to from the one before. */
const MAX_INIT_CHARS = 256 << 10

export interface KeyframeRow extends Keyframe {
  readonly channel: number
}

/** One session's kept screens, so that whoever replays it need not read it from its start; of a terminal that clears too much those of its beginning. */
export class Screens {
  readonly #makers = new Map<number, KeyframeMaker>()
  #rows: KeyframeRow[] = []
  /** One step after the other, as emulators need turns of the event loop. */
  #turn: Promise<void> = Promise.resolve()
  /** When what is being read was recorded. */
  #nowUs = 0

  add(channel: number, seq: number, step: TerminalStep, atUs = 0): void {
    const known = this.#makers.get(channel)
    if (known === undefined && (step.does !== 'start' || this.#makers.size >= MAX_TERMINALS)) return
    const maker = known ?? this.#maker(channel)
    this.#makers.set(channel, maker)
    this.#turn = this.#turn.then(() => {
      this.#nowUs = atUs
      return maker.take(step, seq)
    })
  }

  /** Frames are missing before the next one. */
  tear(): void {
    this.#turn = this.#turn.then(() => {
      for (const maker of this.#makers.values()) maker.tear()
    })
  }

  /** Resolves once what was added can be taken. */
  quiet(): Promise<void> {
    return this.#turn
  }

  /** Nothing follows. */
  async end(): Promise<void> {
    await this.#turn
    for (const maker of this.#makers.values()) maker.dispose()
    this.#makers.clear()
  }

  /** What is new since the last call. */
  take(): readonly KeyframeRow[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  #maker(channel: number): KeyframeMaker {
    let count = 0
    const kept = (keyframe: Keyframe): void => {
      count += 1
      if (keyframe.init.length <= MAX_INIT_CHARS) this.#rows.push({ channel, ...keyframe })
    }
    const paceOf = (size: TerminalSize): KeyframePace => slower(keyframePace(size), 2 ** Math.floor(count / MAX_AT_PACE))
    return new KeyframeMaker(kept, paceOf, new TerminalWork(() => this.#nowUs))
  }
}

function slower({ bytes, frames }: KeyframePace, times: number): KeyframePace {
  return { bytes: bytes * times, frames: frames * times }
}
