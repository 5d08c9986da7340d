import { type IndexRow, type RecoveryStatement, tapeKeys } from '../tape.ts'
import { checkFooter, type Report } from './chain.ts'
import { ObjectWindow, type Piece, type RecordPiece, recordAt, scanSegment } from './scan.ts'
import type { TapeState } from './tape-state.ts'
import { beginSegment, tellNewer } from './verify-header.ts'

/** Everything the recording process wrote, segment by segment; the chain in `tape` is then where it ends. */
export async function verifySegments(
  tape: TapeState,
  keys: readonly string[],
  recovery: RecoveryStatement | undefined,
): Promise<void> {
  const numbers = keys.flatMap((key) => /\/(\d{4})\.tape$/.exec(key)?.[1] ?? []).map(Number)
  for (const key of keys) {
    const number = /\/(\d{4})\.idx$/.exec(key)?.[1]
    if (number !== undefined && !numbers.includes(Number(number)))
      tape.report(key)({ verdict: 'INVALID', part: 'index', what: `the index of segment ${number}, which is not there` })
  }
  if (numbers.length === 0) tellMissing(tape, 0, 'the tape is missing, parts beside it are there')
  for (const [place, number] of numbers.entries()) {
    const expected = place === 0 ? 0 : (numbers[place - 1] ?? 0) + 1
    if (number !== expected) {
      tellMissing(tape, expected, `segment ${expected} is missing, later ones are there`)
      tape.chain?.break()
    }
    // Without the first header nothing says by which key or salt anything could be checked.
    if (number > 0 && tape.chain === undefined) return
    const key = tapeKeys.segment(tape.id, number)
    const index = tapeKeys.index(tape.id, number)
    await tape.readable(key, async () => {
      const rows = await verifySegment(tape, key, number, place === numbers.length - 1, recovery)
      if (keys.includes(index)) await tape.readable(index, () => verifySidecar(tape, index, number, rows))
    })
  }
}

function tellMissing(tape: TapeState, number: number, what: string): void {
  tape.report(tapeKeys.segment(tape.id, number))({ verdict: 'INVALID', part: 'segment', what })
}

/** What a recovery put beside a segment that had no index of its own. */
async function verifySidecar(tape: TapeState, key: string, number: number, rows: readonly IndexRow[]): Promise<void> {
  const report = tape.report(key)
  const object = await ObjectWindow.open(tape.store, tape.tools, key, tape.signal)
  const record = await recordAt(object, 0)
  if (record?.type !== 'index' || record.size !== object.size)
    report({ verdict: 'INVALID', part: 'index', what: 'the object is not one index record', offset: 0 })
  else await tape.index(record, number, rows, tape.chain, report)
}

