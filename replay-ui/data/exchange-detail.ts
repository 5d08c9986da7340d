import { hexOf, joinBytes } from '../../schemas/bytes.ts'
import { type Frame, isReleased } from '../../schemas/frame.ts'
import { headSize } from '../../schemas/views/http.ts'
import { isOfTerminal } from '../../schemas/views/terminal.ts'
import { type MaskMark, maskMarks } from './dissect.ts'
import { type Call, callsOf } from './exchange-calls.ts'
import { eventsOf, type ServerSent } from './exchange-events.ts'
import type { Exchange } from './exchanges.ts'
import { type MarkedText, markedOf, prettyMarked, sliceMarked } from './marked-text.ts'
import { webTools } from './web-tools.ts'

/** Of one body, put together and shown. */
export const MAX_BODY_SIZE = 1 << 20
/** Frames of an exchange that are looked at for its details; the list of frames has them all. */
export const MAX_DETAIL_FRAMES = 400

export interface Body {
  /** As recorded; more than is shown where `cut`. */
  readonly size: number
  readonly what: 'none' | 'json' | 'text' | 'events' | 'binary'
  readonly text: MarkedText | undefined
  readonly events: readonly ServerSent[]
  /** Of what is binary and here as a whole, hex. */
  readonly sha256: string | undefined
  readonly cut: boolean
}

export interface Side {
  readonly seq: number
  readonly start: string
  readonly headers: readonly { readonly name: string; readonly value: MarkedText }[]
  readonly body: Body
  /** What the gateway said itself, in place of the target. */
  readonly own: boolean
}

/** A message of a WebSocket, a piece of an exec's streams, a piece of a tunnel. */
export interface Message {
  readonly seq: number
  readonly dir: 'in' | 'out'
  readonly kind: string
  readonly atUs: number
  readonly size: number
  /** undefined where it is not for reading. */
  readonly text: MarkedText | undefined
  readonly released: boolean
}

export interface ExchangeDetail {
  readonly exchange: Exchange
  readonly request: Side | undefined
  readonly response: Side | undefined
  readonly calls: readonly Call[]
  readonly messages: readonly Message[]
  /** The last frame of a terminal, whose screen is what the exec looked like at its end. */
  readonly terminal: Frame | undefined
  /** What the gateway noted at a tunnel's end. */
  readonly notes: readonly (readonly [name: string, value: string])[]
  /** Frames of it that are not looked at here. */
  readonly left: number
  /** Some are still on their way. */
  readonly missing: boolean
}

const HEADS: ReadonlySet<string> = new Set(['request', 'exec', 'attach', 'port-forward', 'response', 'refusal', 'cut'])

/** What an exchange's frames say; of those `frameOf` does not have yet, nothing. */
export function detailOf(exchange: Exchange, frameOf: (seq: number) => Frame | undefined): ExchangeDetail {
  const wanted = exchange.frames.slice(0, MAX_DETAIL_FRAMES)
  const frames = wanted.flatMap((seq) => frameOf(seq) ?? [])
  const asked = frames.filter(({ dir, kind }) => dir === 'in' && isOfSide(kind, 'request'))
  // Of a request that was held, what went on counts, and is the later one.
  const begin = asked.findLastIndex(
    ({ kind, facts }) => HEADS.has(kind) && facts['part'] !== 'middle' && facts['part'] !== 'last',
  )
  const request = sideOf(asked.slice(Math.max(0, begin)))
  const response = sideOf(frames.filter(({ dir, kind }) => dir === 'out' && isOfSide(kind, 'response')))
  const messages = messagesOf(
    frames.filter(({ dir, kind }) => dir !== 'note' && !isOfSide(kind, 'request') && !isOfSide(kind, 'response')),
  )
  const note = frames.find(({ kind }) => kind === 'tunnel.closed' || kind === 'exchange.aborted')
  const answers = response === undefined ? [] : response.body.events.map(({ data }) => data)
  if (response?.body.text !== undefined) answers.push(response.body.text)
  return {
    exchange,
    request,
    response,
    calls: exchange.kind === 'call' && request?.body.text !== undefined ? callsOf(request.body.text, answers) : [],
    messages,
    terminal: frames.findLast((frame) => isOfTerminal(frame)),
    notes:
      note === undefined
        ? []
        : Object.entries(note.facts).flatMap(([name, value]) => (name === 'channel' ? [] : [[name, String(value)] as const])),
    left: exchange.frameCount - wanted.length,
    missing: frames.length < wanted.length,
  }
}

function isOfSide(kind: string, side: 'request' | 'response'): boolean {
  if (side === 'request')
    return kind === 'request' || kind === 'request-body' || kind === 'exec' || kind === 'attach' || kind === 'port-forward'
  return kind === 'response' || kind === 'response-body' || kind === 'response-trailers' || kind === 'refusal' || kind === 'cut'
}

