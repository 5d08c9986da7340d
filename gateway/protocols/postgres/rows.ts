import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field } from '../../message.ts'
import { HEADER_SIZE, int32, uint16 } from './messages.ts'
import type { Rewrite } from './rewrite.ts'

/** A column nobody described: detectors look at it. */
const UNDESCRIBED: Field = { path: 'row', action: 'scan' }

/**
 * Redacts a run of DataRow messages, `[from, to)` of the rewrite's source, in one walk: no object per row or cell while
 * nothing is found. A masked cell changes its own length word and its row's.
 */
export function redactRows(rewrite: Rewrite, from: number, to: number, columns: readonly Field[]): void {
  const { source, redactor } = rewrite
  if (columns.length > 0 && columns.every((field) => field.action === 'skip')) return
  let row = from
  while (row < to) {
    const length = int32(source, row + 1)
    const end = row + 1 + length
    let at = row + HEADER_SIZE + 2
    const count = uint16(source, row + HEADER_SIZE)
    let rowLengthAt = -1
    let delta = 0
    for (let index = 0; index < count; index++) {
      if (at + 4 > end)
        throw new ApplianceError('PROTOCOL_MALFORMED', `row with ${count} columns ends inside column ${index + 1}`)
      const size = int32(source, at)
      const cell = at + 4
      if (size < -1) throw new ApplianceError('PROTOCOL_MALFORMED', `column ${index + 1} of ${size} bytes`)
      if (size <= 0) {
        at = cell
        continue
      }
      const cellEnd = cell + size
      if (cellEnd > end)
        throw new ApplianceError('PROTOCOL_MALFORMED', `column ${index + 1} of ${size} bytes does not fit its row`)
      const field = columns[index] ?? UNDESCRIBED
      if (field.action !== 'skip' && !redactor.clean(source, cell, cellEnd, field)) {
        const sink = rewrite.upTo(at)
        if (rowLengthAt === -1) rowLengthAt = sink.size - (at - row - 1)
        const cellLengthAt = sink.size
        sink.int32(0)
        const written = redactor.write(sink, source, cell, cellEnd, field)
        sink.setInt32(cellLengthAt, written)
        if (written === -1) sink.noteNull(cellLengthAt, field)
        delta += Math.max(written, 0) - size
        rewrite.replaced(cellEnd)
        sink.setInt32(rowLengthAt, length + delta)
      }
      at = cellEnd
    }
    if (at !== end) throw new ApplianceError('PROTOCOL_MALFORMED', `row of ${length} bytes ends at ${at - row - 1}`)
    row = end
  }
}

/** Offset of the row after the first `count` rows of a run. */
export function skipRows(source: Uint8Array, from: number, count: number): number {
  let at = from
  for (let row = 0; row < count; row++) at += 1 + int32(source, at + 1)
  return at
}
