import type { Facts } from '../../../schemas/frame.ts'
import { isUnread, sqlFacts } from '../../policy/sql/facts.ts'
import { nameOf } from './messages.ts'
import type { SqlName, SqlReader } from './request-context.ts'
import { sqlThreads } from './sql-threads.ts'

/** What of a statement's facts stands on the tape with each of its frames; the text itself is the frame's body. */
const BRIEF = ['verbs', 'relations', 'fingerprint', 'parse_ok', 'unknown_statement'] as const

/** The SQL parser as the wire sees it. */
export const sqlReader: SqlReader = {
  facts: sqlFacts,
  unread: isUnread,
  read: (sql) => sqlThreads.read(sql),
  brief(sql) {
    const facts: Facts = sqlFacts(sql)
    const known = briefs.get(facts)
    if (known !== undefined) return known
    const brief = Object.fromEntries(BRIEF.flatMap((name) => (facts[name] === undefined ? [] : [[name, facts[name]]])))
    briefs.set(facts, brief)
    return brief
  },
  names(sql) {
    const { prepares = [], executes = [] } = sqlFacts(sql)
    return { prepares: prepares.map(sqlName), executes: executes.map(sqlName) }
  },
}

/** `statement:s` or `cursor:c` as the facts have it, the name as the server tells names apart. */
function sqlName(fact: string): SqlName {
  const colon = fact.indexOf(':')
  return { kind: fact.slice(0, colon) === 'cursor' ? 'cursor' : 'statement', name: nameOf(fact.slice(colon + 1)) }
}

/** Facts objects are cached by the policy, so their briefs are kept beside them. */
const briefs = new WeakMap<Facts, Facts>()
