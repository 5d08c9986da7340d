import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Message } from '../../message.ts'
import { isFree } from './catalog-system.ts'
import type { Described } from './columns.ts'
import type { Conversation } from './conversation.ts'
import { type CopyShape, uncutField } from './copy.ts'
import { BACKEND, cstring, cstringEnd, HEADER_SIZE, uint16 } from './messages.ts'
import { errorField, Reply, type ReplyEnd, type Segment } from './reply.ts'
import { PartSource } from './row-stream.ts'
import type { Cut, Piece } from './splitter.ts'
import { portalColumns } from './statement.ts'
import { outOfStep, type Turn } from './turns.ts'

/** Decides how described columns are treated. */
export interface ColumnJudge {
  /**
   * How the columns are treated that the RowDescription bytes[from, to) describes; `sql`: the statement they belong to, for what
   * is computed. Throws PROTOCOL_MALFORMED where it is none.
   */
  described(bytes: Uint8Array, from: number, to: number, sql: string): Described
  /** How a COPY ... TO STDOUT of this statement is cut and treated, in each of whose lines are `count` fields. */
  copy(sql: string, format: 'text' | 'binary', count: number): CopyShape
  /** How values are treated that an error or notice of this statement may quote; undefined: as any text. */
  complaint(sql: string): Field | undefined
  /** The labels of what a statement with these facts may read or write; none, where no rule asks for them. */
  labelsTouched(facts: Facts): readonly string[]
  /** How the value of a setting is treated that the server reports while it answers this statement; '': unasked. */
  parameter(sql: string): Field | undefined
  /** How the payload of a notification is treated. */
  notification(): Field | undefined
  /** A statement with these facts is sent for execution. */
  executed(facts: Facts): void
  /** All that was sent has been answered, and no transaction is open. */
  rested(): void
  /** Stands for what is known of the target, as long as it is the same. */
  readonly edition: object | undefined
  /**
   * Resolves once as much is known of the target as can be, for a statement with these facts on something new in this generation of
   * names; undefined: nothing is waited for. Never rejects.
   */
  pending(facts: Facts, generation: number): Promise<void> | undefined
  /** Whether a statement with these facts puts what a labelled column may hold where no label covers it. */
  writesFromMasked(facts: Facts): boolean
}

/** Tags of what gives up prepared statements. */
const RELEASED = /^(DEALLOCATE|DEALLOCATE ALL|DISCARD ALL)$/

/** A Sync ends the transaction that the statements before it are: what fails only now is of any of them. */
const COMMITTING = 'COMMIT'

/** Groups what one read brought of the server's answers into replies, and moves the turns on. */
export class ReplyReader {
  readonly #conversation: Conversation
  readonly #judge: ColumnJudge
  #parts: PartSource | undefined
  // The reply being gathered.
  #segments: Segment[] = []
  #from = 0
  #to = 0
  #turn: Turn | undefined
  #over = false

  constructor(conversation: Conversation, judge: ColumnJudge) {
    this.#conversation = conversation
    this.#judge = judge
  }

  read({ bytes, pieces }: Cut): readonly Message[] {
    const messages: Message[] = []
    for (const piece of pieces) {
      if (piece.part !== 'whole') {
        this.#close(bytes, messages, 'open')
        messages.push(this.#part(bytes, piece))
        continue
      }
      const turn = this.#conversation.turns.head
      const apart = standsApart(turn, piece.type)
      if (this.#to > this.#from && piece.type !== BACKEND.readyForQuery) {
        if (this.#over || apart || (turn !== this.#turn && !leadsTo(this.#turn, turn))) this.#close(bytes, messages, 'open')
        else this.#turn = turn
      }
      if (this.#to === this.#from) {
        this.#from = piece.from
        this.#turn = turn
        this.#over = false
      }
      this.#to = piece.to
      this.#take(bytes, piece, turn)
      if (piece.type === BACKEND.readyForQuery) this.#close(bytes, messages, 'ready')
      else if (apart) this.#close(bytes, messages, 'apart')
    }
    this.#close(bytes, messages, 'open')
    return messages
  }

  #close(bytes: Uint8Array, messages: Message[], end: ReplyEnd): void {
    if (this.#to > this.#from) messages.push(new Reply(bytes, this.#from, this.#to, this.#segments, this.#turn, end))
    this.#segments = []
    this.#from = 0
    this.#to = 0
  }

  #part(bytes: Uint8Array, piece: Piece): Message {
    if (this.#parts === undefined || piece.part === 'first') {
      const turn = this.#conversation.turns.head
      if (piece.part !== 'first') throw outOfStep('part of a message')
      this.#parts = new PartSource('server', piece.type, this.#partColumns(piece.type, turn), turn)
    }
    return this.#parts.next(bytes.subarray(piece.from, piece.to), piece.part === 'whole' ? 'first' : piece.part)
  }

  #partColumns(type: number, turn: Turn | undefined): readonly Field[] {
    if (type === BACKEND.dataRow) return this.#columns(turn)
    if (turn?.copyOut !== true) throw outOfStep('COPY data')
    // Where its columns begin is not followed through a line this long: one that must be masked masks all of it.
    const whole = uncutField(turn.copy)
    return whole === undefined ? [] : [whole]
  }

