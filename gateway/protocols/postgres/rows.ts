import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field, Sieve } from '../../message.ts'
import { HEADER_SIZE, int32, uint16 } from './messages.ts'
import type { Rewrite } from './rewrite.ts'

/** A column nobody described: detectors look at it. */
const UNDESCRIBED: Field = { path: 'row', action: 'scan', bulk: true }

/** Type, length and number of columns. */
const LEAST_ROW_SIZE = HEADER_SIZE + 2

/** What a run's columns ask for, looked up per cell by its index. */
interface Plan {
  /** 1 where detectors decide. */
  readonly scanned: Uint8Array
  /** 1 where only NULL can stand for what is masked. */
  readonly typed: Uint8Array
  /** A column is masked whatever it holds. */
  readonly masks: boolean
  /** Nothing has to be looked at. */
  readonly idle: boolean
  /** Of a column's text what it stands for is looked at, which no sieve can tell. */
  readonly encoded: boolean
}

const plans = new WeakMap<readonly Field[], Plan>()

function planOf(columns: readonly Field[]): Plan {
  let plan = plans.get(columns)
  if (plan === undefined) {
    plan = {
      scanned: Uint8Array.from(columns, ({ action }) => (action === 'scan' ? 1 : 0)),
      typed: Uint8Array.from(columns, ({ nullOnly }) => (nullOnly === true ? 1 : 0)),
      masks: columns.some(({ action }) => action === 'mask'),
      idle: columns.length > 0 && columns.every(({ action }) => action === 'skip'),
      encoded: columns.some(({ encoding }) => encoding !== undefined),
    }
    plans.set(columns, plan)
  }
  return plan
}

/**
 * Redacts a run of DataRow messages, `[from, to)` of the rewrite's source: no object per row or cell while nothing is found. Of a
 * long run all cells are sifted at once, and only those are looked at again that may hold something. A masked cell changes its
 * own length word and its row's.
 */
export function redactRows(rewrite: Rewrite, from: number, to: number, columns: readonly Field[]): void {
  const plan = planOf(columns)
  if (plan.idle) return
  const sieve = plan.encoded ? undefined : rewrite.redactor.sieve(rewrite.source, from, to)
  const suspects = sieve !== undefined && addCells(sieve, rewrite.source, from, to, plan) ? sieve.suspects() : undefined
  if (suspects?.length === 0 && !plan.masks) return
  coverCells(rewrite, from, to, columns, suspects, plan.masks)
}

/** False where the rows lie about their lengths; `coverCells` then says how. */
function addCells(sieve: Sieve, source: Uint8Array, from: number, to: number, { scanned, typed }: Plan): boolean {
  // A cell's length read in one step and not byte by byte: half of what going over short cells costs.
  const view = new DataView(source.buffer, source.byteOffset, source.length)
  const columns = scanned.length
  for (let row = from; row < to; ) {
    if (to - row < LEAST_ROW_SIZE) return false
    const end = row + 1 + view.getInt32(row + 1)
    if (end > to || view.getUint16(row + HEADER_SIZE) !== columns) return false
    sieve.unit(row + 1, true)
    let at = row + LEAST_ROW_SIZE
    for (let index = 0; index < columns; index++) {
      if (at + 4 > end) return false
      const size = view.getInt32(at)
      at += 4
      if (size <= 0) {
        if (size < -1) return false
        continue
      }
      if (size > end - at) return false
      if (scanned[index] === 1) sieve.add(at, at + size, typed[index] === 1)
      at += size
    }
    if (at !== end) return false
    row = end
  }
  return true
}

/** `suspects`: where the cells begin that detectors may find something in; undefined: it can be any. */
function coverCells(
  rewrite: Rewrite,
  from: number,
  to: number,
  columns: readonly Field[],
  suspects: Int32Array | undefined,
  masks: boolean,
): void {
  const { source, redactor } = rewrite
  let next = 0
  let row = from
  /** The row that has just been left by who writes the others at once. */
  let left = -1
  while (row < to) {
    const length = int32(source, row + 1)
    const end = row + 1 + length
    if (suspects !== undefined && !masks) {
      const suspect = suspects[next]
      if (suspect === undefined) return
      if (suspect >= end) {
        row = end
        continue
      }
      const progress = row === left ? undefined : rewrite.suspects(row, next)
      if (progress !== undefined) {
        next = progress.next
        left = progress.at - 1
        if (row !== left) continue
      }
    }
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
      const suspect = suspects !== undefined && suspects[next] === cell ? next++ : -1
      const sifted = suspects !== undefined && field.action === 'scan' && suspect === -1
      if (field.action !== 'skip' && !sifted && !redactor.clean(source, cell, cellEnd, field, suspect)) {
        const sink = rewrite.upTo(at)
        if (rowLengthAt === -1) rowLengthAt = sink.size - (at - row - 1)
        const cellLengthAt = sink.size
        sink.int32(0)
        const written = redactor.write(sink, source, cell, cellEnd, field, suspect)
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
