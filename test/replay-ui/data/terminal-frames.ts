import type { TerminalSource } from '../../../replay-ui/data/terminal-tape.ts'
import type { Facts, Frame } from '../../../schemas/frame.ts'

const SIZE = { cols: 40, rows: 10 }
export const CHUNK_FRAMES = 7

/** A tape of these frames, in chunks of a few; `broken` chunks cannot be read. */
export function tapeOf(frames: readonly Frame[], broken: readonly number[] = []): TerminalSource & { asked: number } {
  const chunks = Array.from({ length: Math.ceil(frames.length / CHUNK_FRAMES) }, (_, index) => ({
    firstSeq: index * CHUNK_FRAMES,
    count: Math.min(CHUNK_FRAMES, frames.length - index * CHUNK_FRAMES),
  }))
  return {
    chunks,
    asked: 0,
    async chunk(index) {
      this.asked += 1
      return broken.includes(index) ? undefined : { at: (at) => frames[index * CHUNK_FRAMES + at] }
    },
  }
}

/** A terminal that is opened, and then what is written to it, or a new size. */
export function framesOf(steps: readonly (Uint8Array | string | Facts)[]): Frame[] {
  return [{ pty: true, ...SIZE }, ...steps].map((step, seq) => {
    const output = step instanceof Uint8Array || typeof step === 'string'
    return {
      seq,
      atUs: seq,
      dir: output ? 'out' : 'in',
      channel: 1,
      kind: output ? 'terminal-output' : seq === 0 ? 'shell' : 'terminal-resize',
      facts: output ? {} : step,
      body: typeof step === 'string' ? Buffer.from(step) : step instanceof Uint8Array ? step : null,
      masks: null,
      verdict: null,
    }
  })
}
