import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Message, Redacted, Redactor } from '../../message.ts'
import { redactText } from './hex-runs.ts'
import { cstringEnd, FRONTEND, HEADER_SIZE, int32, nameAt, uint16 } from './messages.ts'
import { passwordLiterals } from './password-literals.ts'
import { MessageLength, Rewrite } from './rewrite.ts'
import type { Piece } from './splitter.ts'
import type { Portal, Statement } from './statement.ts'

const SQL: Field = { path: 'sql', action: 'scan' }
const PASSWORD: Field = { path: 'sql.password', action: 'mask', label: 'sql.password', entity: 'password' }
const PARAMETER: Field = { path: 'parameter', action: 'scan' }
/** A binary value written out as text: what its digits stand for is looked at. */
const HEX_PARAMETER: Field = { path: 'parameter', action: 'scan', encoding: 'bytea' }
/** A value in binary format inside which nothing may change length: it is recorded as NULL when something is found. */
const BINARY_PARAMETER: Field = { path: 'parameter', action: 'scan', nullOnly: true }
const COPY_LINE: Field = { path: 'copy', action: 'scan' }
const FAIL_REASON: Field = { path: 'copy.fail', action: 'scan' }

export type RequestKind = 'query' | 'parse' | 'execute' | 'extended' | 'function-call' | 'copy-data' | 'copy-end' | 'terminate'

export interface Parse {
  readonly name: string
  readonly sql: string
  readonly statement: Statement
}

/** The text a request asks to run or prepare (null: something of it is not known; undefined: nothing of the kind), and what it executes. */
export interface Meaning {
  readonly text: string | null | undefined
  readonly sql: string | null | undefined
  readonly portals: readonly Portal[]
}

/** SQLSTATE and words of the server's own error. */
export interface Malformed {
  readonly sqlState: string
  readonly message: string
}

/** What is judged of a request: its facts but for two numbers, and these. */
export interface Judged {
  readonly common: Facts
  readonly statement: number | undefined
  readonly portal: number | undefined
}

/** What the wire knows of a request when it is judged: after everything before it was released. */
export interface RequestContext {
  judged(request: Request): Judged
  pending(request: Request): Promise<void> | undefined
  recorded(request: Request): Facts
  command(request: Request): string
  binding(request: Request): readonly Uint8Array[]
  holdLimitMs(): number | undefined
  skipping(): boolean
}

/**
 * One decision's worth of client messages: a simple Query, or a stretch of the extended protocol with at most one Parse,
 * one Bind and one Execute, up to and including the Sync behind it, or a run of COPY data.
 */
export class Request implements Message {
  readonly from = 'client'
  readonly channel = 0
  readonly part = 'whole'
  readonly bytes: Uint8Array
  readonly units: number
  /** The messages inside, offsets into `bytes`. */
  readonly pieces: readonly Piece[]
  readonly #kind: RequestKind
  readonly #context: RequestContext
  /** What of it the server would refuse to read, and how it would say so. Then nothing else of it counts. */
  malformed: Malformed | undefined
  /** Everything this request means, resolved when it is judged: what was judged is what is released. */
  meaning: Meaning | undefined
  /** What its Parse defines and its Bind binds, made once so that registry and turn share them. */
  parse: Parse | undefined
  portal: Portal | undefined
  #bindNames: BindNames | undefined
  #judged: Judged | undefined
  #facts: Facts | undefined
  #redacted: Redacted | undefined

  constructor(kind: RequestKind, bytes: Uint8Array, pieces: readonly Piece[], context: RequestContext) {
    this.#kind = kind
    this.bytes = bytes
    this.pieces = pieces
    this.units = kind === 'copy-data' ? pieces.length : 0
    this.#context = context
  }

  /** Behind a refused request the server skips to the Sync: nothing of the extended protocol can execute until then. */
  get kind(): RequestKind {
    const executes =
      this.#kind === 'execute' || this.#kind === 'parse' || (this.malformed !== undefined && this.#kind === 'extended')
    if (executes && this.#context.skipping()) return 'extended'
    return executes && this.malformed !== undefined ? 'execute' : this.#kind
  }

  piece(type: number): Piece | undefined {
    for (const piece of this.pieces) if (piece.type === type) return piece
    return undefined
  }

  /** The names of its one Bind. */
  bindNames(bind: Piece): BindNames {
    this.#bindNames ??= bindNames(this.bytes, bind)
    return this.#bindNames
  }

  pending(): Promise<void> | undefined {
    return this.#kind === 'copy-data' ? undefined : this.#context.pending(this)
  }

  facts(): Facts {
    this.#facts ??= factsOf(this.#judge())
    return this.#facts
  }

  common(): Facts {
    return this.#judge().common
  }

  get statement(): number | undefined {
    return this.#judge().statement
  }

  get portalInParts(): number | undefined {
    return this.#judge().portal
  }

  #judge(): Judged {
    this.#judged ??= this.#context.judged(this)
    return this.#judged
  }

  recorded(): Facts {
    return this.#context.recorded(this)
  }

  command(): string {
    return this.#context.command(this)
  }

  binding(): readonly Uint8Array[] {
    return this.#context.binding(this)
  }

  get holdLimitMs(): number {
    return this.#context.holdLimitMs() ?? Number.POSITIVE_INFINITY
  }

  redacted(redactor: Redactor): Redacted {
    if (this.#redacted === undefined) {
      const rewrite = new Rewrite(this.bytes, 0, this.bytes.length, redactor)
      for (const piece of this.pieces) redactPiece(rewrite, piece)
      this.#redacted = rewrite.finish(this.bytes)
    }
    return this.#redacted
  }
}

