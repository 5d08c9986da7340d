import { isUtf8 } from 'node:buffer'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Notice, Refusal } from '../../../schemas/verdict.ts'
import type { ByteWire, Message, Output, Side } from '../../message.ts'
import { Conversation } from './conversation.ts'
import { deallocated } from './deallocate.ts'
import { cstringEnd, FRONTEND, HEADER_SIZE, message, nameAt, nulTerminated, uint16 } from './messages.ts'
import { errorResponse, noticeResponse, reportRefusal } from './refuse.ts'
import { Reply } from './reply.ts'
import { type ColumnJudge, ReplyReader } from './reply-reader.ts'
import { type Malformed, Request } from './request.ts'
import { ConversationContext, parseOf, type SqlReader } from './request-context.ts'
import { RequestReader } from './request-reader.ts'
import { Part } from './row-stream.ts'
import { type Piece, Splitter } from './splitter.ts'
import { certain } from './statement.ts'
import { owed, skipsOnError, type Turn } from './turns.ts'

/**
 * What goes upstream in place of a refused statement: it fails in the server's parser, changes nothing, and leaves the
 * transaction in the state any failed statement would (an open one is aborted, a pipeline skips to its Sync), so that
 * ReadyForQuery tells the truth. The server's log shows it; the client gets our error in place of the server's.
 */
const REFUSED_SQL = 'sallyport refused this statement'
const POISON_QUERY = message(FRONTEND.query, nulTerminated(REFUSED_SQL))
const POISON_PARSE = message(FRONTEND.parse, nulTerminated(''), nulTerminated(REFUSED_SQL), new Uint8Array(2))
const COPY_FAIL = message(FRONTEND.copyFail, nulTerminated('sallyport refused this data'))

const READY_SIZE = HEADER_SIZE + 1

/** Describe and Close of a statement; of a portal it is P. */
const STATEMENT = 0x53
/** The words without which no text defines a name. */
const DEFINES = /prepare|declare/i

export interface PostgresWireParts {
  readonly reader: SqlReader
  readonly columns: ColumnJudge
  /** Role and database of the upstream login, and the parameters it began with. */
  readonly place: readonly string[]
  /** Asks the server to stop the statement whose result was cut. */
  readonly cancelUpstream: () => void
}

/** The PostgreSQL protocol after login: states and turns are drawn in README.md. */
export class PostgresWire implements ByteWire {
  readonly #splitters: Readonly<Record<Side, Splitter>> = { client: new Splitter('client'), server: new Splitter('server') }
  readonly #conversation = new Conversation()
  readonly #parts: PostgresWireParts
  readonly #context: ConversationContext
  readonly #requests: RequestReader
  readonly #replies: ReplyReader
  /** The client has had the beginning of a message and not its end: nothing of ours may come between. */
  #midMessage = false
  /** The group in which an execution was cut: the client skips to its sync, as after any error, whatever the server still did. */
  #cutGroup = -1

  constructor(parts: PostgresWireParts) {
    this.#parts = parts
    this.#context = new ConversationContext(this.#conversation, parts.reader, parts.place, parts.columns)
    this.#requests = new RequestReader(this.#context, this.#context.masksInCopy)
    this.#replies = new ReplyReader(this.#conversation, parts.columns)
  }

  get crowded(): boolean {
    return this.#conversation.crowded
  }

  receive(from: Side, chunk: Uint8Array): readonly Message[] {
    const cuts = this.#splitters[from].push(chunk)
    const cut = cuts[0]
    if (cut === undefined) return []
    if (from === 'server') return cuts.length === 1 ? this.#replies.read(cut) : cuts.flatMap((next) => this.#replies.read(next))
    // What clients send is never in two cuts.
    const messages = this.#requests.read(cut)
    for (const message of messages) if (message instanceof Request) message.malformed = malformed(message)
    return messages
  }

  release(message: Message, bytes: Uint8Array = message.bytes): readonly Output[] {
    if (message instanceof Request) return this.#ask(message)
    if (message instanceof Reply) return this.#answer(message, bytes)
    if (!(message instanceof Part)) throw new TypeError('a message of another protocol')
    if (message.from === 'client') {
      this.#conversation.dataSent = true
      return this.#conversation.copyRefused ? [] : [{ to: 'server', bytes: message.passed }]
    }
    if (message.turn?.cut === true) return []
    this.#midMessage = message.part !== 'last'
    return [{ to: 'client', bytes }]
  }

