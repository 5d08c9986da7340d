import type { Entry, Facts } from '../../schemas/frame.ts'
import { MASK_SPAN_SIZE } from '../../schemas/frame.ts'
import { MAX_FRAME_BODY, PART_FACT } from '../../schemas/tape.ts'

/** What one frame of an entry holds; the rest is the entry's. */
export interface FramePart {
  readonly facts: Facts
  readonly body: Uint8Array | null
  readonly spans: Uint8Array | null
}

/** Bytes of bodies and spans. */
export function bodySize(entries: readonly Entry[]): number {
  let size = 0
  for (const { body, masks } of entries) size += (body?.length ?? 0) + (masks?.spans.length ?? 0)
  return size
}

export function fitsOneFrame({ body }: Entry): boolean {
  return body === null || body.length <= MAX_FRAME_BODY
}

/** An entry as frames: one, or as many as its body needs. The fact `part` tells a continued body's place, within a message that came in parts itself too. */
export function* splitEntry(entry: Entry): Generator<FramePart> {
  const { body, facts, masks } = entry
  if (body === null || fitsOneFrame(entry)) {
    yield { facts, body, spans: masks === null ? null : masks.spans }
    return
  }
  const own = facts[PART_FACT]
  const continued = own === 'middle' || own === 'last'
  const continues = own === 'first' || own === 'middle'
  const cutter = masks === null ? null : new SpanCutter(masks.spans)
  for (let from = 0; from < body.length; from += MAX_FRAME_BODY) {
    const to = Math.min(from + MAX_FRAME_BODY, body.length)
    const begins = from === 0 && !continued
    const ends = to === body.length && !continues
    const part = begins ? 'first' : ends ? 'last' : 'middle'
    yield {
      // What the facts count is counted once.
      facts: from === 0 ? { ...facts, [PART_FACT]: part } : { [PART_FACT]: part },
      body: body.subarray(from, to),
      spans: cutter === null ? null : cutter.cut(from, to),
    }
  }
}

/** Cuts mask spans at frame borders; a span over a border becomes two with the same fingerprint. */
class SpanCutter {
  readonly #spans: Buffer
  #next = 0

  constructor(spans: Uint8Array) {
    this.#spans = Buffer.from(spans.buffer, spans.byteOffset, spans.byteLength)
  }

  /** The spans in [from, to), starts counted from `from`. Call with ascending ranges. */
  cut(from: number, to: number): Uint8Array {
    const cut: Buffer[] = []
    for (; this.#next < this.#spans.length; this.#next += MASK_SPAN_SIZE) {
      const start = this.#spans.readUInt32BE(this.#next)
      const end = start + this.#spans.readUIntBE(this.#next + 4, 3)
      if (start >= to) break
      const piece = Buffer.from(this.#spans.subarray(this.#next, this.#next + MASK_SPAN_SIZE))
      piece.writeUInt32BE(Math.max(start, from) - from)
      piece.writeUIntBE(Math.min(end, to) - Math.max(start, from), 4, 3)
      cut.push(piece)
      if (end > to) break
    }
    return Buffer.concat(cut)
  }
}
