import type { Facts } from '../../../schemas/frame.ts'
import type { Conversation } from './conversation.ts'
import { cstring, cstringEnd, FRONTEND, HEADER_SIZE, text } from './messages.ts'
import { passwordLiterals } from './password-literals.ts'
import { bindNames, bindResultFormats, bindValues, type Request, type RequestContext } from './request.ts'
import type { Piece } from './splitter.ts'
import type { Portal, Statement } from './statement.ts'

/** PostgreSQL locks what an open transaction touched: nobody should wait for a person behind those locks. */
const MAX_HOLD_IN_TRANSACTION_MS = 10_000
/** Longest parameter value shown to an approver as text, in characters; what is left out is counted. */
const MAX_SHOWN_CHARS = 2_000

/** What policy and names-as-SQL need of the SQL parser. */
export interface SqlReader {
  facts(sql: string): Facts
  /** The facts that stand on the tape with every statement: verbs, relations, fingerprint. */
  brief(sql: string): Facts
  /** SQL-level PREPARE and EXECUTE in the text: names prepared with their texts, names executed. */
  names(sql: string): {
    readonly prepares: readonly { readonly name: string; readonly sql: string }[]
    readonly executes: readonly string[]
  }
}

/** Resolves what a request means at the moment it is judged. */
export class ConversationContext implements RequestContext {
  readonly #conversation: Conversation
  readonly #reader: SqlReader
  /** Role and database of the upstream login: an approval for one is not one for the other. */
  readonly #place: readonly Uint8Array[]

  constructor(conversation: Conversation, reader: SqlReader, place: readonly string[]) {
    this.#conversation = conversation
    this.#reader = reader
    this.#place = place.map((part) => Buffer.from(part))
  }

  facts(request: Request): Facts {
    if (request.kind === 'copy-data') return { rows: request.units }
    const sql = this.sql(request)
    if (sql === undefined) return {}
    const facts = sql === null ? UNKNOWN : this.#reader.facts(sql)
    return { ...facts, in_transaction: this.#conversation.inTransaction }
  }

  recorded(request: Request): Facts {
    if (request.kind === 'copy-data') return { rows: request.units }
    const sql = this.sql(request)
    if (sql === undefined) return {}
    return sql === null ? UNKNOWN : this.#reader.brief(sql)
  }

  /** The text this request asks to run or prepare; null: a name nobody defined here; undefined: nothing of the kind. */
  sql(request: Request): string | null | undefined {
    const { bytes } = request
    switch (request.kind) {
      case 'query': {
        const sql = text.decode(bytes.subarray(HEADER_SIZE, bytes.length - 1))
        return this.#withExecuted(sql)
      }
      case 'parse':
        return parseOf(request)?.sql
      case 'execute': {
        const portals = this.portals(request)
        if (portals.length === 0 || portals.some((portal) => portal.statements.length === 0)) return null
        const texts = new Set(portals.flatMap((portal) => portal.statements.map((statement) => statement.sql)))
        return this.#withExecuted([...texts].join(';\n'))
      }
      case 'function-call':
        return null
      default:
        return undefined
    }
  }

  /** Everything the portal this request executes may stand for. */
  portals(request: Request): readonly Portal[] {
    const execute = request.piece(FRONTEND.execute)
    if (execute === undefined) return []
    const bound = this.bound(request)
    if (bound !== undefined) return [bound]
    return this.#conversation.portals.candidates(
      cstring(request.bytes, execute.from + HEADER_SIZE, execute.to),
      this.#conversation.group,
    )
  }

  /** What this request itself binds. Made once, so that registry and turn share it. */
  bound(request: Request): Portal | undefined {
    const bind = request.piece(FRONTEND.bind)
    if (bind === undefined) return undefined
    const portal = portals.get(request) ?? bindPortal(request, bind, this.#statements(request))
    portals.set(request, portal)
    return portal
  }

  /** Whether the server is skipping to the next Sync because a request of this group was refused. */
  skipping(): boolean {
    return this.#conversation.refusedGroup === this.#conversation.group
  }

  /** Everything the statement this request binds may stand for. */
  #statements(request: Request): readonly Statement[] {
    const bind = request.piece(FRONTEND.bind)
    if (bind === undefined) return []
    const { statement } = bindNames(request.bytes, bind)
    const parse = parseOf(request)
    if (parse !== undefined && parse.name === statement) return [parse.statement]
    return this.#conversation.statements.candidates(statement, this.#conversation.group)
  }