function factsOf({ common, statement, portal }: Judged): Facts {
  if (statement === undefined) return common
  return portal === undefined ? { ...common, statement } : { ...common, statement, portal }
}

function redactPiece(rewrite: Rewrite, piece: Piece): void {
  const { source } = rewrite
  const length = new MessageLength(piece.from + 1, int32(source, piece.from + 1))
  const body = piece.from + HEADER_SIZE
  if (piece.type === FRONTEND.query) redactSql(rewrite, body, Math.max(body, piece.to - 1), length)
  if (piece.type === FRONTEND.parse) {
    const sql = cstringEnd(source, body, piece.to) + 1
    const end = cstringEnd(source, sql, piece.to)
    if (sql > 0 && end !== -1) redactSql(rewrite, sql, end, length)
  }
  if (piece.type === FRONTEND.bind) {
    for (const { from, to, binary } of bindValues(source, piece)) redactValue(rewrite, from, to, binary, length)
  }
  if (piece.type === FRONTEND.copyData) redactText(rewrite, body, piece.to, COPY_LINE, length)
  if (piece.type === FRONTEND.copyFail) rewrite.field(body, piece.to - 1, FAIL_REASON, length)
  if (piece.type === FRONTEND.functionCall) {
    for (const { from, to, binary } of formattedValues(source, body + 4, piece.to).values)
      redactValue(rewrite, from, to, binary, length)
  }
  length.settle()
}

function redactSql(rewrite: Rewrite, from: number, to: number, length: MessageLength): void {
  let at = from
  for (const literal of passwordLiterals(rewrite.source, from, to)) {
    redactText(rewrite, at, literal.from, SQL, length)
    rewrite.field(literal.from, literal.to, PASSWORD, length)
    at = literal.to
  }
  redactText(rewrite, at, to, SQL, length)
}

function redactValue(rewrite: Rewrite, from: number, to: number, binary: boolean, length: MessageLength): void {
  const { source, redactor } = rewrite
  if (from >= to) return
  const hex = !binary && source[from] === 0x5c && !redactor.clean(source, from, to, HEX_PARAMETER)
  const field = binary ? BINARY_PARAMETER : hex ? HEX_PARAMETER : PARAMETER
  if (redactor.clean(source, from, to, field)) return
  const sink = rewrite.upTo(from - 4)
  length.found(sink, from - 4)
  const lengthAt = sink.size
  sink.int32(0)
  const written = redactor.write(sink, source, from, to, field)
  sink.setInt32(lengthAt, written)
  if (written === -1) sink.noteNull(lengthAt, field)
  rewrite.replaced(to)
  length.change(Math.max(written, 0) - (to - from))
}

interface Value {
  readonly from: number
  readonly to: number
  readonly binary: boolean
  readonly isNull: boolean
}

/** The two names in front of a Bind, and where its formats begin. */
export interface BindNames {
  readonly portal: string
  readonly statement: string
  readonly at: number
}

export function bindNames(bytes: Uint8Array, piece: Piece): BindNames {
  const from = piece.from + HEADER_SIZE
  const portalEnd = cstringEnd(bytes, from, piece.to)
  if (portalEnd === -1) return { portal: '', statement: '', at: piece.to }
  const statementEnd = cstringEnd(bytes, portalEnd + 1, piece.to)
  return {
    portal: nameAt(bytes, from, piece.to),
    statement: nameAt(bytes, portalEnd + 1, piece.to),
    at: statementEnd === -1 ? piece.to : statementEnd + 1,
  }
}

export function bindValues(bytes: Uint8Array, piece: Piece): readonly Value[] {
  return formattedValues(bytes, bindNames(bytes, piece).at, piece.to).values
}

/** Result column formats at the end of a Bind, behind its values. */
export function bindResultFormats(bytes: Uint8Array, piece: Piece, names = bindNames(bytes, piece)): readonly number[] {
  const { to } = piece
  let at = names.at + 2 + 2 * uint16(bytes, names.at)
  const values = at + 2 <= to ? uint16(bytes, at) : 0
  at += 2
  for (let index = 0; index < values && at + 4 <= to; index++) {
    const end = at + 4 + Math.max(int32(bytes, at), 0)
    if (end > to) break
    at = end
  }
  const count = Math.min(uint16(bytes, at), (to - at - 2) >> 1)
  const formats: number[] = []
  for (let index = 0; index < count; index++) formats.push(uint16(bytes, at + 2 + 2 * index))
  return formats
}

/** `int16 n, n formats, int16 m, m values (int32 length or -1, bytes)`: the shape Bind and FunctionCall share. Stops where it does not fit. */
export function formattedValues(
  bytes: Uint8Array,
  from: number,
  to: number,
): { readonly values: readonly Value[]; readonly at: number } {
  const formatCount = uint16(bytes, from)
  const formats = from + 2
  let at = formats + 2 * formatCount
  const count = at + 2 <= to ? uint16(bytes, at) : 0
  at += 2
  const values: Value[] = []
  for (let index = 0; index < count && at + 4 <= to; index++) {
    const size = int32(bytes, at)
    const start = at + 4
    if (start + Math.max(size, 0) > to) break
    const format = formatCount === 0 ? 0 : uint16(bytes, formats + 2 * (formatCount === 1 ? 0 : index))
    values.push({ from: start, to: start + Math.max(size, 0), binary: format === 1, isNull: size < 0 })
    at = start + Math.max(size, 0)
  }
  return { values, at }
}
