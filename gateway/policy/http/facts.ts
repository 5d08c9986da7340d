import type { Facts } from '../../../schemas/frame.ts'
import { callFacts } from './calls.ts'

const MAX_NAMES = 100

/** A request as its rules see it. */
export interface Asked {
  readonly method: string
  /** Path and query, still encoded. */
  readonly target: string
  readonly contentType: string
  /** Unpacked; undefined where it follows in parts. */
  readonly body: Uint8Array | undefined
  /** What is there of one that follows in parts. */
  readonly beginning?: Uint8Array | undefined
}

/** What policy and search may look at in a request. */
export function requestFacts({ method: said, target, contentType, body, beginning }: Asked): Facts {
  // Over HTTP/2 any token is one, and some targets take `delete` for DELETE.
  const method = said.toUpperCase()
  const [path = '', query = ''] = splitOnce(target, '?')
  return {
    method,
    path,
    route: routeOf(path),
    query: query === '' ? [] : [...new URLSearchParams(query).keys()].slice(0, MAX_NAMES),
    content_type: contentType,
    ...(body === undefined ? {} : { size: body.length }),
    ...callFacts(body, { contentType, query, method, beginning }),
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

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}
