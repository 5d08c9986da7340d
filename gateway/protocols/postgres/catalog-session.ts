import type { Facts } from '../../../schemas/frame.ts'
import type { Catalog } from './catalog.ts'
import type { Origin } from './catalog-origin.ts'
import type { Relation } from './catalog-snapshot.ts'
import { bare } from './catalog-system.ts'
import { OwnChanges } from './own-changes.ts'

/** The catalog as one session can go by it: of what the session itself has defined anew since it was read, it knows nothing. */
export class SessionCatalog {
  readonly #catalog: Catalog
  readonly #changes = new OwnChanges()

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** A statement with these facts is sent for execution. */
  executed(facts: Facts): void {
    this.#changes.executed(facts)
  }

  /** All that was sent has been answered, and no transaction is open. */
  rested(): void {
    if (this.#changes.rested(this.#catalog.begun)) this.#catalog.refreshBehind()
  }

  refresh(): Promise<void> {
    return this.#catalog.refresh()
  }

  /** Stands for all that is known, for as long as nothing else is. */
  get edition(): object {
    return this.#catalog.edition
  }

  /** The same, where what follows from it may be kept; undefined where that will soon be something else. */
  get settled(): object | undefined {
    return this.#isChanged ? undefined : this.#catalog.fresh
  }

  lookup(oid: number, attnum: number): Origin | 'system' | undefined {
    const origin = this.#catalog.lookup(oid, attnum)
    return typeof origin === 'object' && this.#isChanged && this.#changes.reach(origin) ? undefined : origin
  }

  named(table: string, schema?: string): readonly Relation[] {
    return this.#isChanged && this.#changes.has(`relation ${table}`) ? [] : this.#catalog.named(table, schema)
  }

  /** A temporary relation comes before the system's own. */
  isSystem(table: string): boolean {
    return this.#catalog.isSystem(table) && !(this.#isChanged && this.#changes.has(`relation ${table}`))
  }

  /** Whether a function of this name may be somebody's own, under the name of one of PostgreSQL's or called on a row. */
  addsFunction(name: string): boolean {
    return this.#catalog.additions.functions.has(name) || (this.#isChanged && this.#changes.has(`function ${name}`))
  }

  addsOperator(name: string): boolean {
    return this.#catalog.additions.operators.has(name) || (this.#isChanged && this.#changes.has(`operator ${name}`))
  }

  get addsCasts(): boolean {
    return this.#catalog.additions.casts || (this.#isChanged && this.#changes.has('cast'))
  }

  isRuled(table: string): boolean {
    return this.#catalog.additions.ruled.has(table)
  }

  /** Whether a statement with these facts calls what the session has just made. */
  callsChanged({ functions, columns }: Facts): boolean {
    if (!this.#isChanged) return false
    return [functions, columns].some(
      (names) => Array.isArray(names) && names.some((name) => this.#changes.has(`function ${bare(name)}`)),
    )
  }

  get #isChanged(): boolean {
    return this.#changes.unread(this.#catalog.reading)
  }
}
