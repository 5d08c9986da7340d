import type { SessionDetail, SessionRow, SessionState, StatementRow } from '../../schemas/api.ts'
import { type Frame, isReleased, MASK_SPAN_SIZE } from '../../schemas/frame.ts'
import { PART_FACT, type RecoveryStatement, STATEMENTS_FACT, type TapeHeader } from '../../schemas/tape.ts'
import type { Act } from '../../schemas/verdict.ts'
import { terminalStep } from '../../schemas/views/terminal.ts'
import type { Describer, Told } from './describe.ts'
import { Pulls } from './pulls.ts'
import { Screens } from './screens.ts'
import { keptName } from './text.ts'
import { Texts } from './texts.ts'

/** Of a statement in the catalog: what a list can show and a search needs; the tape has it whole. */
const MAX_TEXT_CHARS = 16_384
const MAX_LAST_STATEMENT_CHARS = 200
/** Statements that have ended but may still be told something (a status behind the completion). A pipeline has a few. */
const MAX_ENDED = 64
/** Pipelines beyond this are not from a driver; the oldest is taken as cut. */
const MAX_OPEN = 10_000
/** Approval requests of one session that are listed. */
const MAX_APPROVALS = 1_000

/** What only the details of a session tell. */
export type SessionExtra = Pick<
  SessionDetail,
  'policy' | 'durability' | 'lossWindow' | 'claims' | 'proof' | 'recovered' | 'approvals' | 'unsearchedChars'
>

interface Open {
  row: StatementRow
  answer: number | null
  /** The last of its answer waits for a person. */
  held?: boolean
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Adds one session's frames up to what the catalog keeps of it. Deterministic: the same frames give the same rows. */
export class SessionDigest {
  readonly #header: TapeHeader
  readonly #describer: Describer | undefined
  readonly #sums = { frames: 0, statements: 0, rows: 0, bytesIn: 0, bytesOut: 0, masked: 0 }
  readonly #verdicts: Record<Act, number> = { allow: 0, mask: 0, block: 0, hold: 0 }
  readonly #approvals = new Set<string>()
  readonly #byAnswer = new Map<number, Open>()
  readonly #byApproval = new Map<string, Open>()
  readonly #ended: number[] = []
  readonly #changed = new Set<Open>()
  /** What was taken of what. */
  readonly pulls: Pulls
  /** What can be found by words. */
  readonly texts = new Texts()
  /** Of its terminals, to go on from. */
  readonly screens = new Screens()
  #lastStatement: string | null = null
  #lastUs = 0
  /** Number of the next frame, where none is missing. */
  #next = 0
  #state: SessionState = 'live'
  #end: { readonly reason: string; readonly at: string } | undefined
  #recovered: SessionExtra['recovered'] = null

  /** `secret` keys what stands for masked rows. */
  constructor(header: TapeHeader, describer: Describer | undefined, secret: string) {
    this.#header = header
    this.#describer = describer
    this.pulls = new Pulls(header.session.startedAt, secret)
  }

  get id(): string {
    return this.#header.session.id
  }

  get state(): SessionState {
    return this.#state
  }

  /** Resolves once what was added can be written. */
  async quiet(): Promise<void> {
    await this.texts.quiet()
    await this.screens.quiet()
  }

  /** As `quiet`, where nothing follows. */
  async over(): Promise<void> {
    await this.texts.end()
    await this.screens.end()
  }

