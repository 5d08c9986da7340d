import { joinBytes } from '../bytes.ts'
import { TerminalSeam, type TerminalSize, type TerminalStep } from './terminal.ts'
import { TerminalEmulator } from './terminal-emulator.ts'
import type { TerminalWork } from './terminal-work.ts'

/** After how much output, or how many frames, a screen is kept. */
export interface KeyframePace {
  readonly bytes: number
  readonly frames: number
}

/** Written to the emulator at once: it takes a turn of the event loop for each. */
const WRITE_SIZE = 64 << 10

/** A screen kept, as it was behind frame `seq`. */
export interface Keyframe extends TerminalSize {
  readonly seq: number
  /** What, written to a new terminal of this size, gives it. Untrusted and masked, as the output it comes from. */
  readonly init: string
  /** Frames before it could not be read: the screen may have been another. */
  readonly torn: boolean
}

/** Some milliseconds for a player, and as many frames to be read for it. Keeping a large screen takes longer, and is done more rarely. */
export function keyframePace({ cols, rows }: TerminalSize): KeyframePace {
  const cells = cols * rows
  return { bytes: Math.max(128 << 10, cells * 32), frames: Math.max(1_000, cells >> 2) }
}

/** Keeps the screens of one channel, now and then. Deterministic: the same frames give the same screens. */
export class KeyframeMaker {
  readonly #kept: (keyframe: Keyframe) => void
  readonly #paceOf: (size: TerminalSize) => KeyframePace
  readonly #work: TerminalWork | undefined
  #seam = new TerminalSeam()
  #emulator: TerminalEmulator | undefined
  #torn = false
  #sinceBytes = 0
  #sinceFrames = 0
  #unwritten: Uint8Array[] = []
  #unwrittenSize = 0

  /** Once `work` is exceeded no screen is kept any more. */
  constructor(
    kept: (keyframe: Keyframe) => void,
    paceOf: (size: TerminalSize) => KeyframePace = keyframePace,
    work?: TerminalWork,
  ) {
    this.#kept = kept
    this.#paceOf = paceOf
    this.#work = work
  }

  /** Frames are missing here. */
  tear(): void {
    this.#torn = true
  }

  /** What the next frame does. One call at a time; without a promise as long as the emulator has nothing to be waited for. */
  take(step: TerminalStep, seq: number): Promise<void> | undefined {
    this.#sinceFrames += 1
    if (this.#work?.exceeded === true) {
      this.dispose()
      return undefined
    }
    if (step.does !== 'output') return this.#set(step, seq)
    if (this.#emulator === undefined) return undefined
    this.#unwritten.push(step.bytes)
    this.#unwrittenSize += step.bytes.length
    this.#sinceBytes += step.bytes.length
    this.#seam.push(step.bytes)
    if (this.#isDue(this.#emulator)) return this.#keepNow(seq)
    return this.#unwrittenSize >= WRITE_SIZE ? this.#flush() : undefined
  }

  dispose(): void {
    this.#emulator?.dispose()
    this.#emulator = undefined
  }

  #isDue({ size }: TerminalEmulator): boolean {
    const { bytes, frames } = this.#paceOf(size)
    return (this.#sinceBytes >= bytes || this.#sinceFrames >= frames) && this.#seam.whole
  }

  async #set(step: Exclude<TerminalStep, { does: 'output' }>, seq: number): Promise<void> {
    if (step.does === 'start') {
      this.#emulator?.dispose()
      this.#emulator = new TerminalEmulator(step, this.#work)
      this.#seam = new TerminalSeam()
      this.#unwritten = []
      this.#unwrittenSize = 0
      this.#torn = false
      await this.#keep(seq)
      return
    }
    await this.#flush()
    this.#emulator?.resize(step)
    if (this.#emulator !== undefined && this.#isDue(this.#emulator)) await this.#keep(seq)
  }

  async #keepNow(seq: number): Promise<void> {
    await this.#flush()
    await this.#keep(seq)
  }

  async #flush(): Promise<void> {
    const bytes = joinBytes(...this.#unwritten)
    this.#unwritten = []
    this.#unwrittenSize = 0
    if (bytes.length > 0) await this.#emulator?.write(bytes)
  }

  /** Keeps the screen if a new terminal can be brought to it; else there is another chance after the next frames. */
  async #keep(seq: number): Promise<void> {
    if (this.#emulator === undefined || this.#work?.exceeded === true) return
    const { size } = this.#emulator
    const init = this.#emulator.snapshot()
    const again = new TerminalEmulator(size)
    await again.write(new TextEncoder().encode(init))
    const same = this.#emulator.steady && again.shows(this.#emulator)
    again.dispose()
    if (same) this.#kept({ seq, ...size, init, torn: this.#torn })
    // Trying costs as much as a screen: not at every frame of a stream that allows none.
    const { bytes, frames } = this.#paceOf(size)
    this.#sinceBytes = same ? 0 : bytes / 2
    this.#sinceFrames = same ? 0 : frames / 2
  }
}
