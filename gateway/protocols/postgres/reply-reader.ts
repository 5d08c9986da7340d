import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field, Message } from '../../message.ts'
import type { ColumnOrigin } from './columns.ts'
import { readOrigins } from './columns.ts'
import type { Conversation } from './conversation.ts'
import type { CopyShape } from './copy.ts'
import { BACKEND, cstring, cstringEnd, HEADER_SIZE } from './messages.ts'
import { Reply, type ReplyEnd, type Segment } from './reply.ts'
import { PartSource } from './row-stream.ts'
import type { Cut, Piece } from './splitter.ts'
import { portalColumns } from './statement.ts'
import type { Turn } from './turns.ts'

/** Decides how described columns are treated. */
export interface ColumnJudge {
  /** Fields for one description, in text format and in binary; `sql`: the statement they belong to, for what is computed. */
  fields(origins: readonly ColumnOrigin[], sql: string): { readonly text: readonly Field[]; readonly binary: readonly Field[] }
  /** How a COPY ... TO STDOUT of this statement is cut and treated. */
  copy(sql: string, format: 'text' | 'binary'): CopyShape | undefined
}

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
      if (this.#to > this.#from && (this.#over || turn !== this.#turn || apart) && piece.type !== BACKEND.readyForQuery) {
        this.#close(bytes, messages, 'open')
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
      const columns = piece.type === BACKEND.dataRow ? (this.#columns(turn) ?? []) : []
      this.#parts = new PartSource('server', piece.type, columns, turn)
    }
    return this.#parts.next(bytes.subarray(piece.from, piece.to), piece.part === 'whole' ? 'first' : piece.part)
  }

  #columns(turn: Turn | undefined): readonly Field[] | undefined {
    if (turn === undefined) return undefined
    if (turn.columns === undefined && turn.portal !== undefined) turn.columns = portalColumns(turn.portal)
    return turn.columns
  }

  /** One whole message: its segment, and what it does to the turns. */
  #take(bytes: Uint8Array, piece: Piece, turn: Turn | undefined): void {
    const { from, to } = piece
    const { turns, statements, portals } = this.#conversation
    switch (piece.type) {
      case BACKEND.dataRow: {
        const last = this.#segments.at(-1)
        if (last?.what === 'rows' && last.to === from) {
          last.to = to
          last.count++
        } else {
          this.#segments.push({ what: 'rows', from, to, columns: this.#columns(turn) ?? [], count: 1 })
        }
        return
      }
      case BACKEND.copyData: {
        const last = this.#segments.at(-1)
        if (last?.what === 'copy' && last.to === from) {
          last.to = to
          last.count++
        } else {
          this.#segments.push({ what: 'copy', from, to, shape: turn?.copy, count: 1 })
        }
        return
      }
      case BACKEND.rowDescription:
        this.#segments.push({ what: 'description', from, to })
        this.#describe(readOrigins(bytes, from, to), turn)
        if (turn?.kind === 'describe') turns.next()
        return
      case BACKEND.noData:
        this.#describe([], turn)
        if (turn?.kind === 'describe') turns.next()
        return
      case BACKEND.parseComplete:
        statements.confirm()
        if (turn?.kind === 'parse') turns.next()
        return
      case BACKEND.bindComplete:
        portals.confirm()
        if (turn?.kind === 'bind') turns.next()
        return
      case BACKEND.closeComplete:
        if (turn?.kind === 'close') turns.next()
        return
      case BACKEND.commandComplete:
      case BACKEND.emptyQuery:
      case BACKEND.portalSuspended:
        this.#over = true
        if (turn?.kind === 'execute') turns.next()
        return
      case BACKEND.copyOut:
        if (turn !== undefined) turn.copy = this.#judge.copy(turn.sql, bytes[from + HEADER_SIZE] === 1 ? 'binary' : 'text')
        return
      case BACKEND.copyIn:
        if (turn !== undefined) turn.copyIn = true
        return
      case BACKEND.error:
        this.#over = true
        this.#segments.push({ what: 'complaint', from, to })
        if (turn === undefined || turn.kind === 'query' || turn.kind === 'function') return
        statements.fail(turn.group)
        portals.fail(turn.group)
        turns.skipToSync()
        return
      case BACKEND.readyForQuery:
        this.#conversation.ready(bytes[from + HEADER_SIZE] ?? 0)
        return
      case BACKEND.notice:
        this.#segments.push({ what: 'complaint', from, to })
        return
      case BACKEND.notification:
        this.#segments.push({ what: 'notification', from, to })
        return
      case BACKEND.parameterStatus:
        checkPinned(cstring(bytes, from + HEADER_SIZE, to), cstring(bytes, cstringEnd(bytes, from + HEADER_SIZE, to) + 1, to))
        this.#segments.push({ what: 'parameter', from, to })
        return
      case BACKEND.functionCallResponse:
        this.#segments.push({ what: 'value', from, to })
        return
      default:
        return
    }
  }

  #describe(origins: readonly ColumnOrigin[], turn: Turn | undefined): void {
    if (turn === undefined) return
    const described = origins.length === 0 ? null : this.#judge.fields(origins, turn.sql)
    if (turn.of !== undefined) turn.of.columns = described
    // Of a simple Query or a portal the description itself says the formats; of a statement it cannot know them yet.
    const asked = turn.describes ?? (turn.kind === 'query' ? turn : undefined)
    if (asked === undefined) return
    asked.columns = origins.map(
      (origin, index) => (origin.format === 1 ? described?.binary : described?.text)?.[index] ?? UNKNOWN,
    )
  }
}

const UNKNOWN: Field = { path: 'row', action: 'scan' }

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
