import { createHash, randomBytes } from 'node:crypto'
import type { Facts } from '../../../schemas/frame.ts'

/** Names a session has made itself, at most; beyond, any name may be one of them. */
const MAX_OWN_NAMES = 1_000

/**
 * Names of relations that a session may have made itself: a temporary table, view or sequence comes before any other of its name,
 * and only its own session sees it. What was approved with the one is nothing like the same text with the other.
 * A statement whose effect is not known (a DO block, a function of the database's own, a rename) may have made any name.
 */
export class OwnNames {
  readonly #names = new Set<string>()
  /** Of this session alone: what is bound to it fits in no other. */
  readonly #nonce = randomBytes(16).toString('hex')
  #history = ''
  #any = false

  /** A statement with these facts was sent for execution. */
  executed(facts: Facts, sql: string): void {
    const any = makesAnything(facts)
    if (!any && facts['ddl'] !== true) return
    this.#history = createHash('sha256').update(this.#history).update('\0').update(sql).digest('hex')
    for (const name of relationsIn(facts)) this.#names.add(name)
    if (any || this.#names.size > MAX_OWN_NAMES) this.#any = true
  }

  /** Which of the relations in a statement with these facts the session may have made. */
  among(facts: Facts): readonly string[] {
    if (!this.#any && this.#names.size === 0) return []
    const named = relationsIn(facts)
    return facts['parse_ok'] !== true ? [...this.#names] : this.#any ? named : named.filter((name) => this.#names.has(name))
  }

  /** What an approval of such a statement is bound to: nothing, or this session as it is. */
  bound(facts: Facts): string {
    const unread = facts['parse_ok'] !== true && (this.#any || this.#names.size > 0)
    return unread || this.among(facts).length > 0 ? `${this.#nonce} ${this.#history}` : ''
  }
}

function makesAnything(facts: Facts): boolean {
  const { verbs, function_categories: categories } = facts
  return (
    facts['parse_ok'] !== true ||
    facts['dynamic'] === true ||
    (Array.isArray(verbs) && verbs.includes('ALTER RENAME')) ||
    (Array.isArray(categories) && (categories.includes('unknown') || categories.includes('sql-in-text')))
  )
}

/** Their last parts: whatever schema is written or meant, a temporary one may be. */
function relationsIn({ relations }: Facts): readonly string[] {
  if (!Array.isArray(relations)) return []
  return relations.map((name) => String(name)).map((name) => name.slice(name.lastIndexOf('.') + 1))
}
