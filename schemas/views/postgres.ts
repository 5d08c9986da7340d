import { joinBytes } from '../bytes.ts'
import { type Frame, isReleased, MASK_SPAN_SIZE, type Masks } from '../frame.ts'
import { type MaskedSpan, type Side, type ViewColumn, viewMessage, viewStartup } from './postgres-message.ts'
import { HEADER_SIZE, int32 } from './postgres-wire.ts'
import type { Shown, View } from './view.ts'

/** A longer message is named by its size: nobody reads it in a terminal, and it would have to be held whole. */
const MAX_VIEW_BYTES = 4 * 1024 * 1024

/** The start-up packet is the one message on a tape without a type byte. */
const UNTYPED: ReadonlySet<string> = new Set(['startup'])

/** What stands in the bytes of a side that do not yet make a whole message. */
interface Unfinished {
  readonly bytes: Uint8Array
  readonly spans: readonly MaskedSpan[]
  /** Bytes still to come of a message too long to show. */
  readonly skip: number
}

const NOTHING: Unfinished = { bytes: new Uint8Array(0), spans: [], skip: 0 }

/** Shows the frames of a PostgreSQL session: statements, parameters, rows, errors. Never throws: what it cannot read it names. */
export class PostgresView implements View {
  readonly #unfinished = new Map<string, Unfinished>()
  #columns: readonly ViewColumn[] = []

  read(frame: Frame): readonly Shown[] {
    const { dir, body } = frame
    if (dir === 'note' || body === null || body.length === 0) return []
    const side = dir === 'in' ? 'client' : 'server'
    if (UNTYPED.has(frame.kind)) return viewStartup(body)
    // What was not released comes again when it is, so it must leave no trace in the stream that went on.
    const stream = `${side} ${isReleased(frame) ? 'released' : 'kept'}`
    const { shown, rest } = this.#messages(side, this.#unfinished.get(stream) ?? NOTHING, body, spansOf(frame.masks))
    this.#unfinished.set(stream, rest)
    return shown
  }

  #messages(
    side: Side,
    before: Unfinished,
    body: Uint8Array,
    found: readonly MaskedSpan[],
  ): { shown: Shown[]; rest: Unfinished } {
    if (before.skip > body.length) return { shown: [], rest: { ...NOTHING, skip: before.skip - body.length } }
    const fresh = body.subarray(before.skip)
    const bytes = before.bytes.length === 0 ? fresh : joinBytes(before.bytes, fresh)
    const shift = before.bytes.length - before.skip
    const spans = [...before.spans, ...found.map((span) => ({ ...span, from: span.from + shift, to: span.to + shift }))]
    const shown: Shown[] = []
    let at = 0
    let span = 0
    while (bytes.length - at >= HEADER_SIZE) {
      const size = 1 + int32(bytes, at + 1)
      if (size < HEADER_SIZE) {
        shown.push({ show: 'bytes', label: 'not a PostgreSQL message', size: bytes.length - at })
        return { shown, rest: NOTHING }
      }
      if (size > MAX_VIEW_BYTES) {
        shown.push({ show: 'bytes', label: `message ${String.fromCharCode(bytes[at] ?? 0)}`, size })
        const here = Math.min(size, bytes.length - at)
        at += here
        if (here < size) return { shown, rest: { ...NOTHING, skip: size - here } }
        continue
      }
      if (bytes.length - at < size) break
      // Spans stand in body order, so each is looked at by one message.
      while ((spans[span]?.to ?? Number.POSITIVE_INFINITY) <= at) span++
      const own: MaskedSpan[] = []
      for (let i = span; (spans[i]?.from ?? Number.POSITIVE_INFINITY) < at + size; i++) {
        const each = spans[i]
        if (each !== undefined) own.push({ ...each, from: each.from - at, to: each.to - at })
      }
      const message = viewMessage(side, bytes.subarray(at, at + size), own, this.#columns)
      if (message.columns !== undefined) this.#columns = message.columns
      shown.push(...message.shown)
      at += size
    }
    const left = spans.filter(({ to }) => to > at).map((each) => ({ ...each, from: each.from - at, to: each.to - at }))
    return { shown, rest: { bytes: bytes.slice(at), spans: left, skip: 0 } }
  }
}

function spansOf(masks: Masks | null): MaskedSpan[] {
  if (masks === null) return []
  const view = new DataView(masks.spans.buffer, masks.spans.byteOffset, masks.spans.byteLength)
  const spans: MaskedSpan[] = []
  for (let at = 0; at + MASK_SPAN_SIZE <= view.byteLength; at += MASK_SPAN_SIZE) {
    const from = view.getUint32(at)
    const lengthAndLabel = view.getUint32(at + 4)
    const [entity, rule] = masks.labels[lengthAndLabel & 0xff] ?? ['masked', '']
    spans.push({ from, to: from + (lengthAndLabel >>> 8), entity, rule })
  }
  return spans
}
