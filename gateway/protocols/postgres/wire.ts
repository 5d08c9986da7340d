import { ApplianceError } from '../../../schemas/errors.ts'
import type { Notice, Refusal } from '../../../schemas/verdict.ts'
import type { Message, Output, Side, Wire } from '../../message.ts'
import { Conversation } from './conversation.ts'
import { cstring, cstringEnd, FRONTEND, HEADER_SIZE, message, nulTerminated, uint16 } from './messages.ts'
import { errorResponse, noticeResponse, reportRefusal } from './refuse.ts'
import { Reply } from './reply.ts'
import { type ColumnJudge, ReplyReader } from './reply-reader.ts'
import { bindNames, Request } from './request.ts'
import { ConversationContext, parseOf, type SqlReader } from './request-context.ts'
import { RequestReader } from './request-reader.ts'
import { Part } from './row-stream.ts'
import { Splitter } from './splitter.ts'
import { certain, type Statement } from './statement.ts'
import type { Turn } from './turns.ts'

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

/** Turns that end with ReadyForQuery of their own. */
const STANDALONE: ReadonlySet<Turn['kind']> = new Set(['sync', 'query', 'function'])

export interface PostgresWireParts {
  readonly reader: SqlReader
  readonly columns: ColumnJudge
  /** Role and database of the upstream login. */
  readonly place: readonly string[]
  /** Asks the server to stop the statement whose result was cut. */
  readonly cancelUpstream: () => void
}

