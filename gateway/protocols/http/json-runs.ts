import { Growing } from './growing.ts'
import { JsonProgress } from './json-progress.ts'

const LF = 0x0a
const SPACE = 0x20
const BRACKET = 0x5b
const BRACE = 0x7b
const MARK = [0xef, 0xbb, 0xbf]
/** JSON of more is not waited for. */
const MAX_RUN_BYTES = 4 * 1024 * 1024

/** A piece of a text; `json`: with labelled keys. `lines`: there was JSON with labelled keys that broke off, so that lines are all that is left to go by. */
export interface Run {
  readonly is: 'text' | 'json' | 'lines'
  readonly bytes: Uint8Array
}

/**
 * Finds JSON in a text that comes in pieces, of whatever type: what begins with `{` or `[` at the beginning of a line, or behind other JSON, is kept
 * back until it is over or turns out to be none. What has no labelled key is text.
 */
export class JsonRuns {
  readonly #isLabelled: (key: Uint8Array) => boolean
  readonly #held = new Growing()
  #progress: JsonProgress | undefined
  #labelled = false
  #broken = false
  /** Nothing but blanks since the last line or JSON ended. */
  #fresh = true
  /** Of a byte order mark that everything may begin with. */
  #mark = 0

  constructor(isLabelled: (key: Uint8Array) => boolean) {
    this.#isLabelled = isLabelled
  }

  /** Bytes kept back. */
  get held(): number {
    return this.#held.size
  }

  take(bytes: Uint8Array, last: boolean): readonly Run[] {
    if (this.#broken) return [{ is: 'lines', bytes }]
    const runs: Run[] = []
    let from = 0
    for (let at = 0; at < bytes.length; at++) {
      if (this.#progress === undefined && !this.#fresh) {
        const feed = bytes.indexOf(LF, at)
        if (feed === -1) break
        this.#fresh = true
        at = feed
        continue
      }
      const byte = bytes[at] as number // at < length
      if (this.#progress === undefined) {
        if (!this.#begins(byte)) continue
        add(runs, 'text', bytes.subarray(from, at))
        from = at
      }
      const size = this.#held.size + at - from
      const progress = size < MAX_RUN_BYTES ? this.#progress?.read(byte) : 'none'
      if (progress === 'more') continue
      this.#progress = undefined
      this.#fresh = progress === 'done'
      if (progress !== 'done' && this.#labelled) return [...runs, this.#break(bytes.subarray(from))]
      const end = progress === 'done' ? at + 1 : at
      add(runs, this.#labelled ? 'json' : 'text', this.#all(bytes.subarray(from, end)))
      from = end
      // It may be the end of the line.
      if (progress !== 'done') at--
    }
    const rest = bytes.subarray(from)
    if (this.#progress === undefined) add(runs, 'text', rest)
    else if (!last) this.#held.push(rest)
    else if (this.#labelled) return [...runs, this.#break(rest)]
    else add(runs, 'text', this.#all(rest))
    if (last) this.#progress = undefined
    return runs
  }

  /** Whether JSON may begin with this byte. */
  #begins(byte: number): boolean {
    if (byte === BRACE || byte === BRACKET) {
      this.#labelled = false
      this.#progress = new JsonProgress((key) => {
        this.#labelled ||= this.#isLabelled(key)
      })
      return true
    }
    const isMark = this.#mark < MARK.length && byte === MARK[this.#mark]
    this.#mark = isMark ? this.#mark + 1 : MARK.length
    this.#fresh = isMark || byte <= SPACE
    return false
  }

  #all(rest: Uint8Array): Uint8Array {
    if (this.#held.size === 0) return rest
    this.#held.push(rest)
    return this.#held.take()
  }

  #break(rest: Uint8Array): Run {
    this.#broken = true
    return { is: 'lines', bytes: this.#all(rest) }
  }
}

function add(runs: Run[], is: Run['is'], bytes: Uint8Array): void {
  if (bytes.length > 0) runs.push({ is, bytes })
}
