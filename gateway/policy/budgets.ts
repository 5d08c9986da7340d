/** A window is counted in this many parts: what it forgets, it forgets a sixtieth at a time. */
const PARTS = 60
const MIN_PART_MS = 1_000
/** Rules times identities of one process; beyond, the budgets that were used longest ago are forgotten. */
const MAX_BUDGETS = 10_000

export interface Spent {
  readonly rows: number
  readonly bytes: number
}

/** Rows and bytes by the number of the part they were spent in: `{ "29450112": [120, 4096] }`. */
export type Parts = Readonly<Record<string, readonly [rows: number, bytes: number]>>

/** What one process has spent, by budget: what it tells others, and hears of them. */
export type Spending = Readonly<Record<string, Parts>>

/**
 * What identities were given in the last so many minutes or hours, by this process and by the others it has heard of.
 * Synchronous; who tells the others, and when, is not decided here.
 */
export class Budgets {
  /** By budget, the oldest use first. */
  readonly #own = new Map<string, Map<number, [rows: number, bytes: number]>>()
  #others: readonly Spending[] = []
  /** Sums that hold until the window moves on, or others are heard of: asked for with every message of a result. */
  readonly #sums = new Map<string, { readonly first: number; rows: number; bytes: number }>()
  /** Raised whenever something was spent here. */
  #version = 0

  get version(): number {
    return this.#version
  }

  /** The name of a budget: those of other windows, rules or identities are others. */
  static key(rule: string, subject: string, windowMs: number): string {
    return `${windowMs} ${rule} ${subject}`
  }

  /** Spent within the window before now, here and elsewhere. What seems to lie in the future (a clock was set back) counts, too. */
  spent(key: string, windowMs: number, nowMs: number): Spent {
    const first = Math.floor(nowMs / partMs(windowMs)) - PARTS + 1
    const known = this.#sums.get(key)
    if (known?.first === first) return { rows: known.rows, bytes: known.bytes }
    let rows = 0
    let bytes = 0
    for (const [part, spent] of this.#own.get(key) ?? []) {
      if (part < first) continue
      rows += spent[0]
      bytes += spent[1]
    }
    for (const spending of this.#others) {
      for (const [part, spent] of Object.entries(spending[key] ?? {})) {
        if (Number(part) < first) continue
        rows += spent[0]
        bytes += spent[1]
      }
    }
    const sum = { first, rows, bytes }
    this.#sums.set(key, sum)
    return { rows, bytes }
  }

  spend(key: string, windowMs: number, nowMs: number, { rows, bytes }: Spent): void {
    const part = Math.floor(nowMs / partMs(windowMs))
    const sum = this.#sums.get(key)
    if (sum !== undefined) {
      sum.rows += rows
      sum.bytes += bytes
    }
    let parts = this.#own.get(key)
    if (parts === undefined) {
      parts = new Map()
      if (this.#own.size >= MAX_BUDGETS) this.#forget()
    } else {
      this.#own.delete(key)
    }
    this.#own.set(key, parts)
    const spent = parts.get(part)
    if (spent === undefined) {
      for (const old of parts.keys()) if (old <= part - PARTS) parts.delete(old)
      parts.set(part, [rows, bytes])
    } else {
      spent[0] += rows
      spent[1] += bytes
    }
    this.#version++
  }

  /** All that was spent here and may still count. */
  spending(): Spending {
    return Object.fromEntries([...this.#own].map(([key, parts]) => [key, Object.fromEntries(parts)]))
  }

  /** What the other processes have spent, in place of what was heard before. */
  hear(others: readonly Spending[]): void {
    this.#others = others
    this.#sums.clear()
  }

  #forget(): void {
    const [oldest] = this.#own.keys()
    if (oldest === undefined) return
    this.#own.delete(oldest)
    this.#sums.delete(oldest)
  }
}

function partMs(windowMs: number): number {
  return Math.max(MIN_PART_MS, Math.ceil(windowMs / PARTS))
}
