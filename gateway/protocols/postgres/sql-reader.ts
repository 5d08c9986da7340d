import type { Facts } from '../../../schemas/frame.ts'
import { sqlFacts } from '../../policy/sql/facts.ts'
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
    const { prepares = [], executes = [] } = sqlFacts(sql)
    return { prepares: prepares.map((name) => ({ name, sql })), executes }
  },
}

/** Facts objects are cached by the policy, so their briefs are kept beside them. */
const briefs = new WeakMap<Facts, Facts>()
