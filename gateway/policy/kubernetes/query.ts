/** Of what the API server takes (GODEBUG `urlmaxqueryparams`): of more it sees none. */
const MAX_PAIRS = 10_000

/** What a request asks for behind its `?`, in the order it was said. */
export class Query {
  readonly #pairs: readonly (readonly [name: string, value: string])[]

  constructor(pairs: readonly (readonly [name: string, value: string])[]) {
    this.#pairs = pairs
  }

  get names(): readonly string[] {
    return [...new Set(this.#pairs.map(([name]) => name))]
  }

  all(name: string): readonly string[] {
    return this.#pairs.filter(([each]) => each === name).map(([, value]) => value)
  }

  /** Where one value is asked for and several are said, the first. */
  first(name: string): string | undefined {
    return this.#pairs.find(([each]) => each === name)?.[1]
  }

  /** Everything that is said is yes, nothing (`watch`, `watch=`) among it, but for `false` and `0` (k8s.io/apimachinery, `Convert_Slice_string_To_bool`). */
  asks(name: string): boolean {
    const said = this.first(name)
    return said !== undefined && said !== '0' && said.toLowerCase() !== 'false'
  }
}

/**
 * Undefined where readers differ: Go leaves out pairs with a `;` or a `%` that is none, which others read, takes bytes for text that are none, and a `#`
 * for any other character, which ends a query for others.
 */
export function queryOf(target: string): Query | undefined {
  const mark = target.indexOf('?')
  const said = mark === -1 ? [] : target.slice(mark + 1).split('&')
  if (said.length > MAX_PAIRS) return undefined
  const pairs: (readonly [string, string])[] = []
  for (const pair of said) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = word(equals === -1 ? pair : pair.slice(0, equals))
    const value = word(equals === -1 ? '' : pair.slice(equals + 1))
    if (name === undefined || value === undefined) return undefined
    pairs.push([name, value])
  }
  return new Query(pairs)
}

function word(encoded: string): string | undefined {
  if (!/^[\x21\x22\x24-\x3a\x3c-\x7e]*$/.test(encoded)) return undefined
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
