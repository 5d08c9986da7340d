import type { Field } from '../../message.ts'
import type { ColumnLabels } from '../../policy/policy.ts'

/** At most remembered: the other end chooses its keys. */
const MAX_KEYS = 10_000
/** Places for the keys met last, by their bytes; two that share one take turns in it. */
const PLACES = 1024

const UNLABELLED: Field = { path: 'body', action: 'scan' }

/** How values are treated by the name they go by, in JSON, forms and queries: labelled ones are masked whole, all others scanned. */
export class Fields {
  readonly #labels: ColumnLabels
  readonly #known = new Map<string, Field>()
  readonly #places: ({ readonly key: Uint8Array; readonly field: Field } | undefined)[] = []
  readonly unnamed = UNLABELLED

  constructor(labels: ColumnLabels) {
    this.#labels = labels
  }

  /** Whether any name is labelled at all. */
  get labelled(): boolean {
    return !this.#labels.empty
  }

  /** Whether this identity is exempt from a label that no policy has to give. */
  exempts(label: string): boolean {
    return this.#labels.exempts(label)
  }

  readonly of = (key: string): Field => {
    if (this.#labels.empty) return UNLABELLED
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const label = this.#labels.labelForName(key)
    const field: Field =
      label === undefined ? UNLABELLED : { path: `body.${label.label}`, action: 'mask', label: label.label, entity: label.entity }
    if (this.#known.size >= MAX_KEYS) this.#known.clear()
    this.#known.set(key, field)
    return field
  }

  /**
   * Of the key source[from, to), and of all below a labelled one: what has no label of its own has the label of what it stands in.
   * A body repeats its few keys: no text is made of those it has had.
   */
  at(source: Uint8Array, from: number, to: number, inside?: Field): Field {
    const own = this.#at(source, from, to)
    return own === UNLABELLED && inside?.action === 'mask' ? inside : own
  }

  #at(source: Uint8Array, from: number, to: number): Field {
    let hash = to - from
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (source[i] as number)) | 0 // from <= i < to
    const place = (hash ^ (hash >>> 12)) & (PLACES - 1)
    const found = this.#places[place]
    if (found !== undefined && isSame(found.key, source, from, to)) return found.field
    const key = Buffer.from(source.subarray(from, to))
    const field = this.of(key.toString())
    this.#places[place] = { key, field }
    return field
  }
}

function isSame(key: Uint8Array, source: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false
  for (let i = 0; i < key.length; i++) if (key[i] !== source[from + i]) return false
  return true
}
