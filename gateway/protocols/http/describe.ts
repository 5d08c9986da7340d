import type { Describer, Told } from '../../../recorder/catalog/describe.ts'
import { asks } from '../../../schemas/asked.ts'
import { type Frame, isReleased } from '../../../schemas/frame.ts'
import { headSize } from '../../../schemas/views/http.ts'

/** Of a body: enough to tell calls apart in a list. */
const MAX_BODY_CHARS = 2_000
/** Of a body, for search. */
const MAX_FOUND_CHARS = 256 << 10

/** Tells the catalog each request, by its line and the beginning of its body, and what answered it: both carry their channel. */
export class HttpDescriber implements Describer {
  read(frame: Frame): readonly Told[] {
    const { dir, kind, facts, channel } = frame
    if (dir === 'note' || facts['origin'] === 'gateway') return []
    if (dir === 'in') {
      if (!asks('http', frame)) return bodyText(frame)
      if (kind === 'ws-call' && frame.body !== null)
        return [{ told: 'statement', kind, text: Buffer.from(frame.body).toString().slice(0, MAX_BODY_CHARS), answer: null }]
      const { method, route, fingerprint = `${method ?? ''} ${route ?? ''}` } = facts
      return [
        {
          told: 'statement',
          kind,
          text: textOf(frame),
          answer: isReleased(frame) ? channel : null,
          objects: typeof route === 'string' ? [route] : [],
          verbs: typeof method === 'string' ? [method] : [],
          fingerprint: String(fingerprint),
        },
      ]
    }
    const { status } = facts
    const end = typeof status !== 'number' ? null : status >= 400 ? 'error' : 'complete'
    return [{ told: 'answer', answer: channel, rows: 0, end }, ...bodyText(frame)]
  }
}

/** What a person reads of a body, or of an answer's body behind its head. */
function bodyText({ body, dir, kind, facts }: Frame): readonly Told[] {
  if (body === null) return []
  const whole = kind === 'response' && facts['part'] !== 'middle' && facts['part'] !== 'last'
  const bytes = dir === 'out' && whole ? body.subarray(headSize(body)) : body
  if (bytes.length === 0 || bytes.includes(0)) return []
  const text = Buffer.from(bytes.subarray(0, MAX_FOUND_CHARS)).toString('utf8')
  return [{ told: 'text', place: 'body', text, firstRow: null }]
}

function textOf({ body, facts }: Frame): string {
  const line = `${facts['method'] ?? ''} ${facts['path'] ?? ''}`
  if (body === null) return line
  const text = Buffer.from(body).toString('utf8')
  const end = text.indexOf('\r\n\r\n')
  const start = text.slice(0, text.indexOf('\r\n')).replace(/ HTTP\/1\.1$/, '')
  const content = end === -1 ? '' : text.slice(end + 4, end + 4 + MAX_BODY_CHARS)
  return content === '' || content.includes('\0') ? start : `${start}\n${content}`
}
