import type { Facts } from '../../../schemas/frame.ts'

/** Bodies beyond this are not looked into for what they call. */
const MAX_CALL_BYTES = 1024 * 1024
const MAX_NAMES = 100
const MAX_NAME_LENGTH = 200

/** A request as its rules see it. */
export interface Asked {
  readonly method: string
  /** Path and query, still encoded. */
  readonly target: string
  readonly contentType: string
  /** Unpacked; undefined where it follows in parts. */
  readonly body: Uint8Array | undefined
}

/** What policy and search may look at in a request. */
export function requestFacts({ method, target, contentType, body }: Asked): Facts {
  const [path = '', query = ''] = splitOnce(target, '?')
  return {
    method,
    path,
    route: routeOf(path),
    query: [...new URLSearchParams(query).keys()].slice(0, MAX_NAMES),
    content_type: contentType,
    ...(body === undefined ? {} : { size: body.length }),
    ...(body !== undefined && /[/+]json$/.test(contentType) ? callFacts(body) : {}),
  }
}

/** The path with what tells one thing of a kind from another left out: `/users/{id}/orders`. */
export function routeOf(path: string): string {
  return path
    .split('/')
    .map((part) => (IDS.test(part) ? '{id}' : part))
    .join('/')
}

/** Numbers, UUIDs, hashes, and long tokens with a digit in them. */
const IDS = /^(\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|(?=[\w-]*\d)[\w-]{20,})$/i

/** A body may name an operation more exactly than the path does: GraphQL's, or JSON-RPC's and with it an MCP tool. */
export function callFacts(body: Uint8Array): Facts {
  if (body.length > MAX_CALL_BYTES) return {}
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body).toString())
  } catch {
    return { malformed_json: true }
  }
  const calls = Array.isArray(value) ? value.slice(0, MAX_NAMES) : [value]
  const methods = new Set<string>()
  const tools = new Set<string>()
  const operations = new Set<string>()
  for (const call of calls) {
    if (typeof call !== 'object' || call === null) continue
    const { method, params, query, operationName } = call as Readonly<Record<string, unknown>>
    if ('jsonrpc' in call && typeof method === 'string') {
      methods.add(short(method))
      const name = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined
      if (method === 'tools/call' && typeof name === 'string') tools.add(short(name))
    } else if (typeof query === 'string') {
      operations.add(GRAPHQL.exec(query)?.[1] ?? 'query')
      if (typeof operationName === 'string') operations.add(short(operationName))
    }
  }
  return {
    ...(methods.size === 0 ? {} : { rpc_method: [...methods] }),
    ...(tools.size === 0 ? {} : { tool: [...tools] }),
    ...(operations.size === 0 ? {} : { graphql: [...operations] }),
  }
}

/** The kind of the first operation; a document that begins with a brace is a query (GraphQL, 2.3). */
const GRAPHQL = /^[\s,]*(?:#[^\n]*\n[\s,]*)*(query|mutation|subscription)\b/

function short(name: string): string {
  return name.slice(0, MAX_NAME_LENGTH)
}

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}
