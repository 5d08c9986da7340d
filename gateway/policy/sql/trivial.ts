import type { Node } from './parse.ts'

/** What is known of a WHERE: whether it (nearly) surely keeps every row, and whether a literal's value was needed to say so. */
export interface Triviality {
  readonly trivial: boolean
  /** Another literal in the same place might change the answer, so it may not be cached without its literals. */
  readonly byLiteral: boolean
}

/**
 * Whether a condition selects nothing in particular: it looks at no column (`1=1`, `true`, `now() > '2000-01-01'`),
 * compares a thing with itself (`id = id`), is `LIKE '%'`, or is `id IN (SELECT id FROM the same table)`.
 * A condition that happens to hold for every row (`id > 0`) cannot be told without the data.
 */
export function triviality(condition: unknown, relation: string | undefined): Triviality {
  const seen = { byLiteral: false }
  const trivial = holds(condition, relation, seen, 0)
  return { trivial, byLiteral: seen.byLiteral }
}

/** Deeper conditions are nobody's honest work, and cost the square of their depth: taken for trivial. */
const MAX_DEPTH = 64

function holds(value: unknown, relation: string | undefined, seen: { byLiteral: boolean }, depth: number): boolean {
  if (depth > MAX_DEPTH) return true
  const node = value as Node
  if (!mentions(node, 'ColumnRef') && !mentions(node, 'CurrentOfExpr')) return true
  const bool = node['BoolExpr'] as Node | undefined
  if (bool !== undefined) {
    const parts = (bool['args'] as readonly unknown[] | undefined) ?? []
    // Every part is looked at, so that what was seen does not depend on the order.
    const held = parts.map((part) => holds(part, relation, seen, depth + 1))
    return bool['boolop'] === 'AND_EXPR' ? held.every(Boolean) : held.some(Boolean)
  }
  const test = node['BooleanTest'] as Node | undefined
  if (test !== undefined) return holds(test['arg'], relation, seen, depth + 1)
  const link = node['SubLink'] as Node | undefined
  if (link !== undefined) return selectsItself(link, relation)
  const expression = node['A_Expr'] as Node | undefined
  if (expression === undefined) return false
  const left = plain(expression['lexpr'])
  const right = plain(expression['rexpr'])
  switch (expression['kind']) {
    case 'AEXPR_OP':
    case 'AEXPR_NOT_DISTINCT':
    case 'AEXPR_IN':
    case 'AEXPR_OP_ANY':
      if (mentions(expression['lexpr'], 'ColumnRef') && mentions(expression['rexpr'], 'ColumnRef')) {
        if (mentions(expression['lexpr'], 'A_Const') || mentions(expression['rexpr'], 'A_Const')) seen.byLiteral = true
        return left === right || right.includes(left)
      }
      return matchesAll(expression, seen)
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
      return matchesAll(expression, seen)
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
      if (mentions(expression['rexpr'], 'A_Const')) seen.byLiteral = true
      return right === `{"List":{"items":[${left},${left}]}}`
    default:
      return false
  }
}

/** `x LIKE '%'`, `x ~ ''`, `x ~ '.*'`. */
function matchesAll(expression: Node, seen: { byLiteral: boolean }): boolean {
  const operator = JSON.stringify(expression['name'])
  const pattern = ((expression['rexpr'] as Node | undefined)?.['A_Const'] as Node | undefined)?.['sval'] as Node | undefined
  if (!/~|LIKE/i.test(operator) && expression['kind'] === 'AEXPR_OP') return false
  seen.byLiteral = true
  const text = pattern === undefined ? undefined : String(pattern['sval'] ?? '')
  return (
    text !== undefined && (expression['kind'] === 'AEXPR_OP' && !operator.includes('~~') ? /^\^?(\.\*)?\$?$/ : /^%+$/).test(text)
  )
}

/** `id IN (SELECT id FROM t)` on t itself, with nothing that narrows it. */
function selectsItself(link: Node, relation: string | undefined): boolean {
  const select = (link['subselect'] as Node | undefined)?.['SelectStmt'] as Node | undefined
  if (select === undefined || relation === undefined) return false
  if (['whereClause', 'limitCount', 'limitOffset', 'havingClause', 'groupClause'].some((clause) => select[clause] !== undefined))
    return false
  const from = (select['fromClause'] as readonly Node[] | undefined) ?? []
  const [only] = from
  return from.length === 1 && (only?.['RangeVar'] as Node | undefined)?.['relname'] === relation
}

/** Whether a node of this name stands anywhere inside. */
function mentions(value: unknown, tag: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((item) => mentions(item, tag))
  for (const key in value) if (key === tag || mentions((value as Node)[key], tag)) return true
  return false
}

/** The node as text, without what says where it stood; casts and a column's qualifier make no difference. */
function plain(value: unknown): string {
  return JSON.stringify(value ?? null, (key, child: unknown) => {
    if (key === 'location' || key === 'list_start' || key === 'list_end') return undefined
    if (key === 'fields' && Array.isArray(child)) return child.slice(-1)
    return child
  })
}
