import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Message, Redacted, Redactor } from '../../message.ts'
import { type CopyShape, redactCopy } from './copy.ts'
import { BACKEND, cstringEnd, HEADER_SIZE, int32, textAt, uint16 } from './messages.ts'
import { withoutPasswords } from './password-literals.ts'
import { MessageLength, Rewrite } from './rewrite.ts'
import { redactRows, skipRows } from './rows.ts'
import type { Turn } from './turns.ts'

/** A stretch of a reply that has something to redact; everything else in it is fixed words and numbers. */
export type Segment =
  | { readonly what: 'rows'; readonly from: number; to: number; readonly columns: readonly Field[]; count: number }
  | { readonly what: 'copy'; readonly from: number; to: number; readonly shape: CopyShape | undefined; count: number }
  | {
      readonly what: 'description' | 'value'
      readonly from: number
      readonly to: number
    }
  /** `values`: how values in it are treated, where they may be of labelled columns. */
  | {
      readonly what: 'complaint' | 'notification' | 'parameter'
      readonly from: number
      readonly to: number
      readonly values: Field | undefined
    }

const COLUMN_NAME: Field = { path: 'column.name', action: 'scan' }
const NOTIFICATION: Field = { path: 'notification.payload', action: 'scan' }
const PARAMETER: Field = { path: 'parameter.value', action: 'scan' }
const VALUE: Field = { path: 'function.result', action: 'scan' }

/** Error and notice fields made of fixed words: severity, SQLSTATE, positions, and where in the server's source. */
const FIXED_FIELDS = new Set([...'SVCPpFLR'].map((letter) => letter.charCodeAt(0)))

/** Transaction status of ReadyForQuery. */
const STATUS: Readonly<Record<number, string>> = { 73: 'I', 84: 'T', 69: 'E' }

export type ReplyEnd = 'open' | 'ready' | 'apart'

/**
 * What one read brought of the answer to one statement: descriptions, a run of rows, completion, readiness. One message,
 * so that a small query is two frames and a bulk result is hashed per read and not per row.
 */
export class Reply implements Message {
  readonly from = 'server'
  readonly kind = 'reply'
  readonly channel = 0
  readonly part = 'whole'
  readonly bytes: Uint8Array
  readonly units: number
  readonly turn: Turn | undefined
  /** One message that is to be swallowed or replaced, as its turn says. */
  readonly apart: boolean
  /** Its last message is ReadyForQuery: what is swallowed of a reply never includes that. */
  readonly ready: boolean
  readonly #source: Uint8Array
  readonly #from: number
  readonly #to: number
  readonly #segments: readonly Segment[]
  #facts: Facts | undefined
  #redacted: Redacted | undefined

  constructor(source: Uint8Array, from: number, to: number, segments: readonly Segment[], turn: Turn | undefined, end: ReplyEnd) {
    this.bytes = from === 0 && to === source.length ? source : source.subarray(from, to)
    this.turn = turn
    this.ready = end === 'ready'
    this.apart = end === 'apart'
    this.#source = source
    this.#from = from
    this.#to = to
    this.#segments = segments
    let units = 0
    for (const segment of segments) if (segment.what === 'rows' || segment.what === 'copy') units += segment.count
    this.units = units
  }

  get answersGateway(): boolean {
    return this.turn?.own === true
  }

  get statement(): number | undefined {
    return this.turn === undefined || this.turn.statement === 0 ? undefined : this.turn.statement
  }

  /** What it answers: where an answer is held in its middle, that is what an approver decides about. */
  command(): string {
    return this.turn === undefined ? '' : withoutPasswords(this.turn.sql)
  }

  facts(): Facts {
    this.#facts ??= this.#read()
    return this.#facts
  }

