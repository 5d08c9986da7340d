import type { Facts } from '../../../schemas/frame.ts'
import { ANYTHING } from '../../policy/sql/defined.ts'
import type { Origin } from './catalog-origin.ts'

/** Names one session may have changed between two readings of the catalog; beyond, any name may be one of them. */
const MAX_NAMES = 1_000

/**
 * What a session has defined anew, of which the catalog as it was last read tells something else or nothing: a view replaced, a
 * table put below another, a function under the name of one of PostgreSQL's. Until the catalog is read again, after all of it was
 * committed or undone, such names are known to nobody.
 */
export class OwnChanges {
  readonly #names = new Set<string>()
  /** It has made code, which may define anything wherever it runs. */
  #made = false
  /** The last reading that may have missed something; infinite while a transaction is open, or an answer outstanding. */
  #missedBy = 0

  /** A statement with these facts is sent for execution. */
  executed(facts: Facts): void {
    const { defines, function_categories: categories, verbs, parse_ok: readable } = facts
    const names = Array.isArray(defines) ? defines : []
    const runs = (Array.isArray(categories) && categories.includes('unknown')) || (Array.isArray(verbs) && verbs.includes('CALL'))
    const any = readable !== true || (this.#made && runs) || this.#names.size > MAX_NAMES
    if (!any && names.length === 0) return
    this.#made ||= readable !== true || names.some((name) => name === ANYTHING || name.startsWith('function '))
    this.#missedBy = Number.POSITIVE_INFINITY
    if (any) this.#names.add(ANYTHING)
    for (const name of names) this.#names.add(name)
  }

  /** Nothing is under way any more; `begun` readings of the catalog were begun so far. True where another one is needed. */
  rested(begun: number): boolean {
    if (this.#missedBy !== Number.POSITIVE_INFINITY) return false
    this.#missedBy = begun
    return true
  }

  /** Whether there is such a name, `reading` being the one in force. */
  unread(reading: number): boolean {
    if (this.#names.size > 0 && reading > this.#missedBy) this.#names.clear()
    return this.#names.size > 0
  }

  /** Whether it is among those names: `relation orders`, `function lower`, `operator +`, `cast`. */
  has(name: string): boolean {
    return this.#names.has(name) || this.#names.has(ANYTHING)
  }

  /** Whether what the catalog says of a column goes by way of such a name. */
  reach({ table, also, computedFrom }: Origin): boolean {
    const has = (one: { readonly table: string }): boolean => this.has(`relation ${one.table}`)
    return has({ table }) || also.some(has) || computedFrom.some(has)
  }
}
