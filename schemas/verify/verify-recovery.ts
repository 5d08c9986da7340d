import { sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { type IndexRow, type RecoveryStatement, tapeKeys } from '../tape.ts'
import { decodeRecovery, decodeStatement, newerVersion } from '../tape-statement.ts'
import { ChainVerifier, checkFooter } from './chain.ts'
import { told } from './frames.ts'
import { ObjectWindow, type RecordPiece, recordAt, scanSegment } from './scan.ts'
import type { TapeState } from './tape-state.ts'

/** The recovery's statement, where it is whole and signed by a trusted gateway: only then may it say where the tape was cut. */
export async function readRecovery(tape: TapeState): Promise<RecoveryStatement | undefined> {
  const key = tapeKeys.recovered(tape.id)
  const report = tape.report(key)
  const object = await ObjectWindow.open(tape.store, tape.tools, key, tape.signal)
  const record = await recordAt(object, 8)
  try {
    if (record?.type !== 'recovery' || !record.intact)
      throw new ApplianceError('TAPE_MALFORMED', 'the recovery statement was changed')
    const { statement, rest } = decodeStatement(record.payload)
    const newer = newerVersion(statement)
    if (newer !== undefined) {
      const what = `a recovery of version ${newer}, which a newer verifier can read`
      report({ verdict: 'UNVERIFIABLE', part: 'header', what, offset: record.offset })
      return undefined
    }
    const recovery = decodeRecovery(statement)
    if ((await tape.certificate(rest[0], 'recovery', statement, report, record.offset)) !== undefined) return undefined
    if (recovery.id === tape.id) return recovery
    report({ verdict: 'INVALID', part: 'recovery', what: `the recovery is that of ${recovery.id}`, offset: record.offset })
  } catch (error) {
    report({ verdict: 'INVALID', part: 'recovery', what: told(error), offset: 8 })
  }
  return undefined
}

/** What the recovering gateway wrote, against the tape as it is now. Its own chain; undefined where there is no tape it could follow. */
export async function verifyRecovered(tape: TapeState, recovery: RecoveryStatement): Promise<ChainVerifier | undefined> {
  const key = tapeKeys.recovered(tape.id)
  const report = tape.report(key)
  const main = tape.chain
  if (main === undefined) return undefined
  if (main.seal !== undefined) report({ verdict: 'INVALID', part: 'recovery', what: 'a sealed tape has nothing to recover' })
  const fits = main.lost || (recovery.chunks === main.n && recovery.frames === main.seq && sameBytes(recovery.head, main.head))
  if (!fits) {
    const frames = recovery.frames > main.seq ? { frames: [main.seq, recovery.frames - 1] as const } : {}
    report({
      verdict: 'INVALID',
      part: 'recovery',
      what: `at the recovery the tape had ${recovery.frames} frames, now it has ${main.seq}`,
      ...frames,
    })
  }
  const object = await ObjectWindow.open(tape.store, tape.tools, key, tape.signal)
  const leaves = tape.saltKey === undefined ? undefined : tape.tools.leaves(tape.saltKey)
  let chain: ChainVerifier | undefined
  let [index, ended]: [RecordPiece | undefined, boolean] = [undefined, false]
  const rows: IndexRow[] = []
  for await (const piece of scanSegment(object)) {
    if (piece.kind === 'magic') {
      if (!piece.ok)
        report({ verdict: 'INVALID', part: 'magic', what: 'the recovery does not begin with the tape’s magic', offset: 0 })
    } else if (ended) report({ verdict: 'INVALID', part: 'end', what: 'bytes stand behind the end', offset: piece.offset })
    else if (piece.kind === 'footer') {
      checkFooter(tape.tools, piece, index, { segment: 0, last: chain?.seal !== undefined, fileSize: object.size }, report)
      ended = true
    } else if (piece.kind !== 'record') {
      // Recoveries are written whole or not at all.
      report({ verdict: 'INVALID', part: 'recovery', what: 'the recovery is damaged or cut', offset: piece.offset })
      chain?.break()
    } else if (piece.type === 'recovery' && chain === undefined) {
      const { statement } = decodeStatement(piece.payload)
      const start = { n: recovery.chunks, seq: recovery.frames, head: tape.tools.sha256(statement), key: recovery.epoch }
      chain = new ChainVerifier(tape.id, tape.tools, leaves, true, start)
    } else if (piece.type === 'chunk') {
      const row = await tape.chunk(chain, piece, report, true)
      if (row !== undefined) rows.push(row)
    } else if (piece.type === 'seal') await chain?.end(piece, report)
    else if (piece.type === 'index' && index === undefined) {
      index = piece
      await tape.index(piece, 0, rows, chain, report)
    } else report({ verdict: 'INVALID', part: 'order', what: `a ${piece.type} record has no place here`, offset: piece.offset })
  }
  if (!ended || chain?.seal === undefined) report({ verdict: 'INVALID', part: 'recovery', what: 'the recovery has no end' })
  if (chain !== undefined && chain.seq !== recovery.frames + recovery.recovered) {
    report({
      verdict: 'INVALID',
      part: 'recovery',
      what: `the recovery has ${chain.seq - recovery.frames} frames, its statement says ${recovery.recovered}`,
    })
  }
  const what = `the gateway's process ended without sealing; ${recovery.recovered} frames are attested by recovery only`
  report({ verdict: 'VALID-INCOMPLETE', part: 'recovery', what })
  return chain
}
