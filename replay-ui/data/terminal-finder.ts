import type { Keyframe } from '../../schemas/views/keyframes.ts'
import { terminalStep } from '../../schemas/views/terminal.ts'
import { TerminalEmulator } from '../../schemas/views/terminal-emulator.ts'
import type { ScreenSearch } from './terminal-messages.ts'
import type { TerminalTape } from './terminal-tape.ts'

/** Written at once: the emulator takes a turn of the event loop for each batch, and somebody may have asked for something else meanwhile. */
const BATCH_FRAMES = 500

/** Frames in which the text comes onto the screen, in (from, to): told in order. */
interface Stretch {
  readonly from: Keyframe | undefined
  readonly after: number
  readonly to: number
  /** False where enough is found. */
  readonly found: (seq: number) => boolean
}

/**
 * Finds text among the screens of one channel, as they were, not among what was written: what was typed letter by letter and what
 * programs draw by moving the cursor are words on a screen. A frame is a hit where the text stands there once more than before it.
 */
export class TerminalFinder {
  readonly #tape: TerminalTape

  constructor(tape: TerminalTape) {
    this.#tape = tape
  }

  /** The frame; null where there is none, or `over` says that nobody waits any more. `onProgress`: frames read. */
  async find(
    { text, seq, way }: ScreenSearch,
    over: () => boolean,
    onProgress: (read: number) => void = () => undefined,
  ): Promise<number | null> {
    const wanted = text.toLowerCase()
    let hit: number | null = null
    await this.#tape.readTo(seq, onProgress)
    if (way === 'next') {
      const from = this.#tape.kept.findLast((one) => one.seq <= seq)
      const found = (at: number): boolean => {
        hit ??= at
        return false
      }
      await this.#read(wanted, { from, after: seq, to: Number.MAX_SAFE_INTEGER, found }, over, onProgress)
      return hit
    }
    const before = this.#tape.kept.filter((one) => one.seq < seq)
    let to = seq
    for (const from of before.reverse()) {
      const found = (at: number): boolean => {
        hit = at
        return true
      }
      await this.#read(wanted, { from, after: from.seq, to, found }, over, onProgress)
      if (hit !== null || over()) return hit
      to = from.seq + 1
    }
    return hit
  }

  async #read(wanted: string, stretch: Stretch, over: () => boolean, onProgress: (read: number) => void): Promise<void> {
    const { from, after, to, found } = stretch
    let emulator = from === undefined ? undefined : new TerminalEmulator(from)
    let going = true
    let count = 0
    let seqs: number[] = []
    let batch: Uint8Array[] = []
    const flush = async (): Promise<void> => {
      const [writes, own] = [batch, seqs]
      batch = []
      seqs = []
      await emulator?.writeEach(writes, (index) => {
        const now = emulator?.countOf(wanted) ?? 0
        const seq = own[index] ?? 0
        if (going && now > count && seq > after) going = found(seq)
        count = now
      })
      onProgress(own.at(-1) ?? after)
    }
    try {
      await emulator?.write(new TextEncoder().encode(from?.init))
      count = emulator?.countOf(wanted) ?? 0
      for await (const frame of this.#tape.frames((from?.seq ?? -1) + 1, to)) {
        const step = frame === undefined ? undefined : terminalStep(frame)
        if (frame === undefined || step === undefined) continue
        if (step.does === 'output') {
          seqs.push(frame.seq)
          batch.push(step.bytes)
          if (batch.length < BATCH_FRAMES) continue
        }
        await flush()
        if (!going || over()) return
        if (step.does === 'resize') emulator?.resize(step)
        else if (step.does === 'start') {
          emulator?.dispose()
          emulator = new TerminalEmulator(step)
          count = 0
        }
      }
      await flush()
    } finally {
      emulator?.dispose()
    }
  }
}
