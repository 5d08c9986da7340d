import { ACTS } from '../../schemas/api-names.ts'
import type { Exchange } from './exchanges.ts'

export type ParsedExchangeFilter =
  | { readonly ok: true; readonly matches: (exchange: Exchange) => boolean }
  | { readonly ok: false; readonly what: string }

const TERMS = ['host', 'method', 'status', 'verdict', 'kind', 'rule'] as const
const VERDICTS: readonly string[] = ACTS

/** `host:*.example method:post status:4xx status:403 verdict:block kind:call rule:pii.*`, all of them; words without a name are found in the name. */
export function parseExchangeFilter(source: string): ParsedExchangeFilter {
  const tests: ((exchange: Exchange) => boolean)[] = []
  for (const [term] of source.matchAll(/\S+/g)) {
    const [, name, value = ''] = /^([a-z]+):(.*)$/s.exec(term) ?? []
    const like = glob(value)
    switch (name) {
      case 'host':
        tests.push(({ host }) => like.test(host) || like.test(host.replace(/:\d+$/, '')))
        break
      case 'method':
        tests.push(({ method }) => like.test(method))
        break
      case 'kind':
        tests.push(({ kind }) => like.test(kind))
        break
      case 'rule':
        tests.push(({ rules }) => rules.some((rule) => like.test(rule)))
        break
      case 'status': {
        if (!/^(?:[1-5]xx|\d{3}|none)$/.test(value))
          return { ok: false, what: 'status: is a number such as 403, or 4xx, or none' }
        const wanted = new RegExp(`^${value.replace('xx', '\\d\\d')}$`)
        tests.push(({ status }) => (value === 'none' ? status === null : status !== null && wanted.test(String(status))))
        break
      }
      case 'verdict':
        if (!VERDICTS.includes(value)) return { ok: false, what: `verdict: is one of ${VERDICTS.join(', ')}` }
        tests.push(({ act }) => (act ?? 'allow') === value)
        break
      default: {
        // A colon may stand in a path or a host.
        if (name !== undefined && !/^(?:https?|\d+)$/.test(name) && value !== '' && !value.startsWith('/'))
          return { ok: false, what: `${name}: is not known here; there are ${TERMS.join(', ')}, and words without a name` }
        const word = term.toLowerCase()
        tests.push(
          (one) => `${one.method} ${one.host}${one.name}`.toLowerCase().includes(word) || one.name.toLowerCase().includes(word),
        )
      }
    }
  }
  return { ok: true, matches: (exchange) => tests.every((test) => test(exchange)) }
}

/** `*` for any characters, nothing else. */
function glob(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'is')
}