  /** How the rows of the head are treated. Throws where nobody described them: they may not be what they seem. */
  #columns(turn: Turn | undefined): readonly Field[] {
    if (turn?.kind !== 'execute' && turn?.kind !== 'query') throw outOfStep('a row')
    if (turn.columns === undefined && turn.portal !== undefined) turn.columns = portalColumns(turn.portal)
    if (turn.columns === undefined) throw outOfStep('a row that was not described')
    return turn.columns
  }

  #quoted(turn: Turn | undefined): Field | undefined {
    if (turn?.kind === 'sync') return this.#judge.complaint(COMMITTING)
    return turn === undefined || turn.sql === '' ? undefined : this.#judge.complaint(turn.sql)
  }

  /** One whole message: its segment, and what it does to the turns. */
  #take(bytes: Uint8Array, piece: Piece, turn: Turn | undefined): void {
    const { from, to } = piece
    const { turns, statements, portals } = this.#conversation
    switch (piece.type) {
      case BACKEND.dataRow: {
        const last = this.#segments.at(-1)
        const columns = this.#columns(turn)
        if (uint16(bytes, from + HEADER_SIZE) !== columns.length) throw outOfStep('a row of other columns than described')
        if (last?.what === 'rows' && last.to === from) {
          last.to = to
          last.count += piece.count
        } else {
          this.#segments.push({ what: 'rows', from, to, columns, count: piece.count })
        }
        return
      }
      case BACKEND.copyData: {
        if (turn?.copyOut !== true) throw outOfStep('COPY data')
        const last = this.#segments.at(-1)
        if (last?.what === 'copy' && last.to === from) {
          last.to = to
          last.count += piece.count
        } else {
          this.#segments.push({ what: 'copy', from, to, shape: turn.copy, count: piece.count })
        }
        return
      }
      case BACKEND.rowDescription:
        this.#segments.push({ what: 'description', from, to })
        this.#describe(bytes, from, to, fits(turn, piece, 'describe', 'query'))
        if (turn?.kind === 'describe') turns.next()
        return
      case BACKEND.noData:
        describe(undefined, fits(turn, piece, 'describe'))
        turns.next()
        return
      case BACKEND.parameterDescription:
        fits(turn, piece, 'describe')
        return
      case BACKEND.parseComplete:
        fits(turn, piece, 'parse')
        statements.confirm()
        turns.next()
        return
      case BACKEND.bindComplete:
        fits(turn, piece, 'bind')
        portals.confirm()
        turns.next()
        return
      case BACKEND.closeComplete:
        fits(turn, piece, 'close').forget?.()
        turns.next()
        return
      case BACKEND.portalSuspended:
        fits(turn, piece, 'execute')
        this.#over = true
        turns.next()
        return
      case BACKEND.commandComplete:
      case BACKEND.emptyQuery: {
        const done = fits(turn, piece, 'execute', 'query')
        this.#over = true
        done.answered = true
        if (
          done.forget !== undefined &&
          piece.type === BACKEND.commandComplete &&
          RELEASED.test(cstring(bytes, from + HEADER_SIZE, to))
        )
          done.forget()
        done.copyOut = false
        done.copyIn = false
        this.#conversation.copyOpen = false
        // The next statement of the same Query has columns of its own.
        if (done.kind === 'query') done.columns = undefined
        else turns.next()
        return
      }
      case BACKEND.copyOut: {
        const copying = fits(turn, piece, 'execute', 'query')
        copying.copyOut = true
        const format = bytes[from + HEADER_SIZE] === 1 ? 'binary' : 'text'
        copying.copy = this.#judge.copy(copying.sql, format, uint16(bytes, from + HEADER_SIZE + 1))
        return
      }
      case BACKEND.copyDone:
        if (turn?.copyOut !== true) throw outOfStep('CopyDone')
        turn.copyOut = false
        return
      case BACKEND.copyIn:
        fits(turn, piece, 'execute', 'query')
        this.#conversation.copyOpen = turns.enterCopy()
        return
      case BACKEND.error:
        this.#over = true
        this.#segments.push({ what: 'complaint', from, to, values: this.#quoted(turn) })
        // Only what ends the connection may come unasked.
        if (turn === undefined && !/^(FATAL|PANIC)$/.test(errorField(bytes, from, to, 'V'))) throw outOfStep('an error')
        this.#conversation.failed()
        return
      case BACKEND.readyForQuery:
        this.#conversation.ready(bytes[from + HEADER_SIZE] ?? 0)
        if (!this.#conversation.mayHoldLocks) this.#judge.rested()
        return
      case BACKEND.notice:
        this.#segments.push({ what: 'complaint', from, to, values: this.#quoted(turn) })
        return
      case BACKEND.notification:
        this.#segments.push({ what: 'notification', from, to, values: this.#judge.notification() })
        return
      case BACKEND.parameterStatus: {
        const name = cstring(bytes, from + HEADER_SIZE, to)
        checkPinned(name, cstring(bytes, cstringEnd(bytes, from + HEADER_SIZE, to) + 1, to))
        const values = isFree(name) ? this.#judge.parameter(turn?.sql ?? '') : undefined
        this.#segments.push({ what: 'parameter', from, to, values })
        return
      }
      case BACKEND.functionCallResponse:
        this.#segments.push({ what: 'value', from, to })
        fits(turn, piece, 'function').answered = true
        return
      default:
        // CopyBothResponse, BackendKeyData: nothing that is let through asks for them.
        throw outOfStep(`server message type 0x${piece.type.toString(16)}`)
    }
  }

  #describe(bytes: Uint8Array, from: number, to: number, turn: Turn): void {
    const empty = uint16(bytes, from + HEADER_SIZE) === 0
    describe(empty ? undefined : this.#judge.described(bytes, from, to, turn.sql), turn)
  }
}

