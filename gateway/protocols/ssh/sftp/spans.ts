import { MASK_SPAN_SIZE, type Masks } from '../../../../schemas/frame.ts'
import type { Redacted } from '../../../message.ts'

export const NOTHING: Redacted = { bytes: new Uint8Array(), masks: null }

/** What stands in [from, to) of all of them, one after the other. */
export function parts(all: readonly Redacted[], from: number, to: number): Redacted[] {
  const found: Redacted[] = []
  let at = 0
  for (const one of all) {
    const size = one.bytes.length
    if (at < to && at + size > from) found.push(part(one, Math.max(0, from - at), Math.min(size, to - at)))
    at += size
  }
  return found
}

/** bytes[from, to) with the spans in it; one that is cut is there as far as it reaches. */
function part({ bytes, masks }: Redacted, from: number, to: number): Redacted {
  const piece = bytes.subarray(from, to)
  if (masks === null) return { bytes: piece, masks: null }
  const kept: Buffer[] = []
  for (let at = 0; at < masks.spans.length; at += MASK_SPAN_SIZE) {
    const span = Buffer.from(masks.spans.subarray(at, at + MASK_SPAN_SIZE))
    const begin = Math.max(span.readUInt32BE(0), from)
    const end = Math.min(span.readUInt32BE(0) + span.readUIntBE(4, 3), to)
    if (begin >= end) continue
    span.writeUInt32BE(begin - from, 0)
    span.writeUIntBE(end - begin, 4, 3)
    kept.push(span)
  }
  return {
    bytes: piece,
    masks: kept.length === 0 ? null : ({ labels: masks.labels, spans: Buffer.concat(kept) } satisfies Masks),
  }
}
