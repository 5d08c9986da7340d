/** Pseudo-random numbers that a seed repeats (mulberry32): for runs that must be repeatable, never for anything secret. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  /** As `between`, small numbers as likely as large ones. */
  scale(from: number, to: number): number {
    return Math.round(Math.exp(Math.log(from) + this.next() * (Math.log(to) - Math.log(from))))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.between(0, from.length - 1)] ?? from[0]
  }

  /** A generator of its own: what it draws does not change what comes after it here. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32))
  }

  /** Words nobody takes for a secret or for personal data, about `size` bytes of them. */
  words(size: number): string {
    let text = ''
    while (text.length < size) text += `${this.pick(WORDS)} `
    return text.slice(0, size)
  }
}

const WORDS = ['river', 'stone', 'ladder', 'copper', 'window', 'garden', 'paper', 'signal', 'harbour', 'meadow'] as const
