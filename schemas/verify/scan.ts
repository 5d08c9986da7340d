import { sameBytes, uint32At } from '../bytes.ts'
import {
  FOOTER_MAGIC,
  FOOTER_SIZE,
  MAX_RECORD_SIZE,
  MAX_SEGMENT_SIZE,
  RECORD_CHECK_SIZE,
  RECORD_HEAD_SIZE,
  RECORD_MARK,
  RECORD_TYPES,
  type RecordType,
  TAPE_MAGIC,
} from '../tape.ts'
import { newerMagic } from '../tape-statement.ts'
import type { ObjectSource, VerifyTools } from './tools.ts'

/** Read at once where the source does not say: some tens of chunks. */
const WINDOW_SIZE = 1 << 20
/** Places behind damage where a record seems to begin, before the rest is given up: hostile files can be made of nothing else. */
const MAX_TRIES = 256

export type Piece =
  /** `newer`: that of a later version of the format, which is then not read. */
  | { readonly kind: 'magic'; readonly ok: boolean; readonly newer: number | undefined }
  | {
      readonly kind: 'record'
      readonly type: RecordType
      readonly offset: number
      /** Head, payload and check. */
      readonly size: number
      readonly payload: Uint8Array
      readonly check: Uint8Array
      /** Whether the check fits; where it does not, the payload is not what was written. */
      readonly intact: boolean
    }
  | { readonly kind: 'footer'; readonly offset: number; readonly bytes: Uint8Array }
  /** Not a record: [offset, end). */
  | { readonly kind: 'damage'; readonly offset: number; readonly end: number }
  /** The file ends inside a record. */
  | { readonly kind: 'torn'; readonly offset: number; readonly end: number }

export type RecordPiece = Piece & { kind: 'record' }

/** A stored object, read through a window. Sees the size it has at the start; a tape may grow meanwhile. */
export class ObjectWindow {
  readonly tools: VerifyTools
  readonly #source: ObjectSource
  readonly #windowSize: number
  readonly #key: string
  readonly #signal: AbortSignal | undefined
  readonly size: number
  /** Where reading ends: MAX_SEGMENT_SIZE at most. */
  readonly end: number
  #from = 0
  #bytes: Uint8Array = new Uint8Array(0)

  private constructor(
    source: ObjectSource,
    tools: VerifyTools,
    key: string,
    size: number,
    signal: AbortSignal | undefined,
    windowSize: number,
  ) {
    this.#source = source
    this.#windowSize = Math.min(windowSize, source.windowSize ?? WINDOW_SIZE)
    this.tools = tools
    this.#key = key
    this.size = size
    this.end = Math.min(size, MAX_SEGMENT_SIZE)
    this.#signal = signal
  }

  /** `windowSize`: what is asked for at least; small where little is wanted. Rejects STORE_MISSING. */
  static async open(
    source: ObjectSource,
    tools: VerifyTools,
    key: string,
    signal?: AbortSignal,
    windowSize: number = WINDOW_SIZE,
  ): Promise<ObjectWindow> {
    return new ObjectWindow(source, tools, key, await source.size(key, signal), signal, windowSize)
  }

