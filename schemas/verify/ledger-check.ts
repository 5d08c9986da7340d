import { hexOf } from '../bytes.ts'
import {
  type LedgerVerification,
  MAX_PROBLEMS,
  type Problem,
  type TapeVerification,
  VERIFY_EXITS,
  worstVerdict,
} from '../verification.ts'
import { type EntryPlace, isImported, type SessionFacts, SILENT_MS, writerOf } from './ledger-facts.ts'
import { ledgerKeys } from './ledger-line.ts'
import { parseCheckpoint } from './note.ts'
import type { CheckedChunk, VerifyOptions } from './tape-state.ts'
import { type LedgerHost, type LedgerTrust, type VerifiedLedger, verifyLedger } from './verify-ledger.ts'

/** What was seen of a tape while it was verified. Its `options` go into the verification. */
export interface Watch {
  readonly options: Pick<VerifyOptions, 'onChunk' | 'onHeader'>
  /** SHA-256 of the header's statement, hex. */
  header?: string
  /** The ledger's checkpoint at its beginning; null where it is none that can be read. */
  checkpoint?: { readonly size: number; readonly root: string } | null
  /** The head where the ledger's last interim had seen the tape, hex. */
  head?: string
}

type Add = (verdict: Problem['verdict'], what: string, place?: EntryPlace) => void

/**
 * A store's ledger against its tapes. List the sessions first, then open this, then verify the tapes: each of them has told the ledger before
 * it had a tape.
 */
export class LedgerCheck {
  readonly #ledger: VerifiedLedger | undefined
  readonly #nowMs: number
  /** Tapes that know of a ledger. */
  #told = 0

  private constructor(ledger: VerifiedLedger | undefined, nowMs: number) {
    this.#ledger = ledger
    this.#nowMs = nowMs
  }

  /** `nowMs` is the time of the verification: what is younger than a minute may still be on its way. */
  static async open(host: LedgerHost, trust: LedgerTrust, nowMs: number, signal?: AbortSignal): Promise<LedgerCheck> {
    const ledger = await verifyLedger(host, trust, signal === undefined ? { nowMs } : { nowMs, signal })
    return new LedgerCheck(ledger, nowMs)
  }

  /** Undefined where there is none. */
  get ledger(): VerifiedLedger | undefined {
    return this.#ledger
  }

  watch(session: string): Watch {
    const point = this.#ledger?.facts.sessions.get(session)?.interim
    const watch: Watch = {
      options: {
        onHeader: (statement, checkpoint) => {
          watch.header = hexOf(statement)
          if (checkpoint !== null) watch.checkpoint = checkpointOf(checkpoint)
        },
        onChunk: (chunk: CheckedChunk) => {
          // What a recovery brought is not what the interim saw: it comes behind it.
          if (point !== undefined && !chunk.recovered && chunk.n === point.chunks - 1) watch.head = hexOf(chunk.head)
        },
      },
    }
    return watch
  }

