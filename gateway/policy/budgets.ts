import type { Passed } from './threshold.ts'

/** A window is counted in this many parts: what it forgets, it forgets a sixtieth at a time. */
const PARTS = 60
const MIN_PART_MS = 1_000

export interface Spent {
  readonly rows: number
  readonly bytes: number
}

/** What one budget counts. `limit`: Infinity where it does not. */
export interface BudgetOf {
  readonly rule: string
  readonly subject: string
  readonly windowMs: number
  readonly limit: Spent
}

/** What identities may be given in so many minutes or hours, whoever gives it. */
export interface Budgets {
  passed(of: BudgetOf): Passed
}

/** Of this process alone, for trying policies out: nothing is agreed on with anybody. */
export class OwnBudgets implements Budgets {
  readonly #spent = new Map<string, Map<number, Spent>>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  passed({ rule, subject, windowMs }: BudgetOf): Passed {
    const key = JSON.stringify([rule, subject, windowMs])
    const parts = this.#spent.get(key) ?? new Map<number, Spent>()
    this.#spent.set(key, parts)
    const lengthMs = Math.max(MIN_PART_MS, Math.ceil(windowMs / PARTS))
    const part = (): number => Math.floor(this.#now() / lengthMs)
    const sum = (): Spent => {
      const first = part() - PARTS + 1
      const counted = [...parts].filter(([each]) => each >= first)
      return counted.reduce((total, [, each]) => ({ rows: total.rows + each.rows, bytes: total.bytes + each.bytes }), NOTHING)
    }
    return {
      sum,
      left: (allowed) => {
        const { rows, bytes } = sum()
        return { rows: allowed.rows - rows, bytes: allowed.bytes - bytes }
      },
      add: (rows, bytes) => {
        const before = parts.get(part()) ?? NOTHING
        parts.set(part(), { rows: before.rows + rows, bytes: before.bytes + bytes })
      },
    }
  }
}

const NOTHING: Spent = { rows: 0, bytes: 0 }
