import { byteAt } from './bytes.ts'
import type { Tail } from './detector.ts'

/** A tail on its way: byte after byte, over as many pieces as the field comes in. */
export class TailRun {
  #tail: Tail | null = null
  #run = 0
  #stops = 0

  get active(): boolean {
    return this.#tail !== null
  }

  begin(tail: Tail): this {
    this.#tail = tail
    this.#run = 0
    this.#stops = 0
    return this
  }

  /** The end of the tail in bytes[index, end), or `end` where it goes on: then it stays `active`. */
  run(bytes: Uint8Array, index: number, end: number): number {
    const tail = this.#tail
    if (tail === null) return index
    const { set, stop = -1, stopRun = 1, stops = 1, takeStop = false } = tail
    for (let i = index; i < end; i++) {
      const byte = byteAt(bytes, i)
      if (set[byte] !== 1) return this.#over(i)
      if (byte !== stop) {
        this.#run = 0
        continue
      }
      if (++this.#run < stopRun) continue
      this.#run = 0
      if (++this.#stops === stops) return this.#over(takeStop ? i + 1 : i)
    }
    return end
  }

  #over(end: number): number {
    this.#tail = null
    return end
  }
}