async function verifySegment(
  tape: TapeState,
  key: string,
  number: number,
  last: boolean,
  recovery: RecoveryStatement | undefined,
): Promise<IndexRow[]> {
  const report = tape.report(key)
  if (tape.chain?.seal !== undefined) report({ verdict: 'INVALID', part: 'segment', what: 'a segment follows the sealed end' })
  const object = await ObjectWindow.open(tape.store, tape.tools, key, tape.signal)
  // What stands behind the last good record at a recovery is what the crash cut: it never counted.
  const cutAt =
    recovery !== undefined && number >= recovery.segment ? (number === recovery.segment ? recovery.offset : 0) : undefined
  const rows: IndexRow[] = []
  let index: RecordPiece | undefined
  let ended = false
  let begun = false
  for await (const piece of scanSegment(object)) {
    if (cutAt !== undefined && piece.kind !== 'magic' && piece.offset >= cutAt) {
      report({
        verdict: 'VALID-INCOMPLETE',
        part: 'end',
        what: `${object.size - piece.offset} bytes were cut off by the crash`,
        offset: piece.offset,
      })
      return rows
    }
    if (ended && piece.kind !== 'magic') {
      report({
        verdict: 'INVALID',
        part: 'end',
        what: `${object.size - piece.offset} bytes stand behind the end`,
        offset: piece.offset,
      })
      return rows
    }
    switch (piece.kind) {
      case 'magic':
        if (piece.newer !== undefined) {
          tellNewer(tape, piece.newer, 'magic', 0, report)
          return rows
        }
        if (!piece.ok)
          report({ verdict: 'INVALID', part: 'magic', what: 'the segment does not begin with the tape’s magic', offset: 0 })
        break
      case 'torn':
        tellTorn(tape, piece, last, report)
        return rows
      case 'damage':
        report({
          verdict: 'INVALID',
          part: 'record',
          what: `${piece.end - piece.offset} bytes are not a record`,
          offset: piece.offset,
          ...tape.nextChunk(),
        })
        tape.chain?.break()
        break
      case 'footer':
        checkFooter(
          tape.tools,
          piece,
          index,
          { segment: number, last: tape.chain?.seal !== undefined, fileSize: object.size },
          report,
        )
        ended = true
        break
      case 'record':
        if (index !== undefined)
          report({
            verdict: 'INVALID',
            part: 'order',
            what: `a ${piece.type} record stands behind the index`,
            offset: piece.offset,
          })
        if (piece.type === 'header' && !begun) {
          begun = true
          await beginSegment(tape, piece, number, report)
        } else if (piece.type === 'chunk') {
          const row = await tape.chunk(tape.chain, piece, report, false)
          if (row !== undefined) rows.push(row)
        } else if (piece.type === 'seal') await tape.chain?.end(piece, report)
        else if (piece.type === 'index') {
          index = piece
          await tape.index(piece, number, rows, tape.chain, report)
        } else
          report({ verdict: 'INVALID', part: 'order', what: `a ${piece.type} record has no place here`, offset: piece.offset })
        break
      default:
        piece satisfies never
    }
  }
  if (object.end < object.size) tellOversize(tape, object, report)
  else tellEnd(tape, object, ended, last, report)
  return rows
}

function tellOversize(tape: TapeState, { size, end }: ObjectWindow, report: Report): void {
  const what = `the object has ${size} bytes, a segment at most ${end}; nothing behind them was read`
  report({ verdict: 'INVALID', part: 'segment', what, offset: end })
  tape.chain?.break()
}

function tellTorn(tape: TapeState, piece: Piece & { kind: 'torn' }, last: boolean, report: Report): void {
  const what = `the segment ends inside a record, ${piece.end - piece.offset} bytes into it`
  if (last)
    report({
      verdict: 'VALID-INCOMPLETE',
      part: 'end',
      what: `${what}: cut by a crash or by somebody`,
      offset: piece.offset,
      ...tape.nextChunk(),
    })
  else report({ verdict: 'INVALID', part: 'end', what: `${what}, and another segment follows`, offset: piece.offset })
  if (tape.chain === undefined) tellHeadless(report)
  else if (last) tellUnsealed(tape, report, piece.offset)
}

function tellHeadless(report: Report): void {
  report({ verdict: 'UNVERIFIABLE', part: 'header', what: 'the segment has no header that could be checked' })
}

function tellEnd(tape: TapeState, object: ObjectWindow, ended: boolean, last: boolean, report: Report): void {
  if (tape.chain === undefined) {
    tellHeadless(report)
    return
  }
  if (!last) {
    if (!ended)
      report({ verdict: 'INVALID', part: 'end', what: 'the segment has no end, and another follows', offset: object.size })
    return
  }
  if (tape.chain.seal === undefined) tellUnsealed(tape, report, object.size)
  else if (!ended)
    report({
      verdict: 'VALID-INCOMPLETE',
      part: 'footer',
      what: 'the tape is sealed, but its index or footer is missing',
      offset: object.size,
    })
}

function tellUnsealed(tape: TapeState, report: Report, offset: number): void {
  if (tape.chain?.seal !== undefined) return
  report({
    verdict: 'VALID-INCOMPLETE',
    part: 'end',
    what: 'the tape has no seal: being recorded, crashed, or cut',
    offset,
    ...tape.nextChunk(),
  })
}
