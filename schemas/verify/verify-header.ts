import { sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { type TapeHeader, tapeKeys } from '../tape.ts'
import { decodeCertificate, decodeHeader, decodeStatement, newerVersion } from '../tape-statement.ts'
import { ChainVerifier, type Report } from './chain.ts'
import { told } from './frames.ts'
import type { RecordPiece } from './scan.ts'
import type { TapeState } from './tape-state.ts'

/** It has 32 bytes; what stands in its place may have any number. */
const MAX_SALT_KEY_SIZE = 32

/** Nobody may call damaged what a later program wrote. */
export function tellNewer(tape: TapeState, version: number, part: 'magic' | 'header', offset: number, report: Report): void {
  const what = `written in version ${version} of the format, which this verifier does not know; a newer one can read it`
  report({ verdict: 'UNVERIFIABLE', part, what, offset })
  tape.chain?.break()
}

/** Reads a segment’s header: the first makes the chain, later ones have to follow it. */
export async function beginSegment(tape: TapeState, piece: RecordPiece, number: number, report: Report): Promise<void> {
  const { offset } = piece
  const invalid = (what: string): void => report({ verdict: 'INVALID', part: 'header', what, offset })
  try {
    const { statement, rest } = decodeStatement(piece.payload)
    const newer = newerVersion(statement)
    if (newer !== undefined) {
      tellNewer(tape, newer, 'header', offset, report)
      return
    }
    const header = decodeHeader(statement)
    let said = false
    if ('session' in header) {
      if (number !== 0)
        throw new ApplianceError('TAPE_MALFORMED', `the header is that of the first segment, not of segment ${number}`)
      if (rest[0] !== undefined) decodeCertificate(rest[0])
      tape.header = header
      tape.onHeader?.(tape.tools.sha256(statement), header.checkpoint)
      said = (await tape.certificate(rest[0], 'header', statement, report, offset)) === 'INVALID'
      if (header.session.id !== tape.id) invalid(`the tape is that of ${header.session.id}`)
      await readSalt(tape, header)
      const leaves = tape.saltKey === undefined ? undefined : tape.tools.leaves(tape.saltKey)
      tape.chain = new ChainVerifier(tape.id, tape.tools, leaves, false, {
        n: 0,
        seq: 0,
        head: tape.tools.sha256(statement),
        key: header.epoch,
      })
    } else {
      const chain = tape.chain
      if (rest.length > 0) throw new ApplianceError('TAPE_MALFORMED', 'a later header has no certificate')
      if (chain === undefined || number === 0) {
        invalid(`the header is that of segment ${header.segment}`)
        return
      }
      const follows = chain.lost || (header.chunk === chain.n && header.seq === chain.seq && sameBytes(header.prev, chain.head))
      if (chain.lost) chain.resume(header.chunk, header.seq)
      if (!follows || header.id !== tape.id || header.segment !== number) {
        said = true
        invalid('the segment does not follow the one before it')
      }
      chain.begin(statement)
    }
    if (!piece.intact && !said) invalid('the header’s stored checksum was changed')
  } catch (error) {
    invalid(told(error))
    tape.chain?.break()
  }
}

async function readSalt(tape: TapeState, header: TapeHeader): Promise<void> {
  const key = tapeKeys.salt(tape.id)
  try {
    const salt = await tape.store.get(key, { from: 0, to: MAX_SALT_KEY_SIZE + 1 }, tape.signal)
    if (sameBytes(header.salt, tape.tools.sha256(salt))) tape.saltKey = salt
    else
      tape.report(key)({
        verdict: 'INVALID',
        part: 'salt',
        what: 'the salt key is not the one the header commits to; frames cannot be checked',
      })
  } catch (error) {
    if (!(error instanceof ApplianceError) || !error.code.startsWith('STORE_')) throw error
    const why = error.code === 'STORE_MISSING' ? 'is missing' : 'cannot be read'
    tape.report(key)({ verdict: 'UNVERIFIABLE', part: 'salt', what: `the salt key ${why}; frames cannot be checked` })
  }
}
