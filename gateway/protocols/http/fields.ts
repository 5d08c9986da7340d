import type { Field } from '../../message.ts'
import type { ColumnLabels } from '../../policy/policy.ts'

/** At most remembered: the other end chooses its keys. */
const MAX_KEYS = 10_000

const UNLABELLED: Field = { path: 'body', action: 'scan' }

/** How values are treated by the name they go by, in JSON, forms and queries: labelled ones are masked whole, all others scanned. */
export class Fields {
  readonly #labels: ColumnLabels
  readonly #known = new Map<string, Field>()

  constructor(labels: ColumnLabels) {
    this.#labels = labels
  }

  /** Whether any name is labelled at all. */
  get labelled(): boolean {
    return !this.#labels.empty
  }

  readonly of = (key: string | undefined): Field => {
    if (key === undefined || this.#labels.empty) return UNLABELLED
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const label = this.#labels.labelForName(key)
    const field: Field =
      label === undefined ? UNLABELLED : { path: `body.${label.label}`, action: 'mask', label: label.label, entity: label.entity }
    if (this.#known.size >= MAX_KEYS) this.#known.clear()
    this.#known.set(key, field)
    return field
  }
}
