import type { Frame } from '../../schemas/frame.ts'
import { headSize } from '../../schemas/views/http.ts'

/** Start line and fields of a recorded head. */
export interface HttpHead {
  readonly start: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** In bytes, with the empty line. */
  readonly size: number
}

/** Frames that are a request or an answer, and not what a tunnel carries or the gateway notes. */
const EXCHANGE_KINDS: ReadonlySet<string> = new Set([
  'request',
  'request-body',
  'response',
  'response-body',
  'response-trailers',
  'refusal',
])

export function isOfExchange({ kind, dir }: Frame): boolean {
  return dir !== 'note' && EXCHANGE_KINDS.has(kind)
}

/** Whether the frame begins with a head: a body that was continued over frames, or came behind its head, has none. */
export function hasHead({ kind, facts }: Frame): boolean {
  const { part } = facts
  return (kind === 'request' || kind === 'response' || kind === 'refusal') && part !== 'middle' && part !== 'last'
}

export function readHead(body: Uint8Array): HttpHead {
  const size = headSize(body)
  const text = new TextDecoder('latin1').decode(body.subarray(0, size))
  const [start = '', ...lines] = text.split('\r\n').filter((line) => line !== '')
  const fields = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':')
    return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { start, fields, size }
}

/** Of the first field of that name. */
export function fieldOf({ fields }: HttpHead, name: string): string | undefined {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1]
}