  /** The tape as it was verified, and what the ledger says against it. */
  judge(tape: TapeVerification, watch: Watch): TapeVerification {
    if (watch.checkpoint !== undefined) this.#told += 1
    const ledger = this.#ledger
    if (ledger === undefined || !ledger.whole) return tape
    const begun = tape.chunks + tape.frames > 0 || isUnread(tape)
    const absent = begun ? undefined : absentTape(ledger.facts.sessions.get(tape.session))
    if (absent !== undefined) return absent
    const problems: Problem[] = []
    const add: Add = (verdict, what, place = undefined) =>
      void problems.push({ verdict, part: 'ledger', what, ...(place ?? { object: `tapes/${tape.session}/` }) })
    const facts = ledger.facts.sessions.get(tape.session)
    if (facts !== undefined) checkFacts(tape, facts, watch, add, this.#nowMs)
    else if (ledger.strangers.has(writerOf(tape.session) ?? ''))
      add('UNVERIFIABLE', 'the ledger has no session.open of this tape by a key that is trusted')
    else if (!isImported(ledger.facts.imported, tape.session)) add('INVALID', 'the ledger has no session.open of this tape')
    const { checkpoint } = watch
    if (checkpoint === null) add('INVALID', 'the checkpoint in the tape’s header is not one')
    else if (checkpoint !== undefined && isForeign(checkpoint, ledger))
      add(
        'INVALID',
        `the tape was begun at a checkpoint of ${checkpoint.size} entries that is not this ledger's: it was rolled back, or is a fork`,
      )
    return withProblems(tape, problems)
  }

  /** Sessions of the ledger that should have a tape and have none; `sessions` has one. */
  missing(sessions: ReadonlySet<string>): TapeVerification[] {
    const missing: TapeVerification[] = []
    for (const facts of this.#ledger?.whole === true ? this.#ledger.facts.sessions.values() : []) {
      const tape = sessions.has(facts.session) ? undefined : missingTape(facts, this.#nowMs)
      if (tape !== undefined) missing.push(tape)
    }
    return missing
  }

  /** Null where there is none and no tape has heard of one: then nobody can say whether something is missing. */
  result(): LedgerVerification | null {
    if (this.#ledger !== undefined) return this.#ledger.result
    return this.#told === 0 ? null : LOST_LEDGER
  }
}

/** A checkpoint that the ledger has not; where some of its own could not be read, one that it has otherwise. */
function isForeign({ size, root }: NonNullable<Watch['checkpoint']>, { checkpoints, checkpointsWhole }: VerifiedLedger): boolean {
  const own = checkpoints.get(size)
  return own === undefined ? checkpointsWhole : own !== root
}

/** An object of the tape could not be read: nothing follows from what is not there. */
function isUnread({ problems }: TapeVerification): boolean {
  return problems.some(({ verdict, part }) => verdict === 'UNVERIFIABLE' && part === 'segment')
}

function checkpointOf(note: Uint8Array): { readonly size: number; readonly root: string } | null {
  try {
    const { size, root } = parseCheckpoint(note)
    return { size, root: hexOf(root) }
  } catch {
    return null
  }
}

function checkFacts(tape: TapeVerification, facts: SessionFacts, watch: Watch, add: Add, nowMs: number): void {
  const { close, recover, interim, failed, place } = facts
  if (watch.header !== undefined && watch.header !== facts.header)
    add('INVALID', 'the tape’s header is not the one the session was opened with', place)
  // Its chunks cannot be followed without it, and that has been said.
  const unread = isUnread(tape)
  if (interim !== undefined && interim.chunks > 0 && watch.header !== undefined && !(unread && watch.head === undefined))
    checkInterim(interim, watch.head, add)
  if (close !== undefined) {
    // The root is over the chunks' headers, which count the frames.
    if (tape.state === 'sealed' && tape.root === close.root && (unread || tape.chunks === close.chunks)) return
    if (unread && tape.state !== 'sealed') return
    if (tape.state !== 'sealed')
      add('INVALID', 'the ledger says the tape was sealed, and it has no seal: its end was cut off', close.place)
    else
      add(
        'INVALID',
        `the ledger says ${close.chunks} chunks with root ${close.root}, the tape has ${tape.chunks} with ${tape.root}`,
        close.place,
      )
    return
  }
  if (tape.state === 'sealed' || unread) return
  if (recover !== undefined) checkRecovery(tape, recover, add, nowMs)
  if (failed !== undefined && tape.state !== 'recovered')
    add('VALID-INCOMPLETE', `the gateway could not record any further: ${failed.what}`, failed.place)
}

/** The ledger's last interim saw the tape so far in the store: it must still come as far, by the same chain. */
function checkInterim(
  { chunks, frames, head, at, place }: NonNullable<SessionFacts['interim']>,
  seen: string | undefined,
  add: Add,
): void {
  if (seen === undefined)
    add(
      'INVALID',
      `at ${at} the tape had ${chunks} chunks with ${frames} frames in the store; not all of them are there: its end was cut off`,
      place,
    )
  else if (seen !== head)
    add('INVALID', `at ${at} chunk ${chunks - 1} of the tape was another: from some frame on it was replaced`, place)
}

function checkRecovery(tape: TapeVerification, recover: NonNullable<SessionFacts['recover']>, add: Add, nowMs: number): void {
  const { outcome, frames, recovered, at, place } = recover
  const own = tape.recovered === null ? 0 : tape.recovered.last - tape.recovered.first + 1
  if (outcome === 'absent') add('INVALID', 'a recovery found nothing of this tape, and here it is', place)
  else if (tape.state === 'recovered') {
    // Where something else is wrong with the tape its frames cannot be counted, and that has been said.
    if (tape.verdict === 'VALID-INCOMPLETE' && (tape.frames !== frames + recovered || own !== recovered))
      add(
        'INVALID',
        `the recovery announced ${frames} frames and ${recovered} brought; the tape has ${tape.frames - own} and ${own}`,
        place,
      )
  } else if (tape.frames < frames || recovered > 0)
    add('INVALID', `a recovery found ${frames} frames of this tape and brought ${recovered}, and they are not all there`, place)
  else if (nowMs - Date.parse(at) > SILENT_MS)
    add('VALID-INCOMPLETE', 'a recovery was announced, and its file is not there', place)
}

/** A session of the ledger that has no tape. Undefined where that is as it should be: it has only just been opened. */
function missingTape(facts: SessionFacts, nowMs: number): TapeVerification | undefined {
  const { session, close, recover, interim, deleted, failed, place, at } = facts
  const missing = (what: string, where: EntryPlace): TapeVerification =>
    withoutTape(session, 'missing', 'INVALID', `the tape is missing: ${what}`, where)
  if (deleted?.held === true)
    return missing(`it was deleted at ${deleted.at} by rule ${deleted.rule}, under legal hold`, deleted.place)
  if (deleted !== undefined)
    return { ...NO_TAPE, session, state: 'deleted', verdict: 'DELETED-BY-POLICY', exit: VERIFY_EXITS['DELETED-BY-POLICY'] }
  if (close !== undefined) return missing(`it was sealed with ${close.frames} frames in ${close.chunks} chunks`, close.place)
  if (interim !== undefined)
    return missing(`at ${interim.at} it had ${interim.frames} frames in ${interim.chunks} chunks`, interim.place)
  if (recover !== undefined && recover.outcome !== 'absent')
    return missing(`it was recovered with ${recover.frames + recover.recovered} frames`, recover.place)
  if (recover !== undefined) return absentTape(facts)
  if (failed !== undefined) return notRecorded(session, failed)
  if (nowMs - Date.parse(at) <= SILENT_MS) return undefined
  return missing(`the session was opened at ${at}, and there is no word of its end`, place)
}

/**
 * A session that never had a frame, as the ledger says, and of which the store has at most a header that was cut, or the fence of whoever ended it.
 * Undefined for all others.
 */
function absentTape(facts: SessionFacts | undefined): TapeVerification | undefined {
  if (facts === undefined || facts.close !== undefined || facts.interim !== undefined) return undefined
  const { session, recover, failed } = facts
  if (recover?.outcome === 'absent') {
    const what = `the session was opened, and its process ended before anything of it was stored (${recover.by}, ${recover.at})`
    return withoutTape(session, 'absent', 'VALID-INCOMPLETE', what, recover.place)
  }
  return recover === undefined && failed?.never === true ? notRecorded(session, failed) : undefined
}

function notRecorded(session: string, { what, place }: NonNullable<SessionFacts['failed']>): TapeVerification {
  return withoutTape(session, 'absent', 'VALID-INCOMPLETE', `the session was opened, and could not be recorded: ${what}`, place)
}

function withoutTape(
  session: string,
  state: TapeVerification['state'],
  verdict: Problem['verdict'],
  what: string,
  place: EntryPlace,
): TapeVerification {
  return withProblems({ ...NO_TAPE, session, state }, [{ verdict, part: 'ledger', what, ...place }])
}

/** Of a session of which there is no tape. */
export const NO_TAPE: Omit<TapeVerification, 'session' | 'state'> = {
  verdict: 'VALID',
  exit: 0,
  frames: 0,
  chunks: 0,
  recovered: null,
  unattested: 0,
  lastGood: null,
  durability: null,
  lossWindow: null,
  signer: null,
  root: null,
  problems: [],
  problemCount: 0,
}

/** The tapes say there was one: they were copied without it, or it was taken away. Never a pass. */
const LOST_LEDGER: LedgerVerification = {
  verdict: 'UNVERIFIABLE',
  exit: VERIFY_EXITS.UNVERIFIABLE,
  origin: null,
  size: 0,
  malformed: 0,
  root: null,
  checkpoints: 0,
  checkpoint: null,
  writers: [],
  problems: [
    {
      verdict: 'UNVERIFIABLE',
      part: 'ledger',
      what: 'the tapes name a ledger that is not here: whether tapes are missing cannot be told',
      object: ledgerKeys.sequence(0),
    },
  ],
  problemCount: 1,
}

/** The tape with these problems too, and the verdict that they lead to. */
export function withProblems(tape: TapeVerification, problems: readonly Problem[]): TapeVerification {
  if (problems.length === 0) return tape
  const verdict = worstVerdict([tape.verdict, ...problems.map((problem) => problem.verdict)])
  return {
    ...tape,
    verdict,
    exit: VERIFY_EXITS[verdict],
    problems: [...tape.problems, ...problems].slice(0, MAX_PROBLEMS),
    problemCount: tape.problemCount + problems.length,
  }
}
