/** A where clause in the making: every value is a parameter. */
export class Where {
  readonly values: unknown[] = []
  readonly #parts: string[] = []

  /** `$` stands for the value's place, wherever it is. */
  add(condition: string, value: unknown): void {
    this.values.push(value)
    this.#parts.push(condition.replaceAll('$', `$${this.values.length}`))
  }

  /** A value that stands in several places: what stands for it. */
  given(value: unknown): string {
    return `$${this.values.push(value)}`
  }

  /** Without a value: as it stands in an index's own condition, which the planner recognises. */
  also(condition: string): void {
    this.#parts.push(condition)
  }

  get sql(): string {
    return this.#parts.length === 0 ? '' : `where ${this.#parts.map((part) => `(${part})`).join(' and ')}`
  }
}