  add(frame: Frame): void {
    if (frame.seq !== this.#next) this.screens.tear()
    this.#next = frame.seq + 1
    this.#sums.frames += 1
    this.#lastUs = Math.max(this.#lastUs, frame.atUs)
    const size = frame.body?.length ?? 0
    const spans = frame.masks === null ? 0 : frame.masks.spans.length / MASK_SPAN_SIZE
    this.#sums.masked += spans
    if (frame.verdict?.approval !== undefined && this.#approvals.size < MAX_APPROVALS) this.#approvals.add(frame.verdict.approval)
    if (frame.dir === 'note') return
    // Not as the describer tells it: what a replay draws has the gateway's own words on it, which are nobody's to be found.
    const step = terminalStep(frame)
    if (step !== undefined) this.screens.add(frame.channel, frame.seq, step, frame.atUs)
    const part = frame.facts[PART_FACT]
    if (part === undefined || part === 'first') this.#verdicts[frame.verdict?.act ?? 'allow'] += 1
    if (frame.dir === 'in') this.#sums.bytesIn += size
    else if (isReleased(frame)) this.#sums.bytesOut += size
    for (const [index, told] of (this.#describer?.read(frame) ?? []).entries()) {
      if (told.told === 'statement') this.#statement(frame, told, index, spans)
      else if (told.told === 'answer') this.#answer(frame, told, size, spans)
      else this.texts.add(frame, told)
    }
  }

  /** The signed end, or the lack of one. What is still unanswered stays so. */
  end(
    state: Exclude<SessionState, 'live'>,
    seal?: { readonly reason: string; readonly at: string; readonly atUs: number },
    recovery?: RecoveryStatement,
  ): void {
    this.#state = state
    this.#end = seal
    this.#lastUs = Math.max(this.#lastUs, seal?.atUs ?? 0)
    if (recovery !== undefined) {
      const { recovered: frames, discardedBytes, gateway: by, recoveredAt: at } = recovery
      this.#recovered = { frames, discardedBytes, by, at }
    }
    for (const open of new Set([...this.#byAnswer.values(), ...this.#byApproval.values()]))
      if (open.row.outcome === 'running') this.#change(open, { outcome: 'cut' })
    this.#byAnswer.clear()
    this.#byApproval.clear()
  }

  /** Statements that are new or changed since the last call. */
  takeStatements(): readonly StatementRow[] {
    const rows = [...this.#changed].map(({ row }) => row)
    this.#changed.clear()
    return rows
  }

  row(): SessionRow {
    const { session } = this.#header
    const { identity, target } = session
    return {
      id: session.id,
      state: this.#state,
      gateway: session.gateway,
      identity: {
        subject: identity.subject,
        kind: identity.kind,
        groups: [...identity.groups],
        ...(identity.principal === undefined ? {} : { principal: identity.principal }),
      },
      target: {
        name: target.name,
        protocol: target.protocol,
        labels: { ...target.labels },
        ...(target.database === undefined ? {} : { database: target.database }),
      },
      client: session.client,
      startedAt: session.startedAt,
      endedAt: this.#end?.at ?? null,
      endReason: this.#end?.reason ?? null,
      durationUs: this.#lastUs,
      ...this.#sums,
      verdicts: { ...this.#verdicts },
      lastStatement: this.#lastStatement,
    }
  }

  extra(): SessionExtra {
    const { session, lossWindow } = this.#header
    const { policy, durability, claims, identity } = session
    return {
      policy,
      durability,
      lossWindow,
      claims: { ...claims },
      proof: identity.proof,
      recovered: this.#recovered,
      approvals: [...this.#approvals],
      unsearchedChars: this.texts.left,
    }
  }

  #statement(frame: Frame, told: Told & { told: 'statement' }, index: number, spans: number): void {
    const { verdict } = frame
    const act = verdict?.act ?? null
    const before = verdict?.approval === undefined ? undefined : this.#byApproval.get(verdict.approval)
    if (before !== undefined && before.row.frame !== frame.seq) {
      // The end of a hold: the same command again, released or refused.
      if (act !== 'hold') {
        this.#byApproval.delete(before.row.approval ?? '')
        before.answer = told.answer
        const became =
          act === 'block'
            ? { outcome: 'refused' as const, lastFrame: frame.seq, durationUs: frame.atUs - before.row.atUs }
            : told.answer === null
              ? { outcome: 'sent' as const }
              : {}
        this.#change(before, {
          verdict: graver(before.row.verdict, act),
          rules: joined(before.row.rules, verdict?.rules),
          ...became,
        })
        if (told.answer !== null) this.pulls.asked(before.row.objects, before.row.frame, before.row.atUs)
        this.#wait(before)
        return
      }
    }
    this.#sums.statements += statementsOf(frame, index)
    const text = told.text.slice(0, MAX_TEXT_CHARS).toWellFormed()
    this.#lastStatement = text.slice(0, MAX_LAST_STATEMENT_CHARS).toWellFormed()
    const open: Open = {
      answer: told.answer,
      row: {
        session: this.#header.session.id,
        frame: frame.seq,
        part: index,
        channel: frame.channel,
        kind: told.kind,
        text,
        textCut: told.text.length > MAX_TEXT_CHARS || frame.facts[PART_FACT] === 'first',
        atUs: frame.atUs,
        durationUs: act === 'block' ? 0 : null,
        lastFrame: null,
        rows: 0,
        bytesOut: 0,
        masked: spans,
        verdict: act,
        rules: [...(verdict?.rules ?? [])],
        approval: verdict?.approval ?? null,
        outcome: act === 'block' ? 'refused' : told.answer === null && act !== 'hold' ? 'sent' : 'running',
        objects: (told.objects ?? []).map(keptName),
        verbs: [...(told.verbs ?? [])],
        fingerprint: told.fingerprint ?? null,
      },
    }
    if (told.answer !== null && act !== 'block' && act !== 'hold') this.pulls.asked(open.row.objects, frame.seq, frame.atUs)
    this.#changed.add(open)
    if (act === 'hold' && verdict?.approval !== undefined) this.#byApproval.set(verdict.approval, open)
    this.#wait(open)
  }

  #answer(frame: Frame, told: Told & { told: 'answer' }, size: number, spans: number): void {
    const released = isReleased(frame)
    if (released) this.#sums.rows += told.rows
    const open = this.#byAnswer.get(told.answer)
    if (open === undefined) return
    const { row } = open
    // Held in its middle: the same answer comes again, released, or nothing more of it does.
    const held = !released && frame.verdict?.act === 'hold'
    const resumed = released && open.held === true
    open.held = held
    const cut = !released && (told.rows > 0 || row.rows > 0)
    if (released) {
      this.pulls.answered(
        row.objects,
        { statementFrame: row.frame, statementUs: row.atUs, frame: frame.seq },
        { rows: told.rows, bytes: size, masked: spans, rowsSoFar: row.rows + told.rows },
      )
      if (told.keys !== undefined && told.keyed !== undefined) this.pulls.keys(row.objects, told.keyed, told.keys)
    }
    const before = resumed && row.outcome === 'cut' ? 'running' : row.outcome
    const ended = told.end === null ? before : told.end
    this.#change(open, {
      lastFrame: frame.seq,
      durationUs: frame.atUs - row.atUs,
      rows: row.rows + (released ? told.rows : 0),
      bytesOut: row.bytesOut + (released ? size : 0),
      masked: row.masked + spans,
      verdict: graver(row.verdict, frame.verdict?.act ?? null),
      rules: joined(row.rules, frame.verdict?.rules),
      // What was refused or cut stays so, however the target ended it.
      outcome: before === 'refused' || before === 'cut' ? before : cut ? 'cut' : before === 'error' ? 'error' : ended,
      ...(held ? { approval: row.approval ?? frame.verdict?.approval ?? null } : {}),
    })
    if (told.end !== null && !held) {
      this.#ended.push(told.answer)
      const oldest = this.#ended.length > MAX_ENDED ? this.#ended.shift() : undefined
      if (oldest !== undefined && oldest !== told.answer) this.#byAnswer.delete(oldest)
    }
  }

  #wait(open: Open): void {
    if (open.answer === null) return
    this.#byAnswer.set(open.answer, open)
    if (this.#byAnswer.size <= MAX_OPEN) return
    const [oldest] = this.#byAnswer
    if (oldest === undefined) return
    this.#byAnswer.delete(oldest[0])
    if (oldest[1].row.outcome === 'running') this.#change(oldest[1], { outcome: 'cut' })
  }

  #change(open: Open, change: Partial<Mutable<StatementRow>>): void {
    open.row = { ...open.row, ...change }
    this.#changed.add(open)
  }
}

/** As the tape's own sums count them, where the frame says how many it has; where it does not (recordings of earlier versions) what is told counts. */
function statementsOf({ facts }: Frame, index: number): number {
  const said = facts[STATEMENTS_FACT]
  if (typeof said !== 'number' || !Number.isSafeInteger(said) || said < 1) return 1
  return index === 0 ? said : 0
}

const GRAVITY: readonly Act[] = ['allow', 'mask', 'hold', 'block']

function graver(a: Act | null, b: Act | null): Act | null {
  if (a === null || b === null) return a ?? b
  return GRAVITY.indexOf(a) >= GRAVITY.indexOf(b) ? a : b
}

function joined(a: readonly string[], b: readonly string[] | undefined): string[] {
  return b === undefined || b.every((rule) => a.includes(rule)) ? [...a] : [...new Set([...a, ...b])]
}
