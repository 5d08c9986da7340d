import { joinBytes } from '../../schemas/bytes.ts'
import type { Frame } from '../../schemas/frame.ts'
import { TerminalSeam, type TerminalSize, terminalStep } from '../../schemas/views/terminal.ts'
import type { ChunkFrames } from './chunk-frames.ts'
import { TerminalEmulator } from './terminal-emulator.ts'

/** A screen is kept after so much output, some milliseconds for the player, or so many frames, which are read for it. */
const KEYFRAME_EVERY = { bytes: 128 << 10, frames: 1_000 } as const
/** Written to the emulator at once: it takes a turn of the event loop for each. */
const WRITE_SIZE = 64 << 10

/** A screen kept, as it was behind frame `seq`. */
export interface Keyframe extends TerminalSize {
  readonly seq: number
  readonly init: string
  readonly torn: boolean
}

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
  /** Undefined for one that cannot be read. Rejects where it cannot be had now. */
  chunk(index: number): Promise<Pick<ChunkFrames, 'at'> | undefined>
}

/**
 * The screens of one channel. Reads the tape once from its start as far as it is asked for, keeping a screen every now and then; from the
 * nearest one any other is some frames away, however long the recording.
 */
export class TerminalTape {
  readonly #source: TerminalSource
  readonly #channel: number
  readonly #every: { readonly bytes: number; readonly frames: number }
  readonly #keyframes: Keyframe[] = []
  #seam = new TerminalSeam()
  #emulator: TerminalEmulator | undefined
  /** Frames below this one are in the emulator. */
  #next = 0
  #torn = false
  #sinceBytes = 0
  #sinceFrames = 0
  #unwritten: Uint8Array[] = []
  #unwrittenSize = 0
  /** One after the other: there is one emulator. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    source: TerminalSource,
    channel: number,
    every: { readonly bytes: number; readonly frames: number } = KEYFRAME_EVERY,
  ) {
    this.#source = source
    this.#channel = channel
    this.#every = every
  }

  /** The screen behind frame `seq`; undefined where there is none yet. `onProgress` is told how far it had to read, in frames. */
  async screenAt(seq: number, onProgress: (read: number) => void = () => undefined): Promise<TerminalScreen | undefined> {
    if (seq >= this.#next) await this.#inTurn(() => this.#readTo(seq, onProgress))
    const keyframe = this.#keyframes.findLast((one) => one.seq <= seq)
    if (keyframe === undefined) return undefined
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
    await this.#inTurn(() => this.#readTo(Math.min(end, this.#next + count) - 1, () => undefined))
    return this.#next < end
  }

  /** The screens kept so far, in order. */
  get kept(): readonly Keyframe[] {
    return this.#keyframes
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #readTo(seq: number, onProgress: (read: number) => void): Promise<void> {
    for await (const frame of this.frames(this.#next, seq + 1)) {
      if (frame === undefined) this.#torn = true
      else {
        await this.#take(frame)
        this.#next = frame.seq + 1
        if (frame.seq % 1_000 === 0) onProgress(frame.seq)
      }
    }
    this.#next = Math.max(this.#next, seq + 1)
  }

  async #take(frame: Frame): Promise<void> {
    const step = terminalStep(frame)
    if (step === undefined) return
    this.#sinceFrames += 1
    if (step.does === 'output') {
      if (this.#emulator === undefined) return
      this.#unwritten.push(step.bytes)
      this.#unwrittenSize += step.bytes.length
      this.#sinceBytes += step.bytes.length
      this.#seam.push(step.bytes)
      if (this.#unwrittenSize >= WRITE_SIZE) await this.#flush()
    } else if (step.does === 'start') {
      this.#emulator?.dispose()
      this.#emulator = new TerminalEmulator(step)
      this.#seam = new TerminalSeam()
      this.#unwritten = []
      this.#torn = false
      await this.#keep(frame.seq)
    } else {
      await this.#flush()
      this.#emulator?.resize(step)
    }
    if ((this.#sinceBytes >= this.#every.bytes || this.#sinceFrames >= this.#every.frames) && this.#seam.whole) {
      await this.#flush()
      await this.#keep(frame.seq)
    }
  }

  async #flush(): Promise<void> {
    if (this.#unwritten.length > 0) await this.#emulator?.write(joinBytes(...this.#unwritten))
    this.#unwritten = []
    this.#unwrittenSize = 0
  }

  /** Keeps the screen if a new terminal can be brought to it; else there is another chance after the next frames. */
  async #keep(seq: number): Promise<void> {
    if (this.#emulator === undefined) return
    const { size } = this.#emulator
    const init = this.#emulator.snapshot()
    const again = new TerminalEmulator(size)
    await again.write(new TextEncoder().encode(init))
    const same = this.#emulator.steady && again.shows(this.#emulator)
    again.dispose()
    if (same) this.#keyframes.push({ seq, ...size, init, torn: this.#torn })
    // Trying costs as much as a screen: not at every frame of a stream that allows none.
    this.#sinceBytes = same ? 0 : this.#every.bytes / 2
    this.#sinceFrames = same ? 0 : this.#every.frames / 2
  }

  /** Frames [from, to) of the channel; undefined for whatever is missing or cannot be read between them. */
  async *frames(from: number, to: number): AsyncGenerator<Frame | undefined> {
    let next = from
    for (const [index, { firstSeq, count }] of this.#source.chunks.entries()) {
      if (firstSeq + count <= from || firstSeq >= to) continue
      if (firstSeq > next) yield undefined
      const frames = await this.#source.chunk(index)
      next = Math.min(to, firstSeq + count)
      if (frames === undefined) yield undefined
      for (let seq = Math.max(from, firstSeq); frames !== undefined && seq < next; seq += 1) {
        const frame = frames.at(seq - firstSeq)
        if (frame === undefined || frame.channel === this.#channel) yield frame
      }
    }
  }
}