/** `described`: undefined where there are no columns. */
function describe(described: Described | undefined, turn: Turn): void {
  if (turn.of !== undefined) {
    turn.of.statement.columns = described ?? null
    turn.of.statement.described = turn.of.generation
  }
  // Of a simple Query or a portal the description itself says the formats; of a statement it cannot know them yet.
  const asked = turn.describes ?? (turn.kind === 'query' ? turn : undefined)
  if (asked !== undefined) asked.columns = described?.asDescribed ?? []
}

/** The head, when it is one that this may answer. */
function fits(turn: Turn | undefined, piece: Piece, kind: Turn['kind'], or = kind): Turn {
  if (turn === undefined || (turn.kind !== kind && turn.kind !== or))
    throw outOfStep(`server message type 0x${piece.type.toString(16)}`)
  return turn
}

/** Whether `turn` only prepares what `next` executes: their answers are then one reply, the execution's. */
function leadsTo(turn: Turn | undefined, next: Turn | undefined): boolean {
  if (turn === undefined || next === undefined || turn.group !== next.group) return false
  return turn.statement === 0 && turn.kind !== 'sync' && turn.own !== true && turn.refusal === undefined
}

/** Answers that are swallowed or replaced must be replies of their own. */
function standsApart(turn: Turn | undefined, type: number): boolean {
  if (turn === undefined) return false
  if (turn.own === true) return type === BACKEND.rowDescription || type === BACKEND.noData
  return turn.refusal !== undefined && type === BACKEND.error
}

/** Settings under which the server would read a text differently than our parser does. Login sets them; nothing may change them. */
const PINNED: Readonly<Record<string, string>> = { standard_conforming_strings: 'on', client_encoding: 'UTF8' }

function checkPinned(name: string, value: string): void {
  const pinned = PINNED[name]
  if (pinned === undefined || pinned === value) return
  throw new ApplianceError(
    'PROTOCOL_UNSUPPORTED',
    `${name} was changed to something other than ${pinned}; statements could no longer be judged`,
  )
}
