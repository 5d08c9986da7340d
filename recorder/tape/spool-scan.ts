import {
  readSpoolRecord,
  SPOOL_HEAD_SIZE,
  SPOOL_KINDS,
  SPOOL_PIECE_SIZE,
  type SpoolMark,
  type SpoolRecord,
  spoolSeed,
} from './spool-record.ts'

/** A place at which no crash stops. What is intact behind it comes next. */
export interface SpoolDamage {
  readonly kind: 'damage'
  readonly message: string
  /** The session and size that the damaged record names, where it can be told. */
  readonly slot: number | undefined
  readonly size: number
}

/** What is looked at may not cost more than this many times the file. */
const SEARCH_FACTOR = 16
/** Of a `SpoolMark` with the longest name, and more. */
const MAX_MARK_SIZE = 512
/** A write is cut by the end of its process between pages, not within one. */
const PAGE_SIZE = 4096

/**
 * The records of a file's present life from `from` on. A crash leaves a last record that was cut, then zeros or, in a file that was used
 * before, records of its earlier lives. Anything else is told as damage: records of the same life behind the stop, a last record that
 * was written to its end, something in the place of zeros.
 */
export function* recordsOf(bytes: Buffer, number: number, mark: SpoolMark, from: number): Generator<SpoolRecord | SpoolDamage> {
  const seed = spoolSeed(mark)
  const slots = new Set<number>()
  const search = { left: SEARCH_FACTOR * bytes.length }
  let at = from
  for (;;) {
    const record = readSpoolRecord(bytes, at, seed)
    if (record?.file === number && record.kind !== 'begin') {
      if (record.kind === 'enrol') slots.add(record.slot)
      yield record
      at = record.end
      continue
    }
    const last = lastNonZero(bytes, at)
    if (last < at) return
    const head = record === undefined ? headAt(bytes, at, number) : undefined
    const lost = { slot: head?.slot, size: head?.size ?? 0 }
    const behind = recordBehind(bytes, at, head?.end, last, { number, seed }, search)
    if (behind !== undefined) {
      yield { kind: 'damage', message: `damaged from byte ${at} to ${behind}, where the same file goes on`, ...lost }
      at = behind
      continue
    }
    if (search.left <= 0) yield { kind: 'damage', message: `what stands behind byte ${at} cannot be told`, ...lost }
    else if (mark.reused) {
      if (head !== undefined && slots.has(head.slot) && pageOf(at) === pageOf(head.end - 1))
        yield { kind: 'damage', message: `its last record, at byte ${at}, is damaged`, ...lost }
    } else if (!isCut(bytes, at, last, number))
      yield { kind: 'damage', message: `at byte ${at} stands what no crash leaves there`, ...lost }
    return
  }
}

/** Whether a file of which not even the first record is whole is one that was made and never begun, or cut while it was. */
export function isUnbegun(bytes: Buffer): boolean {
  const last = lastNonZero(bytes, 0)
  return last < 0 || isCut(bytes, 0, last, undefined)
}

/** In front of zeros: whether this is a record up to a byte that is not its last. `number` undefined: the first of a file. */
function isCut(bytes: Buffer, at: number, last: number, number: number | undefined): boolean {
  const written = last + 1 - at
  const head = Buffer.alloc(SPOOL_HEAD_SIZE)
  bytes.copy(head, 0, at, Math.min(at + SPOOL_HEAD_SIZE, last + 1))
  const size = head.readUInt32BE(4)
  if (size > (number === undefined ? MAX_MARK_SIZE : SPOOL_PIECE_SIZE) || head.readUInt16BE(18) !== 0 || (head[17] ?? 0) > 1)
    return false
  if (number !== undefined) {
    const wanted = Buffer.alloc(4)
    wanted.writeUInt32BE(number)
    const told = Math.min(4, written - 8)
    if (told > 0 && !head.subarray(8, 8 + told).equals(wanted.subarray(0, told))) return false
  }
  const kind = head[16] ?? 0
  if (number === undefined ? kind !== 0 && kind !== SPOOL_KINDS.begin : kind >= SPOOL_KINDS.begin) return false
  if (written < SPOOL_HEAD_SIZE) return true
  return kind !== 0 && written < SPOOL_HEAD_SIZE + size
}

/** A head that can be none but this file's, though its record is not whole. */
function headAt(
  bytes: Buffer,
  at: number,
  number: number,
): { readonly slot: number; readonly size: number; readonly end: number } | undefined {
  if (at + SPOOL_HEAD_SIZE > bytes.length || bytes.readUInt32BE(at + 8) !== number) return undefined
  const size = bytes.readUInt32BE(at + 4)
  const kind = bytes[at + 16] ?? 0
  if (size > SPOOL_PIECE_SIZE || kind === 0 || kind >= SPOOL_KINDS.begin) return undefined
  if ((bytes[at + 17] ?? 0) > 1 || bytes.readUInt16BE(at + 18) !== 0) return undefined
  return { slot: bytes.readUInt32BE(at + 12), size, end: at + SPOOL_HEAD_SIZE + size }
}

/** Where the next record of this life begins behind `at`: where the damaged one says it ends, or else anywhere. */
function recordBehind(
  bytes: Buffer,
  at: number,
  likely: number | undefined,
  last: number,
  { number, seed }: { readonly number: number; readonly seed: number },
  search: { left: number },
): number | undefined {
  if (likely !== undefined && readSpoolRecord(bytes, likely, seed)?.file === number) return likely
  const wanted = Buffer.alloc(4)
  wanted.writeUInt32BE(number)
  const within = bytes.subarray(0, Math.min(bytes.length, last + SPOOL_HEAD_SIZE))
  for (let found = within.indexOf(wanted, at + 9); found >= 0 && search.left > 0; found = within.indexOf(wanted, found + 1)) {
    const head = headAt(bytes, found - 8, number)
    if (head === undefined) continue
    search.left -= SPOOL_HEAD_SIZE + head.size
    if (head.end <= bytes.length && readSpoolRecord(bytes, found - 8, seed) !== undefined) return found - 8
  }
  return undefined
}

function lastNonZero(bytes: Buffer, from: number): number {
  let end = bytes.length
  while (end > from) {
    const start = Math.max(from, end - ZEROS.length)
    if (!bytes.subarray(start, end).equals(ZEROS.subarray(0, end - start))) break
    end = start
  }
  while (end > from && bytes[end - 1] === 0) end -= 1
  return end > from ? end - 1 : -1
}

const ZEROS = Buffer.alloc(64 << 10)

function pageOf(at: number): number {
  return Math.floor(at / PAGE_SIZE)
}
