import type { Facts } from '../../../schemas/frame.ts'
import { holdsMask } from '../../masking/sentinel.ts'
import { MAX_INLINE_SQL_BYTES } from './facts.ts'
import { type Node, parseSql } from './parse.ts'

/**
 * Whether a statement with these facts may change what is stored: it says so, or runs what cannot be seen. A mask in such a
 * statement would take the place of the value it stands for; in a query it merely finds nothing.
 */
export function mayWrite(facts: Facts): boolean {
  if (facts['writes'] === true || facts['dynamic'] === true || facts['parse_ok'] !== true) return true
  const categories = facts['function_categories']
  return Array.isArray(categories) && categories.includes('unknown')
}

/** What a literal other than it looks may begin with, or be put together by. */
const DISGUISE = /\\|u&'|\|\||concat/i

/**
 * Whether a statement holds a mask: as it stands, behind the escapes of `E''` and `U&''`, or cut into literals that follow one
 * another. Longer texts than are read on the event loop are looked at as they stand.
 */
export function statementHoldsMask(sql: string): boolean {
  if (holdsMask(sql)) return true
  if (sql.length > MAX_INLINE_SQL_BYTES || !DISGUISE.test(sql)) return false
  const parsed = parseSql(sql)
  if (!parsed.ok) return false
  const literals: string[] = []
  collect(parsed.statements, literals)
  return holdsMask(literals.join(''))
}

function collect(value: unknown, into: string[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, into)
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [tag, child] of Object.entries(value as Node)) {
    const text = tag === 'A_Const' ? (child as { readonly sval?: { readonly sval?: unknown } }).sval?.sval : undefined
    if (typeof text === 'string') into.push(text)
    else collect(child, into)
  }
}
