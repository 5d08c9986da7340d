import type { Facts } from '../../../schemas/frame.ts'
import { sqlFacts } from '../../policy/sql/facts.ts'
import { type Node, parseSql } from '../../policy/sql/parse.ts'
import type { SqlReader } from './request-context.ts'

/** What of a statement's facts stands on the tape with each of its frames; the text itself is the frame's body. */
const BRIEF = ['verbs', 'relations', 'fingerprint', 'parse_ok', 'unknown_statement'] as const

/** The SQL parser as the wire sees it. */
export const sqlReader: SqlReader = {
  facts: sqlFacts,
  brief(sql) {
    const facts = sqlFacts(sql)
    const known = briefs.get(facts)
    if (known !== undefined) return known
    const brief = Object.fromEntries(BRIEF.flatMap((name) => (facts[name] === undefined ? [] : [[name, facts[name]]])))
    briefs.set(facts, brief)
    return brief
  },
  names(sql) {
    const prepares: { name: string; sql: string }[] = []
    const executes: string[] = []
    const parsed = parseSql(sql)
    if (parsed.ok) {
      for (const statement of parsed.statements) {
        walk(statement, (tag, body) => {
          const { name } = body
          if (typeof name !== 'string') return
          if (tag === 'PrepareStmt') prepares.push({ name, sql })
          if (tag === 'ExecuteStmt') executes.push(name)
        })
      }
    }
    return { prepares, executes }
  },
}

/** Facts objects are cached by the policy, so their briefs are kept beside them. */
const briefs = new WeakMap<Facts, Facts>()

function walk(node: Node, visit: (tag: string, body: Node) => void): void {
  for (const [tag, body] of Object.entries(node)) {
    if (Array.isArray(body)) {
      for (const item of body) if (isNode(item)) walk(item, visit)
    } else if (isNode(body)) {
      visit(tag, body)
      walk(body, visit)
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