  #read(): Facts {
    const facts: Record<string, string | number> = {}
    if (this.turn !== undefined && this.turn.statement > 0) facts.statement = this.turn.statement
    if (this.units > 0) facts.rows = this.units
    for (let at = this.#from; at < this.#to; at += 1 + int32(this.#source, at + 1)) {
      const type = this.#source[at]
      if (type === BACKEND.dataRow || type === BACKEND.copyData) {
        const run = this.#segments.find((segment) => segment.from === at)
        if (run !== undefined) at = run.to
        if (at >= this.#to) break
      }
      const end = at + 1 + int32(this.#source, at + 1)
      if (this.#source[at] === BACKEND.commandComplete) facts.tag = textAt(this.#source, at + HEADER_SIZE, end - 1)
      if (this.#source[at] === BACKEND.readyForQuery) facts.status = STATUS[this.#source[at + HEADER_SIZE] ?? 0] ?? '?'
      if (this.#source[at] === BACKEND.error) facts.sqlstate = errorField(this.#source, at, end, 'C')
    }
    return facts
  }

  redacted(redactor: Redactor): Redacted {
    this.#redacted ??= this.#redact(redactor)
    return this.#redacted
  }

  #redact(redactor: Redactor): Redacted {
    if (this.#segments.length === 0) return { bytes: this.bytes, masks: null }
    const rewrite = new Rewrite(this.#source, this.#from, this.#to, redactor)
    for (const segment of this.#segments) redactSegment(rewrite, segment)
    return rewrite.finish(this.bytes)
  }

  split(units: number): readonly [Reply | undefined, Reply | undefined] {
    const head: Segment[] = []
    const tail: Segment[] = []
    let left = units
    let cut = this.#from
    for (const segment of this.#segments) {
      if (segment.what !== 'rows' && segment.what !== 'copy') {
        const before = left > 0 || segment.what === 'description'
        if (before && tail.length === 0) {
          head.push(segment)
          cut = segment.to
        } else {
          tail.push(segment)
        }
      } else if (segment.count <= left && tail.length === 0) {
        head.push(segment)
        left -= segment.count
        cut = segment.to
      } else if (tail.length > 0) {
        tail.push(segment)
      } else {
        const at = skipRows(this.#source, segment.from, left)
        if (left > 0) head.push({ ...segment, to: at, count: left })
        tail.push({ ...segment, from: at, count: segment.count - left })
        cut = at
        left = 0
      }
    }
    if (cut <= this.#from) return [undefined, this]
    if (tail.length === 0) return [this, undefined]
    return [
      new Reply(this.#source, this.#from, cut, head, this.turn, 'open'),
      new Reply(this.#source, cut, this.#to, tail, this.turn, this.ready ? 'ready' : 'open'),
    ]
  }
}

/** Error and notice fields whose whole text may be values of rows: detail, hint, context, and the text of an inner query. */
const VALUE_FIELDS = new Set([...'DHWq'].map((letter) => letter.charCodeAt(0)))
const MESSAGE_FIELD = 0x4d
/** What servers of various languages open a quotation with, in UTF-8: `"`, and the lead bytes of `«` and `„ “ ”`. */
const QUOTES: ReadonlySet<number> = new Set([0x22, 0xc2, 0xe2])

/** Every field of an error or notice; with `values`, what it quotes of rows is covered, as its texts cannot be told from them. */
function redactComplaint(rewrite: Rewrite, from: number, to: number, values: Field | undefined): void {
  const { source } = rewrite
  const covered = values === undefined || quotesStatement(source, from, to) ? undefined : values
  const sqlState = errorField(source, from, to, 'C')
  const length = new MessageLength(from + 1, int32(source, from + 1))
  for (let at = from + HEADER_SIZE; at < to && source[at] !== 0; ) {
    const end = cstringEnd(source, at + 1, to)
    if (end === -1) break
    const code = source[at] ?? 0
    if (!FIXED_FIELDS.has(code)) {
      const scanned: Field = { path: `error.${String.fromCharCode(code)}`, action: 'scan' }
      let values = end
      if (covered !== undefined && VALUE_FIELDS.has(code)) values = at + 1
      if (covered !== undefined && code === MESSAGE_FIELD) values = firstValue(source, at + 1, end, sqlState)
      if (values > at + 1) rewrite.field(at + 1, values, scanned, length)
      if (values < end && covered !== undefined) rewrite.field(values, end, covered, length)
    }
    at = end + 1
  }
  length.settle()
}

/** Found while the statement was read, before any row was: class 42 with a position in the client's own text quotes only that. */
function quotesStatement(source: Uint8Array, from: number, to: number): boolean {
  return errorField(source, from, to, 'C').startsWith('42') && errorField(source, from, to, 'P') !== ''
}

/** Where values may begin in a message: at its first quotation; what a function raised (class P0) may be one from the start. */
function firstValue(source: Uint8Array, from: number, to: number, sqlState: string): number {
  if (sqlState.startsWith('P0') || sqlState === '00000') return from
  let at = from
  while (at < to && !QUOTES.has(source[at] ?? 0)) at++
  return at
}

function redactSegment(rewrite: Rewrite, segment: Segment): void {
  const { source } = rewrite
  switch (segment.what) {
    case 'rows':
      redactRows(rewrite, segment.from, segment.to, segment.columns)
      return
    case 'copy':
      redactCopy(rewrite, segment.from, segment.to, segment.shape)
      return
    case 'description':
      withLength(rewrite, segment, (length) => {
        const count = uint16(source, segment.from + HEADER_SIZE)
        let at = segment.from + HEADER_SIZE + 2
        for (let index = 0; index < count; index++) {
          const end = cstringEnd(source, at, segment.to)
          if (end === -1) return
          rewrite.field(at, end, COLUMN_NAME, length)
          at = end + 19
        }
      })
      return
    case 'complaint':
      redactComplaint(rewrite, segment.from, segment.to, segment.values)
      return
    case 'notification':
      withLength(rewrite, segment, (length) => {
        const channelEnd = cstringEnd(source, segment.from + HEADER_SIZE + 4, segment.to)
        if (channelEnd !== -1) rewrite.field(channelEnd + 1, segment.to - 1, segment.values ?? NOTIFICATION, length)
      })
      return
    case 'parameter':
      withLength(rewrite, segment, (length) => {
        const nameEnd = cstringEnd(source, segment.from + HEADER_SIZE, segment.to)
        if (nameEnd !== -1) rewrite.field(nameEnd + 1, segment.to - 1, segment.values ?? PARAMETER, length)
      })
      return
    case 'value':
      withLength(rewrite, segment, (length) => {
        const at = segment.from + HEADER_SIZE
        if (segment.to - at <= 4 || rewrite.redactor.clean(source, at + 4, segment.to, VALUE)) return
        const sink = rewrite.upTo(at)
        length.found(sink, at)
        const lengthAt = sink.size
        sink.int32(0)
        const written = rewrite.redactor.write(sink, source, at + 4, segment.to, VALUE)
        sink.setInt32(lengthAt, written)
        rewrite.replaced(segment.to)
        length.change(written - (segment.to - at - 4))
      })
      return
    default:
      segment satisfies never
  }
}

function withLength(rewrite: Rewrite, segment: { readonly from: number }, walk: (length: MessageLength) => void): void {
  const length = new MessageLength(segment.from + 1, int32(rewrite.source, segment.from + 1))
  walk(length)
  length.settle()
}

/** One field of an ErrorResponse or NoticeResponse, by its letter; the empty string where absent. */
export function errorField(bytes: Uint8Array, from: number, to: number, letter: string): string {
  for (let at = from + HEADER_SIZE; at < to && bytes[at] !== 0; ) {
    const end = cstringEnd(bytes, at + 1, to)
    if (end === -1) return ''
    if (bytes[at] === letter.charCodeAt(0)) return textAt(bytes, at + 1, end)
    at = end + 1
  }
  return ''
}