function sideOf(frames: readonly Frame[]): Side | undefined {
  const [first] = frames
  if (first === undefined) return undefined
  const parts: Uint8Array[] = []
  const marks: MaskMark[] = []
  let [size, kept] = [0, 0]
  for (const frame of frames) {
    const body = frame.body ?? new Uint8Array(0)
    if (kept < MAX_BODY_SIZE) {
      for (const mark of maskMarks(frame)) marks.push({ ...mark, from: mark.from + kept, to: mark.to + kept })
      parts.push(body)
      kept += body.length
    }
    size += body.length
  }
  const bytes = joinBytes(...parts)
  const headed = HEADS.has(first.kind)
  const headLength = headed ? headSize(bytes) : 0
  const head = markedOf(
    bytes.subarray(0, headLength),
    marks.filter((mark) => mark.to <= headLength),
  )
  const lines = linesOf(head)
  const [start] = lines
  const headers = lines.slice(1).map((line) => {
    const colon = line.text.indexOf(':')
    return {
      name: line.text.slice(0, Math.max(0, colon)),
      value: sliceMarked(line, colon < 0 ? 0 : colon + 1 + (line.text[colon + 1] === ' ' ? 1 : 0)),
    }
  })
  const type = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value.text ?? ''
  const bodyMarks = marks
    .filter((mark) => mark.from >= headLength)
    .map((mark) => ({ ...mark, from: mark.from - headLength, to: mark.to - headLength }))
  return {
    seq: first.seq,
    start: (start?.text ?? '').replace(/ HTTP\/1\.1$|^HTTP\/1\.1 /, ''),
    headers,
    body: bodyOf(bytes.subarray(headLength), bodyMarks, type, size - headLength),
    own: first.kind === 'refusal' || first.facts['origin'] === 'gateway',
  }
}

function linesOf(head: MarkedText): MarkedText[] {
  const lines: MarkedText[] = []
  let from = 0
  for (const { index } of head.text.matchAll(/\r\n/g)) {
    if (index > from) lines.push(sliceMarked(head, from, index))
    from = index + 2
  }
  if (from < head.text.length) lines.push(sliceMarked(head, from))
  return lines
}

function bodyOf(all: Uint8Array, marks: readonly MaskMark[], type: string, size: number): Body {
  const bytes = all.subarray(0, MAX_BODY_SIZE)
  const cut = size > bytes.length
  const none = { size, text: undefined, events: [], sha256: undefined, cut }
  if (size === 0) return { ...none, what: 'none', cut: false }
  if (isBinary(bytes, cut))
    return { ...none, what: 'binary', sha256: cut ? undefined : hexOf(webTools.sha256(bytes)), cut: false }
  const text = markedOf(
    bytes,
    marks.filter((mark) => mark.to <= bytes.length),
  )
  if (/^text\/event-stream\b/i.test(type)) return { ...none, what: 'events', events: eventsOf(text), text: undefined }
  const pretty = prettyMarked(text)
  return { ...none, what: pretty === undefined ? 'text' : 'json', text: pretty ?? text }
}

/** Zeroes, or what is no UTF-8. A body that was cut may end within a character. */
function isBinary(bytes: Uint8Array, cut: boolean): boolean {
  if (bytes.includes(0)) return true
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut })
    return false
  } catch {
    return true
  }
}

function messagesOf(frames: readonly Frame[]): Message[] {
  const messages: Message[] = []
  for (const frame of frames) {
    const { seq, dir, kind, atUs, facts, body } = frame
    const last = messages.at(-1)
    const goesOn = facts['part'] === 'middle' || facts['part'] === 'last'
    if (dir === 'note') continue
    const size = body?.length ?? (typeof facts['size'] === 'number' ? facts['size'] : 0)
    if (goesOn && last !== undefined && last.kind === kind) {
      messages[messages.length - 1] = { ...last, size: last.size + size }
      continue
    }
    const type = typeof facts['type'] === 'string' ? facts['type'] : ''
    const name = kind.startsWith('ws-') ? (kind === 'ws-call' ? 'call' : type === '' ? 'message' : type) : kind
    messages.push({ seq, dir, kind: name, atUs, size, text: textOf(frame), released: isReleased(frame) })
  }
  return messages
}

function textOf(frame: Frame): MarkedText | undefined {
  const { body, facts } = frame
  if (body === null || body.length === 0 || isBinary(body, false)) {
    const { code, cols, rows, status } = facts
    if (typeof code === 'number')
      return plain(`${code} ${new TextDecoder().decode((body ?? new Uint8Array(0)).subarray(2))}`.trim())
    if (typeof cols === 'number' && typeof rows === 'number') return plain(`${cols} × ${rows}`)
    return status === undefined || status === null ? undefined : plain(`status ${String(status)}`)
  }
  const text = markedOf(body.subarray(0, MAX_BODY_SIZE), maskMarks(frame))
  return prettyMarked(text) ?? text
}

function plain(text: string): MarkedText {
  return { text, marks: [] }
}
