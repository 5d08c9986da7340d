import type { TapeState } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { CHUNK_FLAGS, TAPE_MAGIC, type TapeHeader, type Totals, tapeKeys } from '../../schemas/tape.ts'
import { decodeStatement } from '../../schemas/tape-statement.ts'
import type { VerifyVerdict } from '../../schemas/verification.ts'
import { expectedState, type PeriodSession } from '../../schemas/verify/period-log.ts'
import { recordAt } from '../../schemas/verify/scan.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import { sha256 } from '../tape/merkle.ts'
import { openTape, type Tape } from '../tape/reader.ts'
import { openObject } from '../tape/tools.ts'
import { verifyTape } from '../tape/verify.ts'
import { type Decision, Decisions } from './decisions.ts'

/** What was found of one session's tape; the log says what there should be. */
export interface Inspected {
  readonly session: PeriodSession
  readonly state: TapeState
  readonly problem: string
  /** Undefined where the tape was not verified byte by byte. */
  readonly verdict: VerifyVerdict | undefined
  readonly header: TapeHeader | undefined
  readonly totals: Pick<Totals, 'frames' | 'statements' | 'rows'> & Partial<Totals>
  /** What was stopped, and what became of what was held, in the order of the tape. */
  readonly decisions: readonly Decision[]
}

/** A header is a few kilobytes; what follows is read elsewhere. */
const HEADER_WINDOW = 16 << 10
const NOTHING = { frames: 0, statements: 0, rows: 0 } as const

/** Rejects only where the store fails: what is wrong with a tape is what is to be told. */
export async function inspectTape(
  store: Store,
  session: PeriodSession,
  options: {
    readonly verify: boolean
    readonly trusted: readonly GatewayKey[]
    /** Why tapes may be gone that the log asks for up to the watermark. */
    readonly deletedSince: ReadonlyMap<string, string>
    readonly signal?: AbortSignal | undefined
  },
): Promise<Inspected> {
  const expected = expectedState(session)
  const none = { session, verdict: undefined, header: undefined, totals: NOTHING, decisions: [] }
  if (expected.state !== 'tape') return { ...none, state: expected.state, problem: expected.problem }
  const { signal } = options
  let tape: Tape
  try {
    tape = await openTape(store, session.session, signal)
  } catch (error) {
    const state = codeOfTape(error)
    return {
      ...none,
      state,
      problem: state === 'missing' ? (options.deletedSince.get(session.session) ?? 'there is no tape of it') : messageOf(error),
    }
  }
  const damage: string[] = []
  const said = await contradiction(store, session, tape, signal).catch((error: unknown) => {
    codeOfTape(error)
    return messageOf(error)
  })
  if (said !== undefined) damage.push(said)
  const verified = options.verify
    ? await verifyTape(store, session.session, { gatewayKeys: options.trusted }, signal === undefined ? {} : { signal })
    : undefined
  if (verified !== undefined && (verified.verdict === 'INVALID' || verified.verdict === 'UNVERIFIABLE'))
    damage.push(`${verified.verdict}: ${verified.problems[0]?.what ?? 'see its verification'}`)
  const decisions = await decisionsOf(tape, (error) => damage.push(error.message), signal)
  return {
    session,
    state: damage.length > 0 ? 'damaged' : tape.state === 'recovered' ? 'recovered' : 'whole',
    problem: damage[0] ?? '',
    verdict: verified?.verdict,
    header: tape.header,
    totals: tape.summary?.totals ?? {
      frames: tape.frameCount,
      rows: tape.rowCount,
      statements: tape.statementCount,
    },
    decisions,
  }
}

/** What the log says of the tape and the tape does not show. */
async function contradiction(
  store: Store,
  { session, header, closed, recovered }: PeriodSession,
  tape: Tape,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const record = await recordAt(await openObject(store, tapeKeys.segment(session, 0), signal, HEADER_WINDOW), TAPE_MAGIC.length)
  if (record === undefined || sha256(decodeStatement(record.payload).statement).toString('hex') !== header)
    return 'its header is not the one the session was opened with'
  if (closed !== undefined) {
    if (tape.summary === undefined) return 'the log says it was sealed, and it has no seal: its end was cut off'
    const { chunks, root } = tape.summary
    if (root !== closed.root || chunks !== closed.chunks)
      return `the log says ${closed.chunks} chunks with root ${closed.root}, the tape has ${chunks} with ${root}`
    return undefined
  }
  if (recovered === undefined || tape.state === 'sealed') return undefined
  if (tape.recovery === undefined) return 'the log says it was recovered, and what the recovery brought is not there'
  const frames = recovered.frames + recovered.recovered
  return tape.frameCount === frames ? undefined : `the recovery announced ${frames} frames, the tape has ${tape.frameCount}`
}

/** Chunks are closed at once behind a block or a hold, and say so: only those are read. */
async function decisionsOf(
  tape: Tape,
  onDamage: (error: ApplianceError) => void,
  signal: AbortSignal | undefined,
): Promise<readonly Decision[]> {
  const { verdicts } = tape.summary?.totals ?? {}
  if (verdicts !== undefined && verdicts.block + verdicts.hold === 0) return []
  const decisions = new Decisions()
  const read = async (fromSeq: number, toSeq: number): Promise<void> => {
    for await (const frame of tape.frames({ fromSeq, toSeq, onDamage }, signal)) decisions.add(frame)
  }
  if (tape.state !== 'sealed') await read(0, tape.frameCount)
  else
    for (const chunk of tape.segments.flatMap(({ chunks }) => chunks))
      if ((chunk[11] & CHUNK_FLAGS.urgent) !== 0) await read(chunk[3], chunk[3] + chunk[4])
  return decisions.found
}

function codeOfTape(error: unknown): 'missing' | 'damaged' {
  if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return 'missing'
  if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return 'damaged'
  throw error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
