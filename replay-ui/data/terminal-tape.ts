import type { Frame } from '../../schemas/frame.ts'
import { type Keyframe, KeyframeMaker, type KeyframePace } from '../../schemas/views/keyframes.ts'
import { type TerminalSize, terminalStep } from '../../schemas/views/terminal.ts'
import type { ChunkFrames } from './chunk-frames.ts'

/** How the player comes to the screen behind a frame: a new terminal, `init` written to it, then the steps. */
export interface TerminalScreen extends TerminalSize {
  readonly seq: number
  /** The frame `init` is the screen of: of two with the same one the later goes on from the earlier. */
  readonly from: number
  readonly init: string
  readonly steps: readonly (Uint8Array | TerminalSize)[]
  /** Frames in between could not be read: the screen may have been another. */
  readonly torn: boolean
}

/** What of a tape this reads. */
export interface TerminalSource {
  readonly chunks: readonly { readonly firstSeq: number; readonly count: number }[]
  /** Undefined for one that cannot be read. Rejects where it cannot be had now. `last`: read up to there after it. */
  chunk(index: number, last: number): Promise<Pick<ChunkFrames, 'at'> | undefined>
  /** The newest screen at or before that frame which somebody else has kept; undefined where nobody has. */
  keyframe?(channel: number, seq: number): Promise<Keyframe | undefined>
}

/** Gone on from a screen somebody else kept, at most so many frames: else the recording is read from its start. */
const MAX_STEPS = 50_000

/**
 * The screens of one channel. Reads the tape once from its start, keeping a screen every now and then; from the nearest one any other is some
 * frames away, however long the recording. Beyond what it has read it goes on from screens that others kept: nothing proves these,
 * so they stand only until it has come by itself to where they are.
 */
export class TerminalTape {
  readonly #source: TerminalSource
  readonly #channel: number
  readonly #maker: KeyframeMaker
  readonly #keyframes: Keyframe[] = []
  /** Frames below this one are in the emulator. */
  #next = 0
  /** One after the other: there is one emulator. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(source: TerminalSource, channel: number, paceOf?: (size: TerminalSize) => KeyframePace) {
    this.#source = source
    this.#channel = channel
    this.#maker = new KeyframeMaker((keyframe) => this.#keyframes.push(keyframe), paceOf)
  }

  /** The screen behind frame `seq`; undefined where there is none yet. `onProgress` is told how far it had to read, in frames. */
  async screenAt(seq: number, onProgress: (read: number) => void = () => undefined): Promise<TerminalScreen | undefined> {
    const told = seq < this.#next ? undefined : await this.#source.keyframe?.(this.#channel, seq)
    // One that is no further than what has been read is no better than one's own.
    if (told !== undefined && told.seq >= this.#next && told.seq <= seq && seq - told.seq <= MAX_STEPS)
      return this.#from(told, seq)
    await this.readTo(seq, onProgress)
    const keyframe = this.#keyframes.findLast((one) => one.seq <= seq)
    return keyframe === undefined ? undefined : this.#from(keyframe, seq)
  }

  /** Whether a screen that was shown is what the recording gives, as far as it has been read; undefined where it has not been yet. */
  confirms({ from, init }: TerminalScreen): boolean | undefined {
    if (from >= this.#next) return undefined
    return this.#keyframes.some((own) => own.seq === from && own.init === init)
  }

  async #from(keyframe: Keyframe, seq: number): Promise<TerminalScreen> {
    const steps: (Uint8Array | TerminalSize)[] = []
    let { torn } = keyframe
    for await (const frame of this.frames(keyframe.seq + 1, seq + 1)) {
      const step = frame === undefined ? undefined : terminalStep(frame)
      torn ||= frame === undefined
      if (step?.does === 'output') steps.push(step.bytes)
      else if (step !== undefined) steps.push({ cols: step.cols, rows: step.rows })
    }
    const { cols, rows, init, seq: from } = keyframe
    return { seq, from, cols, rows, init, steps, torn }
  }

  /** Reads so many frames ahead of whoever asks for them. Resolves false where there are no more. */
  async readOn(count: number): Promise<boolean> {
    const last = this.#source.chunks.at(-1)
    const end = last === undefined ? 0 : last.firstSeq + last.count
    await this.readTo(Math.min(end, this.#next + count) - 1)
    return this.#next < end
  }

  /** Reads on at least to that frame, and keeps screens on the way. */
  readTo(seq: number, onProgress: (read: number) => void = () => undefined): Promise<void> {
    const done = this.#turn.then(() => this.#readTo(seq, onProgress))
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** The screens kept so far, in order. */
  get kept(): readonly Keyframe[] {
    return this.#keyframes
  }

  async #readTo(seq: number, onProgress: (read: number) => void): Promise<void> {
    for await (const frame of this.frames(this.#next, seq + 1)) {
      if (frame === undefined) this.#maker.tear()
      else {
        const step = terminalStep(frame)
        const written = step === undefined ? undefined : this.#maker.take(step, frame.seq)
        if (written !== undefined) await written
        this.#next = frame.seq + 1
        if (frame.seq % 1_000 === 0) onProgress(frame.seq)
      }
    }
    this.#next = Math.max(this.#next, seq + 1)
  }

  /** Frames [from, to) of the channel; undefined for whatever is missing or cannot be read between them. */
  async *frames(from: number, to: number): AsyncGenerator<Frame | undefined> {
    let next = from
    const last = this.#source.chunks.findLastIndex(({ firstSeq }) => firstSeq < to)
    for (const [index, { firstSeq, count }] of this.#source.chunks.entries()) {
      if (firstSeq + count <= from || firstSeq >= to) continue
      if (firstSeq > next) yield undefined
      const frames = await this.#source.chunk(index, last)
      next = Math.min(to, firstSeq + count)
      if (frames === undefined) yield undefined
      for (let seq = Math.max(from, firstSeq); frames !== undefined && seq < next; seq += 1) {
        const frame = frames.at(seq - firstSeq)
        if (frame === undefined || frame.channel === this.#channel) yield frame
      }
    }
  }
}
