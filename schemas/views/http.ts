import type { Frame } from '../frame.ts'
import type { Shown, View } from './view.ts'

/** More of a body than this is named by its size. */
const MAX_SHOWN_BYTES = 64 * 1024

/** Requests as commands, responses as what they say: the status, then headers, then the body as text where it is one. */
export class HttpView implements View {
  read({ dir, kind, body, facts }: Frame): readonly Shown[] {
    if (dir === 'note' || body === null || body.length === 0) return []
    const part = facts['part']
    if (kind === 'ws-call' && part === undefined) return [{ show: 'statement', label: 'call', text: utf8(body) }]
    if (kind.startsWith('ws-')) return [shownMessage(facts['type'], body)]
    if (kind.endsWith('-body') || part === 'middle' || part === 'last') return [shownBody(body)]
    const size = headSize(body)
    const [start = '', ...headers] = latin1(body.subarray(0, Math.max(0, size - 4))).split('\r\n')
    const shown: Shown[] =
      start === ''
        ? []
        : dir === 'in'
          ? [{ show: 'statement', label: kind, text: start.replace(/ HTTP\/1\.1$/, '') }]
          : [{ show: 'word', label: kind, text: start.replace(/^HTTP\/1\.1 /, '') }]
    if (headers.length > 0) shown.push({ show: 'word', label: 'headers', text: headers.join('\n') })
    if (body.length > size) shown.push(shownBody(body.subarray(size)))
    return shown
  }
}

/** Where the head ends, its empty line included; the whole where there is none. */
export function headSize(body: Uint8Array): number {
  for (let at = 3; at < body.length; at++) {
    if (body[at] === 0x0a && body[at - 1] === 0x0d && body[at - 2] === 0x0a && body[at - 3] === 0x0d) return at + 1
  }
  return body.length
}

/** Of a WebSocket: a close frame begins with a code (RFC 6455, 5.5.1). */
function shownMessage(type: unknown, body: Uint8Array): Shown {
  if (type !== 'close') return shownBody(body, typeof type === 'string' ? type : 'message')
  const code = ((body[0] ?? 0) << 8) | (body[1] ?? 0)
  return { show: 'word', label: 'close', text: `${code} ${utf8(body.subarray(2))}`.trim() }
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function shownBody(bytes: Uint8Array, label = 'body'): Shown {
  if (bytes.length > MAX_SHOWN_BYTES || bytes.includes(0)) return { show: 'bytes', label, size: bytes.length }
  return { show: 'word', label, text: utf8(bytes) }
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes)
}