  refuse(message: Message, refusal: Refusal): readonly Output[] {
    if (message instanceof Request) return this.#refuseRequest(message, refusal)
    if (message.from === 'client') return this.#refuseCopy(refusal)
    const turn = message instanceof Reply || message instanceof Part ? message.turn : undefined
    const ready = message instanceof Reply && message.ready ? [own('client', message.bytes.subarray(-READY_SIZE), 'reply')] : []
    if (turn === undefined || turn.cut === true || this.#isCut(turn)) return ready
    turn.cut = true
    if (skipsOnError(turn)) this.#cutGroup = turn.group
    // The server may be far ahead; without this it would go on sending what nobody will get.
    if (ready.length === 0) this.#parts.cancelUpstream()
    return [own('client', errorResponse(reportRefusal(refusal)), 'refusal'), ...ready]
  }

  notify(_: Message, notice: Notice): readonly Output[] {
    if (this.#midMessage) return []
    const hint = notice.hint === undefined ? {} : { hint: notice.hint }
    return [own('client', noticeResponse({ severity: 'NOTICE', code: '00000', message: notice.message, ...hint }), 'notice')]
  }

  farewell(refusal: Refusal): readonly Output[] {
    return this.#midMessage ? [] : [own('client', errorResponse(reportRefusal(refusal, 'FATAL')), 'farewell')]
  }

  /** Sends a request on, and notes what the server will owe for it. */
  #ask(request: Request): readonly Output[] {
    const conversation = this.#conversation
    if (request.kind === 'copy-data' || request.kind === 'copy-end') {
      const dropped = conversation.copyRefused
      if (request.kind === 'copy-end') {
        conversation.copyRefused = false
        if (!dropped) conversation.endCopy()
        this.#context.masksInCopy.reset()
      }
      conversation.dataSent ||= request.kind === 'copy-data'
      return dropped ? [] : [{ to: 'server', bytes: request.bytes }]
    }
    const described = this.#note(request)
    conversation.check()
    if (described === undefined) return [{ to: 'server', bytes: request.bytes }]
    // Rows nobody asked to have described: we ask, so that labelled columns are known, and keep the answer to ourselves.
    const { at, bytes } = described
    return [
      ...(at > 0 ? [{ to: 'server', bytes: request.bytes.subarray(0, at) } as const] : []),
      own('server', bytes, 'describe'),
      { to: 'server', bytes: request.bytes.subarray(at) },
    ]
  }

  /** Turns and names for every message of the request; what to ask in addition, and before which of its bytes. */
  #note(request: Request): { readonly at: number; readonly bytes: Uint8Array } | undefined {
    const conversation = this.#conversation
    const { turns } = conversation
    const text = this.#context.text(request)
    if (conversation.unread && (request.kind === 'query' || request.piece(FRONTEND.parse) !== undefined)) {
      throw new ApplianceError(
        'PROTOCOL_UNSUPPORTED',
        'a statement was sent behind one that may change how statements are read; wait for its answer first',
      )
    }
    let ask: { readonly at: number; readonly bytes: Uint8Array } | undefined
    for (const piece of request.pieces) {
      if (piece.type === FRONTEND.flush || piece.type === FRONTEND.terminate) continue
      if (piece.type === FRONTEND.sync) {
        conversation.sync()
        continue
      }
      if (!conversation.takes()) continue
      const { group } = conversation
      switch (piece.type) {
        case FRONTEND.query:
        case FRONTEND.functionCall: {
          const kind = piece.type === FRONTEND.query ? 'query' : 'function'
          const sql = this.#context.answering(text)
          turns.push(owed(kind, group, conversation.nextStatement(), sql, undefined, undefined, false, this.#forgets(text)))
          this.#executed(request, text)
          break
        }
        case FRONTEND.parse: {
          const parse = parseOf(request)
          if (parse !== undefined) conversation.statements.propose(parse.name, parse.statement, group)
          turns.push(owed('parse', group, 0, ''))
          break
        }
        case FRONTEND.bind: {
          const portal = this.#context.bound(request)
          if (portal !== undefined) conversation.portals.propose(request.bindNames(piece).portal, portal, group)
          turns.push(owed('bind', group, 0, ''))
          break
        }
        case FRONTEND.describe: {
          const of = this.#described(request, piece)
          turns.push(owed('describe', group, 0, this.#context.answering(of?.statement.sql), of))
          if (of !== undefined) of.statement.asked = { generation: of.generation, group }
          break
        }
        case FRONTEND.execute: {
          const name = nameAt(request.bytes, piece.from + HEADER_SIZE, piece.to)
          const { turn, of, known } = this.#execution(request, name, text)
          if (!known) {
            const about = of === undefined ? {} : { of }
            turns.push({ kind: 'describe', group, statement: 0, sql: turn.sql, own: true, describes: turn, ...about })
            if (of !== undefined) of.statement.asked = { generation: of.generation, group }
            ask = { at: piece.from, bytes: message(FRONTEND.describe, Buffer.from('P'), portalName(request.bytes, piece)) }
          }
          turns.push(turn)
          this.#executed(request, text)
          break
        }
        case FRONTEND.close: {
          const target = nameAt(request.bytes, piece.from + HEADER_SIZE + 1, piece.to)
          const names = request.bytes[piece.from + HEADER_SIZE] === STATEMENT ? conversation.statements : conversation.portals
          turns.push({ kind: 'close', group, statement: 0, sql: '', forget: () => names.forget(target) })
          break
        }
        default:
          break
      }
    }
    return ask
  }

  /** The turn of an Execute, what it is certain to run, and whether its columns are known by the time its rows come. */
  #execution(
    request: Request,
    name: string,
    text: string | null | undefined,
  ): { readonly turn: Turn; readonly of: Turn['of']; readonly known: boolean } {
    const conversation = this.#conversation
    const portals = this.#context.portals(request)
    const statement = certain(portals)
    // A named portal may have become another by SQL (CLOSE, DECLARE), also inside a function.
    const portal = statement === undefined || name !== '' ? undefined : portals[0]
    const sql = this.#context.answering(text)
    const forget = portal === undefined ? undefined : this.#forgets(text)
    const turn = owed('execute', conversation.group, conversation.nextStatement(), sql, undefined, portal, false, forget)
    if (statement === undefined || portal === undefined) return { turn, of: undefined, known: false }
    const { generation } = portal
    const { asked } = statement
    const known =
      (asked === undefined || asked.generation === generation) &&
      ((statement.columns !== undefined && statement.described === generation) || asked?.group === conversation.group)
    return { turn, of: { statement, generation }, known }
  }

  /** What a DEALLOCATE does to names, once the server has done it: only that is certain (see registry.ts). */
  #forgets(text: string | null | undefined): (() => void) | undefined {
    const given = typeof text === 'string' ? deallocated(text) : undefined
    return given === undefined ? undefined : () => this.#conversation.giveUp(given.name)
  }

  /** The statement a Describe is about, where only one comes into question. */
  #described(request: Request, piece: Piece): Turn['of'] {
    const { generation } = this.#conversation
    const name = nameAt(request.bytes, piece.from + HEADER_SIZE + 1, piece.to)
    if (request.bytes[piece.from + HEADER_SIZE] === STATEMENT) {
      const [statement, ...others] = this.#context.statementsNamed(name)
      return statement === undefined || others.length > 0 ? undefined : { statement, generation }
    }
    if (name !== '') return undefined
    const portals = this.#context.portalsNamed(name)
    const statement = certain(portals)
    return statement === undefined || portals[0] === undefined ? undefined : { statement, generation: portals[0].generation }
  }

  /** What an execution may change for those after it. */
  #executed(request: Request, text: string | null | undefined): void {
    const conversation = this.#conversation
    const facts = request.common()
    conversation.executed(facts, text ?? '')
    this.#parts.columns.executed(facts)
    if (facts['role_change'] === true || facts['sets'] !== undefined) conversation.changed(text ?? '')
    if (typeof text !== 'string' || (facts['parse_ok'] === true && facts['prepares'] === undefined) || !DEFINES.test(text)) return
    for (const { kind, name } of this.#parts.reader.names(text).prepares) conversation.define(`${kind}:${name}`, text)
  }

  /** Passes an answer on, unless it was cut, is replaced by ours, or was asked for by ourselves. */
  #answer(reply: Reply, bytes: Uint8Array): readonly Output[] {
    const { turn } = reply
    const ready = (): readonly Output[] => (reply.ready ? [own('client', reply.bytes.subarray(-READY_SIZE), 'reply')] : [])
    if (turn?.cut === true) return ready()
    if (turn !== undefined && this.#isCut(turn)) return ready()
    if (turn?.own === true && reply.apart) return []
    if (turn?.refusal !== undefined && reply.apart) {
      const refusal = turn.refusal
      turn.refusal = undefined
      return [own('client', errorResponse(reportRefusal(refusal)), 'refusal')]
    }
    return [{ to: 'client', bytes }]
  }

  /** Whether the client, told of a cut, skips this answer. */
  #isCut(turn: Turn): boolean {
    return turn.group === this.#cutGroup && skipsOnError(turn)
  }

