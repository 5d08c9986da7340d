import type { SessionQuery } from '../../schemas/api.ts'
import { SESSION_STATES } from '../../schemas/api-names.ts'
import { PROTOCOL_NAMES } from '../../schemas/session.ts'

export type ParsedQuery =
  | { readonly ok: true; readonly query: Omit<SessionQuery, 'cursor' | 'limit'> }
  | { readonly ok: false; readonly what: string }

const ACTS = ['allow', 'mask', 'block', 'hold'] as const
const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `identity:agent-* target:orders-db rows>10000 verdict:block state:live since:24h`; words without a name are looked for in statements. */
export function parseSessionFilter(source: string, nowMs: number): ParsedQuery {
  let query: Omit<SessionQuery, 'cursor' | 'limit'> = {}
  const words: string[] = []
  for (const [term] of source.matchAll(/(?:[^\s"]+:)?"[^"]*"?|\S+/g)) {
    const [, name = '', quoted, plain = ''] = /^(?:([a-z]+)[:>]=?)?(?:"([^"]*)"?|(.*))$/s.exec(term) ?? []
    const value = quoted ?? plain
    if (name !== '' && value === '') return { ok: false, what: `${name}: needs a value` }
    switch (name) {
      case '':
      case 'text':
        words.push(value)
        break
      case 'identity':
        query = { ...query, identity: value }
        break
      case 'target':
        query = { ...query, target: value }
        break
      case 'protocol': {
        const protocol = PROTOCOL_NAMES.find((one) => one === value)
        if (protocol === undefined) return { ok: false, what: `protocol: is one of ${PROTOCOL_NAMES.join(', ')}, not ${value}` }
        query = { ...query, protocol }
        break
      }
      case 'state': {
        const state = SESSION_STATES.find((one) => one === value)
        if (state === undefined) return { ok: false, what: `state: is one of ${SESSION_STATES.join(', ')}, not ${value}` }
        query = { ...query, state }
        break
      }
      case 'verdict': {
        const verdict = ACTS.find((one) => one === value)
        if (verdict === undefined) return { ok: false, what: `verdict: is one of ${ACTS.join(', ')}, not ${value}` }
        query = { ...query, verdict }
        break
      }
      case 'rows':
        if (!/^\d{1,15}$/.test(value)) return { ok: false, what: `rows> needs a number, not ${value}` }
        query = { ...query, minRows: Number(value) + (/^rows>(?!=)/.test(term) ? 1 : 0) }
        break
      case 'since':
      case 'until': {
        const at = timeOf(value, nowMs)
        if (at === undefined) return { ok: false, what: `${name}: takes 30m, 24h, 7d or a date such as 2026-11-20, not ${value}` }
        query = { ...query, [name]: at }
        break
      }
      default:
        return {
          ok: false,
          what: `${name}: is not known here; there are identity, target, protocol, state, verdict, rows, since, until, and text without a name`,
        }
    }
  }
  const text = words.join(' ')
  return { ok: true, query: text === '' ? query : { ...query, text } }
}

/** Ago, or a moment; ISO 8601. */
function timeOf(value: string, nowMs: number): string | undefined {
  const [, count, unit = ''] = /^(\d{1,5})([mhdw])$/.exec(value) ?? []
  if (count !== undefined) return new Date(nowMs - Number(count) * (UNITS_MS[unit] ?? 0)).toISOString()
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+Z?)?$/.test(value)) return undefined
  const date = new Date(value.length === 10 ? `${value}T00:00:00Z` : value)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
