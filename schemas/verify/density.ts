/** Most bins a strip in the console can show. */
const MAX_BINS = 1024
/** First width; doubles whenever the session outgrows the bins. */
const FIRST_BIN_US = 1024

/** How many frames fell into which part of the session, in at most 1,024 bins, without knowing how long it will be. */
export class Density {
  #binUs = FIRST_BIN_US
  #counts: number[] = []

  add(times: readonly number[]): void {
    for (const atUs of times) {
      while (atUs >= this.#binUs * MAX_BINS) this.#fold()
      const bin = Math.floor(atUs / this.#binUs)
      while (this.#counts.length <= bin) this.#counts.push(0)
      this.#counts[bin] = (this.#counts[bin] ?? 0) + 1
    }
  }

  result(): { readonly binUs: number; readonly counts: readonly number[] } {
    return { binUs: this.#binUs, counts: [...this.#counts] }
  }

  #fold(): void {
    const folded: number[] = []
    for (let bin = 0; bin < this.#counts.length; bin += 2) folded.push((this.#counts[bin] ?? 0) + (this.#counts[bin + 1] ?? 0))
    this.#counts = folded
    this.#binUs *= 2
  }
}
