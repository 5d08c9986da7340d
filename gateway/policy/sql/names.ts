import type { Fact, Facts } from '../../../schemas/frame.ts'

/** Names a session may prepare or declare before later ones count as unknown. */
const MAX_NAMES = 10_000

const NOTHING_LEARNED: readonly Facts[] = []

/**
 * What a session's SQL-level names stand for. A name keeps everything it ever stood for: whether a PREPARE succeeded, or a
 * DEALLOCATE, only the server knows. A name never heard of may stand for anything, so using it is `dynamic`.
 */
export class SqlNames {
  readonly #known = new Map<string, readonly Facts[]>()

  /** The facts with those of the names it uses added; the same object where it uses none. */
  resolve(facts: Facts): Facts {
    const prepares = strings(facts['prepares'])
    const executes = strings(facts['executes'])
    if (prepares.length === 0 && executes.length === 0) return facts
    for (const name of prepares) {
      const meanings = this.#known.get(name) ?? NOTHING_LEARNED
      if (meanings.includes(facts) || (meanings.length === 0 && this.#known.size >= MAX_NAMES)) continue
      this.#known.set(name, [...meanings, facts])
    }
    let resolved = facts
    for (const name of executes) {
      const meanings = this.#known.get(name)
      // Of a text that comes with all it uses the facts are whole, however many names there were before.
      if (meanings === undefined && prepares.includes(name)) continue
      resolved = meanings === undefined ? { ...resolved, dynamic: true } : meanings.reduce(union, resolved)
    }
    return resolved
  }
}

/** Two statements' facts as one: lists joined, flags raised. Numbers and texts stay those of the first, who is the one running. */
function union(first: Facts, second: Facts): Facts {
  const joined: Record<string, Fact> = { ...first }
  for (const [name, value] of Object.entries(second)) {
    const own = joined[name]
    if (Array.isArray(value)) joined[name] = [...new Set([...strings(own), ...value])]
    else if (typeof value === 'boolean' && typeof own === 'boolean')
      joined[name] = WEAKEST_FALSE.has(name) ? own && value : own || value
    else if (own === undefined || (name === 'limit' && value === null)) joined[name] = value
  }
  return joined
}

/** Facts of which `false` is the worse. */
const WEAKEST_FALSE = new Set(['has_where', 'parse_ok'])

function strings(value: Fact | undefined): readonly string[] {
  return Array.isArray(value) ? value : []
}
