import { joinBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { END_LINE, type LedgerLine, ledgerKeys, MAX_LINE_SIZE } from './ledger-line.ts'
import type { ObjectSource } from './tools.ts'

const NEWLINE = 0x0a
/** Read at once. */
const WINDOW_SIZE = 1 << 20
const END = new TextEncoder().encode(END_LINE)
const NOTHING = new Uint8Array(0)

/**
 * The sequence of a ledger as lines, read on from where it was left. A line is what stands before a newline; empty ones and those
 * beyond MAX_LINE_SIZE do not count, and what stands behind the last newline does not count yet. Everybody who reads the same bytes
 * comes to the same lines, whatever is in them.
 */
export class Sequence {
  /** The object being read, how many of its bytes have been, and its lines. */
  object = 0
  offset = 0
  lines = 0
  /** Lines of all objects. */
  count = 0
  #tail: Uint8Array = NOTHING
  #tailParts: Uint8Array[] = []
  #tailSize = 0

  /** What stands behind the last newline, as far as it may still become a line. */
  get tail(): Uint8Array {
    if (this.#tailParts.length > 0) {
      this.#tail = joinBytes(this.#tail, ...this.#tailParts)
      this.#tailParts = []
    }
    return this.#tail
  }

  /** Whether the last byte read is something else than a newline: whoever appends begins with one. */
  get torn(): boolean {
    return this.#tailSize > 0
  }

  /** Everything new, of each object at most `most` bytes. Ends where the sequence ends at the time; to be called again. */
  async *read(source: ObjectSource, signal?: AbortSignal, most = Number.MAX_SAFE_INTEGER): AsyncGenerator<LedgerLine> {
    for (;;) {
      const bytes = await window(source, this.object, this.offset, Math.min(this.offset + WINDOW_SIZE, most), signal)
      if (bytes.length === 0) return
      yield* this.feed(bytes)
    }
  }

  /** The lines that end in these bytes, which follow what has been read so far. */
  *feed(bytes: Uint8Array): Generator<LedgerLine> {
    let at = 0
    for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, at)) {
      const size = this.#tailSize + newline - at
      const begin = this.offset + at - this.#tailSize
      const line =
        size > MAX_LINE_SIZE
          ? NOTHING
          : this.#tailSize === 0
            ? bytes.subarray(at, newline)
            : joinBytes(this.tail, bytes.subarray(at, newline))
      this.#clear()
      at = newline + 1
      if (line.length === 0) continue
      if (isEnd(line)) {
        this.object += 1
        this.offset = 0
        this.lines = 0
        return
      }
      this.lines += 1
      this.count += 1
      yield { bytes: line, object: this.object, offset: begin }
    }
    this.offset += bytes.length
    const rest = bytes.subarray(at)
    if (rest.length === 0) return
    this.#tailSize += rest.length
    // Longer than a line may be: only its length matters any more.
    if (this.#tailSize > MAX_LINE_SIZE) {
      this.#tail = NOTHING
      this.#tailParts = []
    } else this.#tailParts.push(rest.slice())
  }

  #clear(): void {
    this.#tail = NOTHING
    this.#tailParts = []
    this.#tailSize = 0
  }
}

function isEnd(line: Uint8Array): boolean {
  return line.length === END.length && END.every((byte, index) => byte === line[index])
}

async function window(
  source: ObjectSource,
  object: number,
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (from >= to) return NOTHING
  try {
    return await source.get(ledgerKeys.sequence(object), { from, to }, signal)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return NOTHING
    throw error
  }
}