  #refuseRequest(request: Request, refused: Refusal): readonly Output[] {
    const conversation = this.#conversation
    const refusal = request.malformed === undefined ? refused : { ...refused, sqlState: request.malformed.sqlState }
    if (request.kind === 'copy-data' || request.kind === 'copy-end') {
      const outputs = this.#refuseCopy(refusal)
      if (request.kind === 'copy-end') conversation.copyRefused = false
      return outputs
    }
    const outputs: Output[] = []
    // Where the server skips anyway, it neither does what was refused nor answers what would stand in its place.
    if (conversation.takes()) {
      const { group } = conversation
      if (request.kind === 'query' || request.kind === 'function-call') {
        conversation.turns.push({ kind: 'query', group, statement: conversation.nextStatement(), sql: '', refusal })
        return [own('server', POISON_QUERY, 'refused')]
      }
      conversation.turns.push({ kind: 'parse', group, statement: 0, sql: '', refusal })
      conversation.refusedGroup = group
      outputs.push(own('server', POISON_PARSE, 'refused'))
    }
    const flush = request.piece(FRONTEND.flush)
    const sync = request.piece(FRONTEND.sync)
    if (flush !== undefined) outputs.push(own('server', request.bytes.subarray(flush.from, flush.to), 'flush'))
    if (sync !== undefined) {
      conversation.sync()
      outputs.push(own('server', request.bytes.subarray(sync.from, sync.to), 'sync'))
    }
    return outputs
  }

  /** The client learns of it from the error the server answers to CopyFail; what it sends until then is dropped. */
  #refuseCopy(refusal: Refusal): readonly Output[] {
    const conversation = this.#conversation
    if (conversation.copyRefused) return []
    conversation.copyRefused = true
    const { latest } = conversation.turns
    // Outside a COPY the server ignores such data, and so do we.
    if (latest === undefined) return []
    latest.refusal = refusal
    conversation.endCopy()
    return [own('server', COPY_FAIL, 'refused')]
  }
}

