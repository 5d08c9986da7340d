import type { SessionQuery } from '../../schemas/api.ts'
import { parseTerms, type Term } from '../../schemas/filter.ts'

/** Rows above which a session is worth a look for that alone. */
export const LARGE_ROWS = 10_000

type Query = Omit<SessionQuery, 'cursor' | 'limit'>
export type ParsedQuery = { readonly ok: true; readonly query: Query } | { readonly ok: false; readonly what: string }

/** The filter language as far as a list of sessions goes; the rest of it is for searching. */
export function parseSessionFilter(source: string, nowMs: number): ParsedQuery {
  const parsed = parseTerms(source, nowMs)
  if (!parsed.ok) return parsed
  let query: Query = {}
  for (const term of parsed.terms) {
    const more = queryOf(term)
    if (more === undefined)
      return {
        ok: false,
        what: `${term.not ? '-' : ''}${term.field}: is for the page Search; here are identity, target, protocol, state, verdict, rows, since, until and text`,
      }
    const twice = Object.keys(more).find((name) => name in query)
    if (twice !== undefined)
      return {
        ok: false,
        what: `${term.field} is here twice, and a list takes one of each; the page Search takes several, and all hold`,
      }
    query = { ...query, ...more }
  }
  return { ok: true, query }
}

function queryOf({ field, not, op, value }: Term): Query | undefined {
  if (not) return undefined
  switch (field) {
    case 'rows':
      return op === 'least' ? { minRows: Number(value) } : undefined
    case 'text':
    case 'identity':
    case 'target':
    case 'since':
    case 'until':
    case 'protocol':
    case 'state':
    case 'verdict':
      // Checked by the language to be one of the names there are.
      return { [field]: value }
    default:
      return undefined
  }
}