/** The PostgreSQL protocol after login: states and turns are drawn in README.md. */
export class PostgresWire implements Wire {
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
    this.#context = new ConversationContext(this.#conversation, parts.reader, parts.place)
    this.#requests = new RequestReader(this.#context)
    this.#replies = new ReplyReader(this.#conversation, parts.columns)
  }

  receive(from: Side, chunk: Uint8Array): readonly Message[] {
    const cut = this.#splitters[from].push(chunk)
    if (cut.pieces.length === 0) return []
    if (from === 'server') return this.#replies.read(cut)
    const messages = this.#requests.read(cut)
    for (const message of messages) if (message instanceof Request) checkShape(message)
    return messages
  }

  release(message: Message, bytes: Uint8Array = message.bytes): readonly Output[] {
    if (message instanceof Request) return this.#ask(message)
    if (message.from === 'client') return this.#conversation.copyRefused ? [] : [{ to: 'server', bytes: message.bytes }]
    if (message instanceof Reply) return this.#answer(message, bytes)
    if (!(message instanceof Part)) throw new TypeError('a message of another protocol')
    if (message.turn?.cut === true) return []
    this.#midMessage = message.part !== 'last'
    return [{ to: 'client', bytes }]
  }

  refuse(message: Message, refusal: Refusal): readonly Output[] {
    if (message instanceof Request) return this.#refuseRequest(message, refusal)
    if (message.from === 'client') return this.#refuseCopy(refusal)
    const turn = message instanceof Reply || message instanceof Part ? message.turn : undefined
    const ready = message instanceof Reply && message.ready ? [own('client', message.bytes.subarray(-READY_SIZE), 'reply')] : []
    if (turn === undefined || turn.cut === true) return ready
    turn.cut = true
    if (turn.kind === 'execute') this.#cutGroup = turn.group
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
    if (request.kind === 'copy-data' || request.kind === 'copy-end') {
      if (this.#conversation.copyRefused) return []
      if (request.kind === 'copy-end' && this.#conversation.turns.head?.copyIn === true) this.#conversation.turns.forgetSyncs()
      return [{ to: 'server', bytes: request.bytes }]
    }
    const described = this.#note(request)
    this.#conversation.check()
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
    const portals = this.#context.portals(request)
    const sql = this.#context.sql(request) ?? ''
    let ask: { readonly at: number; readonly bytes: Uint8Array } | undefined
    this.#noteSettings(sql, request)
    for (const piece of request.pieces) {
      const group = conversation.group
      const name = cstring(request.bytes, piece.from + HEADER_SIZE, piece.to)
      switch (piece.type) {
        case FRONTEND.query:
          turns.push({ kind: 'query', group, statement: conversation.nextStatement(), sql })
          break
        case FRONTEND.functionCall:
          turns.push({ kind: 'function', group, statement: conversation.nextStatement(), sql })
          break
        case FRONTEND.parse: {
          const parse = parseOf(request)
          if (parse !== undefined) conversation.statements.propose(name, parse.statement, group)
          turns.push({ kind: 'parse', group, statement: 0, sql: '' })
          break
        }
        case FRONTEND.bind: {
          const portal = this.#context.bound(request)
          if (portal !== undefined) conversation.portals.propose(name, portal, group)
          turns.push({ kind: 'bind', group, statement: 0, sql: '' })
          break
        }
        case FRONTEND.describe: {
          const of = this.#described(request, piece.from)
          turns.push({ kind: 'describe', group, statement: 0, sql: of?.sql ?? sql, ...(of === undefined ? {} : { of }) })
          if (of !== undefined) this.#asked.add(of)
          break
        }
        case FRONTEND.execute: {
          const statement = certain(portals)
          const portal = statement === undefined ? undefined : portals[0]
          const turn: Turn = {
            kind: 'execute',
            group,
            statement: conversation.nextStatement(),
            sql,
            ...(portal === undefined ? {} : { portal }),
          }
          if (statement === undefined || (statement.columns === undefined && !this.#asked.has(statement))) {
            turns.push({
              kind: 'describe',
              group,
              statement: 0,
              sql,
              own: true,
              describes: turn,
              ...(statement === undefined ? {} : { of: statement }),
            })
            ask = { at: piece.from, bytes: message(FRONTEND.describe, Buffer.from('P'), nulTerminated(name)) }
          }
          turns.push(turn)
          break
        }
        case FRONTEND.close: {
          const target = cstring(request.bytes, piece.from + HEADER_SIZE + 1, piece.to)
          if (request.bytes[piece.from + HEADER_SIZE] === 0x53) conversation.statements.forget(target)
          else conversation.portals.forget(target)
          turns.push({ kind: 'close', group, statement: 0, sql: '' })
          break
        }
        case FRONTEND.sync:
          turns.push({ kind: 'sync', group, statement: 0, sql: '' })
          conversation.nextGroup()
          break
        default:
          break
      }
    }
    return ask
  }

  /** Statements a Describe is under way for: their rows will be explained before they come. */
  readonly #asked = new WeakSet<Statement>()

  /** The statement a Describe at `from` is about, where only one comes into question. */
  #described(request: Request, from: number): Statement | undefined {
    const name = cstring(request.bytes, from + HEADER_SIZE + 1, request.bytes.length)
    if (request.bytes[from + HEADER_SIZE] === 0x53) {
      const parse = parseOf(request)
      if (parse?.name === name) return parse.statement
      const known = this.#conversation.statements.candidates(name, this.#conversation.group)
      return known.length === 1 ? known[0] : undefined
    }
    const own = this.#context.bound(request)
    return certain(own === undefined ? this.#conversation.portals.candidates(name, this.#conversation.group) : [own])
  }

  #noteSettings(sql: string, request: Request): void {
    if (sql === '' || request.kind === 'parse') return
    const { prepares } = /prepare/i.test(sql) ? this.#parts.reader.names(sql) : { prepares: [] }
    for (const { name, sql: body } of prepares) {
      const texts = this.#conversation.prepared.get(name) ?? new Set<string>()
      this.#conversation.prepared.set(name, texts.add(body))
    }
    const facts = request.facts()
    if (facts.role_change === true || (Array.isArray(facts.sets) && facts.sets.length > 0)) this.#conversation.changed(sql)
  }

  /** Passes an answer on, unless it was cut, is replaced by ours, or was asked for by ourselves. */
  #answer(reply: Reply, bytes: Uint8Array): readonly Output[] {
    const { turn } = reply
    const ready = (): readonly Output[] => (reply.ready ? [own('client', reply.bytes.subarray(-READY_SIZE), 'reply')] : [])
    if (turn?.cut === true) return ready()
    if (turn !== undefined && turn.group === this.#cutGroup && !STANDALONE.has(turn.kind)) return []
    if (turn?.own === true && reply.apart) return []
    if (turn?.refusal !== undefined && reply.apart) {
      const refusal = turn.refusal
      turn.refusal = undefined
      return [own('client', errorResponse(reportRefusal(refusal)), 'refusal')]
    }
    return [{ to: 'client', bytes }]
  }

  #refuseRequest(request: Request, refusal: Refusal): readonly Output[] {
    const conversation = this.#conversation
    if (request.kind === 'copy-data' || request.kind === 'copy-end') return this.#refuseCopy(refusal)
    if (request.kind === 'query' || request.kind === 'function-call') {
      conversation.turns.push({
        kind: 'query',
        group: conversation.group,
        statement: conversation.nextStatement(),
        sql: '',
        refusal,
      })
      return [own('server', POISON_QUERY, 'refused')]
    }
    const group = conversation.group
    conversation.turns.push({ kind: 'parse', group, statement: 0, sql: '', refusal })
    conversation.refusedGroup = group
    const outputs = [own('server', POISON_PARSE, 'refused')]
    const sync = request.piece(FRONTEND.sync)
    const flush = request.piece(FRONTEND.flush)
    if (flush !== undefined) outputs.push(own('server', request.bytes.subarray(flush.from, flush.to), 'flush'))
    if (sync !== undefined) {
      conversation.turns.push({ kind: 'sync', group, statement: 0, sql: '' })
      conversation.nextGroup()
      outputs.push(own('server', request.bytes.subarray(sync.from, sync.to), 'sync'))
    }
    return outputs
  }

  /** The client learns of it from the error the server answers to CopyFail; what it sends until then is dropped. */
  #refuseCopy(refusal: Refusal): readonly Output[] {
    const conversation = this.#conversation
    if (conversation.copyRefused) return []
    conversation.copyRefused = true
    const { head } = conversation.turns
    if (head === undefined) return []
    head.refusal = refusal
    if (head.copyIn === true) conversation.turns.forgetSyncs()
    return [own('server', COPY_FAIL, 'refused')]
  }
}

function own(to: Side, bytes: Uint8Array, kind: string): Output {
  return { to, bytes, own: { kind, facts: {} } }
}

/** What the server would read differently than we do is refused: bytes behind a terminating NUL. */
function checkShape(request: Request): void {
  const { bytes } = request
  for (const piece of request.pieces) {
    const body = piece.from + HEADER_SIZE
    if (piece.type === FRONTEND.query && cstringEnd(bytes, body, piece.to) !== piece.to - 1) throw malformed('query text')
    if (piece.type === FRONTEND.parse) {
      const name = cstringEnd(bytes, body, piece.to)
      const sql = name === -1 ? -1 : cstringEnd(bytes, name + 1, piece.to)
      if (sql === -1 || sql + 3 > piece.to || sql + 3 + 4 * uint16(bytes, sql + 1) !== piece.to) throw malformed('Parse')
    }
    if (piece.type === FRONTEND.bind && bindNames(bytes, piece).at >= piece.to) throw malformed('Bind')
  }
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `${what} is not terminated where its message ends`)
}
