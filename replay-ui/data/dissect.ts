import { type Frame, MASK_SPAN_SIZE } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { dissectHttp } from './dissect-http.ts'
import { dissectPostgres } from './dissect-postgres.ts'
import { type Field, field } from './field.ts'

/** Where a body was masked. */
export interface MaskMark {
  readonly from: number
  readonly to: number
  readonly entity: string
  readonly rule: string
}

/** What the body's bytes are, field by field, in order. Never throws: what it cannot read it names. */
export function dissect(protocol: ProtocolName, frame: Frame): Field[] {
  const { body } = frame
  if (body === null || body.length === 0) return []
  const part = frame.facts['part']
  if (part === 'middle' || part === 'last')
    return [field(0, 'continued', 'goes on with a message of an earlier frame', 0, body.length)]
  switch (protocol) {
    case 'postgres':
      return dissectPostgres(frame.dir, frame.kind, body)
    case 'egress':
    case 'http':
      return dissectHttp(body)
    case 'kubernetes':
      return isStream(frame.kind) ? [field(0, frame.kind, `${body.length} bytes`, 0, body.length)] : dissectHttp(body)
    case 'ssh':
      return [field(0, frame.kind, `${body.length} bytes`, 0, body.length)]
    case 'echo':
      return dissectEcho(body)
    default:
      return protocol satisfies never
  }
}

function isStream(kind: string): boolean {
  return kind !== 'exec' && kind !== 'attach' && kind !== 'port-forward' && kind !== 'request' && kind !== 'response'
}

/** Channel, length, text. */
function dissectEcho(body: Uint8Array): Field[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  if (body.length < 5) return [field(0, 'bytes', 'cut off', 0, body.length)]
  return [
    field(0, 'echo', '', 0, body.length),
    field(1, 'channel', String(body[0]), 0, 1),
    field(1, 'length', String(view.getUint32(1)), 1, 5),
    field(1, 'text', new TextDecoder().decode(body.subarray(5)), 5, body.length),
  ]
}

/** The frame's mask spans (schemas/frame.ts), in body order. */
export function maskMarks({ masks }: Pick<Frame, 'masks'>): MaskMark[] {
  if (masks === null) return []
  const view = new DataView(masks.spans.buffer, masks.spans.byteOffset, masks.spans.byteLength)
  const marks: MaskMark[] = []
  for (let at = 0; at + MASK_SPAN_SIZE <= view.byteLength; at += MASK_SPAN_SIZE) {
    const from = view.getUint32(at)
    const lengthAndLabel = view.getUint32(at + 4)
    const [entity, rule] = masks.labels[lengthAndLabel & 0xff] ?? ['masked', '']
    marks.push({ from, to: from + (lengthAndLabel >>> 8), entity, rule })
  }
  return marks
}

/** The innermost field that has the byte; -1 where none does. */
export function fieldAt(fields: readonly Field[], at: number): number {
  let best = -1
  for (const [index, one] of fields.entries()) {
    if (one.from > at) break
    if (at < one.to && (best < 0 || one.depth >= (fields[best]?.depth ?? 0))) best = index
  }
  return best
}