  command(request: Request): string {
    const sql = this.sql(request) ?? ''
    const shown = this.portals(request).at(-1)?.shown ?? []
    const parameters = shown.map((value, index) => `\n-- $${index + 1} = ${value}`).join('')
    return withoutPasswords(sql) + parameters
  }

  binding(request: Request): readonly Uint8Array[] {
    const parameters = this.portals(request).map((portal) => portal.parameters)
    const place = [...this.#place, Buffer.from(this.#conversation.settings)]
    if (request.kind === 'query' || request.kind === 'function-call') return [...place, request.bytes]
    return [...place, Buffer.from(this.sql(request) ?? ''), ...parameters]
  }

  holdLimitMs(): number | undefined {
    return this.#conversation.inTransaction ? MAX_HOLD_IN_TRANSACTION_MS : undefined
  }

  /** SQL-level EXECUTE runs a text given before: it is judged together with whatever that name may stand for. */
  #withExecuted(sql: string): string {
    if (!/execute/i.test(sql)) return sql
    const texts: string[] = []
    for (const name of this.#reader.names(sql).executes) {
      texts.push(...this.#conversation.statements.candidates(name, this.#conversation.group).map((statement) => statement.sql))
      texts.push(...(this.#conversation.prepared.get(name) ?? []))
    }
    return [sql, ...texts].join(';\n')
  }
}

/** Facts of something that cannot be known: policy's `unparsable` decides. */
const UNKNOWN: Facts = { parse_ok: false, unknown_statement: true }

/** Request -> what its Parse defines, made once so that registry and turn share one Statement. */
const parses = new WeakMap<Request, { readonly name: string; readonly sql: string; readonly statement: Statement }>()

export function parseOf(
  request: Request,
): { readonly name: string; readonly sql: string; readonly statement: Statement } | undefined {
  const known = parses.get(request)
  if (known !== undefined) return known
  const piece = request.piece(FRONTEND.parse)
  if (piece === undefined) return undefined
  const { bytes } = request
  const name = cstring(bytes, piece.from + HEADER_SIZE, piece.to)
  const sql = cstring(bytes, cstringEnd(bytes, piece.from + HEADER_SIZE, piece.to) + 1, piece.to)
  const parse = { name, sql, statement: { sql } }
  parses.set(request, parse)
  return parse
}

const portals = new WeakMap<Request, Portal>()

function bindPortal(request: Request, bind: Piece, statements: readonly Statement[]): Portal {
  const { bytes } = request
  const values = bindValues(bytes, bind)
  const shown = values.map(({ from, to, binary, isNull }) => {
    if (isNull) return 'NULL'
    const value = binary
      ? `\\x${Buffer.from(bytes.subarray(from, to)).toString('hex')}`
      : `'${text.decode(bytes.subarray(from, to))}'`
    const left = value.length - MAX_SHOWN_CHARS
    return left > 0 ? `${value.slice(0, MAX_SHOWN_CHARS)}... (${left} more characters, bound exactly)` : value
  })
  // Copied: the read they came in must not live as long as the portal.
  const parameters = Buffer.from(bytes.subarray(bindNames(bytes, bind).at, bind.to))
  const resultFormats = bindResultFormats(bytes, bind)
  return { statements, resultFormats, parameters, shown }
}

function withoutPasswords(sql: string): string {
  const bytes = Buffer.from(sql)
  let shown = ''
  let at = 0
  for (const { from, to } of passwordLiterals(bytes, 0, bytes.length)) {
    shown += `${bytes.toString('utf8', at, from)}[MASKED:password]`
    at = to
  }
  return shown + bytes.toString('utf8', at)
}
