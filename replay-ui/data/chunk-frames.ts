import { ApplianceError } from '../../schemas/errors.ts'
import type { Frame } from '../../schemas/frame.ts'
import { decodeFrame } from '../../schemas/tape-frame.ts'

/** One chunk's frames as they came from the worker, without a copy; each is decoded when it is looked at. */
export class ChunkFrames {
  readonly #raw: Uint8Array
  readonly #bounds: Uint32Array
  readonly #decoded: (Frame | null)[] = []

  /** `bounds`: [from, to) of each frame in `raw`, one after the other. */
  constructor(raw: Uint8Array, bounds: Uint32Array) {
    this.#raw = raw
    this.#bounds = bounds
  }

  get count(): number {
    return this.#bounds.length / 2
  }

  get size(): number {
    return this.#raw.length
  }

  /** Undefined where there is none, or it cannot be read. */
  at(index: number): Frame | undefined {
    const known = this.#decoded[index]
    if (known !== undefined) return known ?? undefined
    const [from, to] = [this.#bounds[index * 2], this.#bounds[index * 2 + 1]]
    if (from === undefined || to === undefined) return undefined
    try {
      const frame = decodeFrame(this.#raw, from, to)
      this.#decoded[index] = frame
      return frame
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      this.#decoded[index] = null
      return undefined
    }
  }

  /** Index of the last frame at or before that time; 0 where none is. Decodes a few. */
  indexAt(atUs: number): number {
    let [low, high] = [0, this.count]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.at(middle)?.atUs ?? 0) <= atUs) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}
