import { type MarkedText, prettyMarked, sliceMarked } from './marked-text.ts'

/** One JSON-RPC call (of MCP, for one) and what came of it. */
export interface Call {
  readonly method: string
  /** Of `tools/call`; empty for other methods. */
  readonly tool: string
  readonly params: MarkedText | undefined
  readonly result: MarkedText | undefined
  readonly failed: boolean
}

/** Calls of one message that are shown. */
const MAX_CALLS = 50

/** The calls in a request, each with its answer among the texts that came back (a body, or the data of events). Empty where there is none. */
export function callsOf(request: MarkedText, answers: readonly MarkedText[]): Call[] {
  const given = new Map(answers.flatMap(messagesOf).map((one) => [memberOf(one, 'id')?.text, one] as const))
  return messagesOf(request)
    .slice(0, MAX_CALLS)
    .flatMap((message) => {
      const method = wordAt(message, 'method')
      if (method === undefined) return []
      const params = memberOf(message, 'params')
      const id = memberOf(message, 'id')?.text
      const answer = id === undefined ? undefined : given.get(id)
      const [result, error] = [answer && memberOf(answer, 'result'), answer && memberOf(answer, 'error')]
      const isTool = method === 'tools/call' && params !== undefined
      const shown = isTool ? memberOf(params, 'arguments') : params
      return [
        {
          method,
          tool: isTool ? (wordAt(params, 'name') ?? '') : '',
          params: shown === undefined ? undefined : (prettyMarked(shown) ?? shown),
          result: told(error ?? result),
          failed: error !== undefined || (result !== undefined && memberOf(result, 'isError')?.text === 'true'),
        },
      ]
    })
}

function told(value: MarkedText | undefined): MarkedText | undefined {
  return value === undefined ? undefined : (prettyMarked(value) ?? value)
}

/** A message, or those of a batch, as they stand in the text; nothing where it is no JSON. */
function messagesOf(source: MarkedText): MarkedText[] {
  try {
    JSON.parse(source.text)
  } catch {
    return []
  }
  const values = source.text.trimStart().startsWith('[') ? [...valuesIn(source.text)] : undefined
  if (values === undefined) return [source]
  return values.map(({ from, to }) => sliceMarked(source, from, to))
}

function wordAt(source: MarkedText, name: string): string | undefined {
  const found = memberOf(source, name)
  if (found === undefined || !found.text.startsWith('"')) return undefined
  return String(JSON.parse(found.text))
}

/** The last member of that name, as it is written: what parsers take. The text is JSON. */
function memberOf(source: MarkedText, name: string): MarkedText | undefined {
  let found: { readonly from: number; readonly to: number } | undefined
  if (!source.text.trimStart().startsWith('{')) return undefined
  for (const value of valuesIn(source.text)) if (value.name === name) found = value
  return found === undefined ? undefined : sliceMarked(source, found.from, found.to)
}

/** Where the values of an object or an array stand in its text, at its first level. */
function* valuesIn(text: string): Generator<{ readonly name: string; readonly from: number; readonly to: number }> {
  let depth = 0
  let name = ''
  let last = ''
  let from = -1
  let to = -1
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const closes = token === '}' || token === ']'
    if (closes) depth -= 1
    if ((depth === 1 && token === ',') || (depth === 0 && closes)) {
      if (from >= 0) yield { name, from, to }
      from = -1
      name = ''
    } else if (depth === 1 && token === ':' && !closes) {
      name = String(JSON.parse(last))
      from = -1
    } else if (depth >= 1) {
      if (from < 0) from = index
      to = index + token.length
      last = token
    }
    if (token === '{' || token === '[') depth += 1
  }
}