  /** Bytes [at, at + size), fewer where the object ends; a view that stays as it is. */
  async read(at: number, size: number): Promise<Uint8Array> {
    const end = Math.min(at + size, this.size)
    if (at < this.#from || end > this.#from + this.#bytes.length) {
      const to = Math.min(this.size, Math.max(end, at + this.#windowSize))
      this.#bytes = await this.#source.get(this.#key, { from: at, to }, this.#signal)
      this.#from = at
    }
    return this.#bytes.subarray(at - this.#from, Math.max(at, end) - this.#from)
  }
}

/**
 * What a segment is made of, in order, from `from` on (0: with the magic). Goes on behind damage where it finds a record again.
 * Stops at the object's `end`, without a word where that is not its size.
 */
export async function* scanSegment(object: ObjectWindow, from = 0): AsyncGenerator<Piece> {
  let at = from
  if (at === 0) {
    const magic = await object.read(0, TAPE_MAGIC.length)
    if (magic.length < TAPE_MAGIC.length) {
      yield { kind: 'torn', offset: 0, end: object.end }
      return
    }
    const newer = newerMagic(magic)
    yield { kind: 'magic', ok: sameBytes(magic, TAPE_MAGIC), newer }
    if (newer !== undefined) return
    at = TAPE_MAGIC.length
  }
  let tries = 0
  while (at < object.end) {
    const left = object.end - at
    const head = await object.read(at, Math.min(left, Math.max(RECORD_HEAD_SIZE, FOOTER_SIZE)))
    if (beginsLike(head, FOOTER_MAGIC)) {
      if (left < FOOTER_SIZE) yield { kind: 'torn', offset: at, end: object.end }
      else yield { kind: 'footer', offset: at, bytes: head.subarray(0, FOOTER_SIZE) }
      at += FOOTER_SIZE
      continue
    }
    if (left < RECORD_HEAD_SIZE && beginsLike(head, RECORD_MARK)) {
      yield { kind: 'torn', offset: at, end: object.end }
      return
    }
    const known = parseHead(head, object.tools)
    if (known !== undefined && known.size > left) {
      if (object.end < object.size) return
      yield { kind: 'torn', offset: at, end: object.end }
      return
    }
    if (known !== undefined) {
      yield await readRecord(object, at, known)
      at += known.size
      continue
    }
    let next = at + 1
    for (;;) {
      next = await findMark(object, next)
      if (next >= object.end || tries >= MAX_TRIES) {
        next = object.end
        break
      }
      tries += 1
      const candidate = parseHead(await object.read(next, RECORD_HEAD_SIZE), object.tools)
      if (candidate !== undefined && candidate.size <= object.end - next && (await readRecord(object, next, candidate)).intact)
        break
      next += 1
    }
    yield { kind: 'damage', offset: at, end: next }
    at = next
  }
}

/** The record that `bytes` are; undefined where they are none, or not one alone. */
export function recordOf(bytes: Uint8Array, offset: number, tools: VerifyTools): RecordPiece | undefined {
  const head = parseHead(bytes, tools)
  return head === undefined || head.size !== bytes.length ? undefined : asRecord(bytes, offset, head.type, tools)
}

/** The record at `at`, whose head has been read. */
async function readRecord(object: ObjectWindow, at: number, head: { type: RecordType; size: number }): Promise<RecordPiece> {
  return asRecord(await object.read(at, head.size), at, head.type, object.tools)
}

function asRecord(bytes: Uint8Array, offset: number, type: RecordType, tools: VerifyTools): RecordPiece {
  const checkAt = bytes.length - RECORD_CHECK_SIZE
  const check = bytes.subarray(checkAt)
  return {
    kind: 'record',
    type,
    offset,
    size: bytes.length,
    payload: bytes.subarray(RECORD_HEAD_SIZE, checkAt),
    check,
    intact: sameBytes(tools.sha256(bytes.subarray(0, checkAt)), check),
  }
}

/** One record known to begin at `at`; undefined where none does. */
export async function recordAt(object: ObjectWindow, at: number): Promise<RecordPiece | undefined> {
  const head = parseHead(await object.read(at, RECORD_HEAD_SIZE), object.tools)
  return head === undefined || head.size > object.size - at ? undefined : readRecord(object, at, head)
}

function parseHead(head: Uint8Array, tools: VerifyTools): { readonly type: RecordType; readonly size: number } | undefined {
  if (head.length < RECORD_HEAD_SIZE || !beginsLike(head, RECORD_MARK)) return undefined
  if (uint32At(head, 8) !== tools.crc32(head.subarray(0, 8))) return undefined
  const type = (['header', 'recovery', 'chunk', 'seal', 'index'] as const).find((name) => RECORD_TYPES[name] === head[3])
  const payload = uint32At(head, 4)
  return type === undefined || payload > MAX_RECORD_SIZE
    ? undefined
    : { type, size: RECORD_HEAD_SIZE + payload + RECORD_CHECK_SIZE }
}

/** Whether `bytes` begins with `mark`, as far as it goes. */
function beginsLike(bytes: Uint8Array, mark: Uint8Array): boolean {
  const size = Math.min(bytes.length, mark.length)
  return size > 0 && sameBytes(bytes.subarray(0, size), mark.subarray(0, size))
}

const FIRST_MARK = RECORD_MARK[0] ?? 0

async function findMark(object: ObjectWindow, from: number): Promise<number> {
  for (let at = from; at < object.end; ) {
    const bytes = await object.read(at, Math.min(WINDOW_SIZE, object.end - at))
    for (let found = bytes.indexOf(FIRST_MARK); found >= 0; found = bytes.indexOf(FIRST_MARK, found + 1)) {
      if (sameBytes(bytes.subarray(found, found + RECORD_MARK.length), RECORD_MARK)) return at + found
    }
    at += Math.max(1, bytes.length - RECORD_MARK.length + 1)
    if (bytes.length < WINDOW_SIZE) return object.end
  }
  return object.end
}
