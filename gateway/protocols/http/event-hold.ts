import { Growing } from './growing.ts'

const LF = 0x0a
/** Of a line: as much tells whether it is data, with a byte order mark before it or without. */
const HEAD_BYTES = 8
const DATA = /^(?:\xef\xbb\xbf)?data[:\r\n]/
const BLANK = /^\r?\n/
/** A line that ends with CR alone, and another behind it. */
const DATA_WITHIN = Buffer.from('\rdata')
/** An event that is cut could hide what the cut goes through. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024

/** Whole lines and events, or, `tooLarge`, some of an event that was too large to wait for. */
interface Stretch {
  readonly bytes: Uint8Array
  readonly tooLarge: boolean
}

/** Keeps the data of an event of which more may come until it is over, as its reader does; lines that belong to none go as soon as they are whole. */
export class EventHold {
  readonly #held = new Growing()
  /** There has been data, and no blank line behind it. */
  #open = false
  #tooLarge = false
  /** Of the line that has not ended. */
  #head = ''

  /** Bytes kept back. */
  get held(): number {
    return this.#held.size
  }

  /** What is whole by now, of these bytes and those before: all there is, where they are the last. */
  take(bytes: Uint8Array, last: boolean): readonly Stretch[] {
    const { over, whole } = this.#scan(bytes)
    const stretches: Stretch[] = []
    let from = 0
    if (this.#tooLarge) {
      from = over ?? bytes.length
      stretches.push({ bytes: bytes.subarray(0, from), tooLarge: true })
      this.#tooLarge = over === undefined
    }
    const end = last ? bytes.length : Math.max(from, whole)
    if (end > from || last) {
      this.#held.push(bytes.subarray(from, end))
      stretches.push({ bytes: this.#held.take(), tooLarge: false })
    }
    this.#held.push(bytes.subarray(end))
    if (this.#held.size > MAX_EVENT_BYTES) {
      stretches.push({ bytes: this.#held.take(), tooLarge: true })
      this.#tooLarge = true
    }
    return stretches.filter((stretch) => stretch.bytes.length > 0)
  }

  /** `over`: where the blank line begins behind the event that was open before. `whole`: behind the last line that nothing has to be waited for. */
  #scan(bytes: Uint8Array): { readonly over: number | undefined; readonly whole: number } {
    const within = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(DATA_WITHIN)
    let over: number | undefined
    let whole = 0
    for (let at = 0; at < bytes.length; ) {
      const feed = bytes.indexOf(LF, at)
      const end = feed === -1 ? bytes.length : feed + 1
      const more = Math.min(end, at + HEAD_BYTES - this.#head.length)
      if (more > at) this.#head += Buffer.from(bytes.subarray(at, more)).toString('latin1')
      if (feed === -1) break
      if (BLANK.test(this.#head)) {
        over ??= at
        this.#open = false
      } else if (DATA.test(this.#head) || (within && Buffer.from(bytes.subarray(at, end)).includes(DATA_WITHIN)))
        this.#open = true
      if (!this.#open) whole = end
      this.#head = ''
      at = end
    }
    return { over, whole }
  }
}