function own(to: Side, bytes: Uint8Array, kind: string): Output {
  return { to, bytes, own: { kind, facts: {} } }
}

/** The name of the portal an Execute names, with its NUL, byte for byte. */
function portalName(bytes: Uint8Array, execute: Piece): Uint8Array {
  const from = execute.from + HEADER_SIZE
  return bytes.subarray(from, cstringEnd(bytes, from, execute.to) + 1)
}

/**
 * What the server would not read, or read differently than we do: bytes behind a terminating NUL, and text that is not UTF-8. Both are
 * answered as the server answers them (`pq_getmsgend`, `pg_verify_mbstr`), but by us: a database in SQL_ASCII takes any bytes, and
 * what they mean there cannot be judged.
 */
function malformed(request: Request): Malformed | undefined {
  const { bytes, pieces } = request
  for (const piece of pieces) {
    const body = piece.from + HEADER_SIZE
    if (piece.type === FRONTEND.query) {
      // Most are plain ASCII up to the NUL at their end, which one look tells.
      let at = body
      while (at < piece.to && isPlain(bytes[at])) at++
      if (at === piece.to - 1 && bytes[at] === 0) continue
      if (cstringEnd(bytes, body, piece.to) !== piece.to - 1) return UNTERMINATED
      if (!holdsUtf8(bytes, body, piece.to - 1)) return NOT_UTF8
    }
    if (piece.type === FRONTEND.parse) {
      const name = cstringEnd(bytes, body, piece.to)
      const sql = name === -1 ? -1 : cstringEnd(bytes, name + 1, piece.to)
      if (sql === -1 || sql + 3 > piece.to || sql + 3 + 4 * uint16(bytes, sql + 1) !== piece.to) return UNTERMINATED
      if (!holdsUtf8(bytes, name + 1, sql)) return NOT_UTF8
    }
    if (piece.type === FRONTEND.bind && request.bindNames(piece).at >= piece.to) return UNTERMINATED
    if (piece.type === FRONTEND.execute && cstringEnd(bytes, body, piece.to) !== piece.to - 5) return UNTERMINATED
  }
  return undefined
}

/** A character of ASCII, and not NUL. */
function isPlain(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0 && byte < 0x80
}

function holdsUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (at < to && (bytes[at] ?? 0) < 0x80) at++
  return at >= to || isUtf8(bytes.subarray(at, to))
}

const UNTERMINATED: Malformed = { sqlState: '08P01', message: 'invalid message format' } // protocol_violation
const NOT_UTF8: Malformed = { sqlState: '22021', message: 'invalid byte sequence for encoding "UTF8"' } // character_not_in_repertoire
