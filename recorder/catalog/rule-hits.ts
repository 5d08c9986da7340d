import type { RuleHits } from '../../schemas/api.ts'
import type { Database } from './database.ts'

const MAX_RULES = 500

/** Statements by the rules that had a part in them, of sessions whose id (it begins with their time) is `from` or later. */
export async function ruleHits(database: Database, from: string): Promise<readonly RuleHits[]> {
  const { rows } = await database.query<RuleHits>(
    `select rule, count(*)::bigint as statements, count(distinct session)::bigint as sessions
     from catalog.statements, unnest(rules) rule where session >= $1 and rules <> '{}'
     group by rule order by statements desc, rule limit ${MAX_RULES}`,
    [from],
  )
  return rows
}
