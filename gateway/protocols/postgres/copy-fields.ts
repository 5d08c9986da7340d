/** How the lines of a COPY in text or CSV format are written: the options of the manual's COPY, one byte each. */
export interface CopyLines {
  readonly format: 'text' | 'csv'
  readonly delimiter: number
  /** Of CSV alone, like `escapeByte`. */
  readonly quote: number
  readonly escapeByte: number
  /** What stands for NULL, UTF-8. */
  readonly nullText: Uint8Array
}

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const DOUBLE_QUOTE = 0x22
const BACKSLASH = 0x5c
/** Bytes that end a word for every detector, as the end of a field does: tab, comma, semicolon, bar. */
const ENDS_WORDS: ReadonlySet<number> = new Set([TAB, 0x2c, 0x3b, 0x7c])
/** What the server writes with a letter in text format, and reads so. */
const LETTERS: ReadonlyMap<number, number> = new Map(
  [...'bfnrtv'].map((letter, index) => [letter.charCodeAt(0), [0x08, 0x0c, 0x0a, 0x0d, 0x09, 0x0b][index] ?? 0]),
)
const CONTROLS: ReadonlyMap<number, number> = new Map([...LETTERS].map(([letter, control]) => [control, letter]))

/** Whether a line without escapes and quotes can be looked at as one text: nothing the client chose can be taken for a part of a value. */
export function isCommon({ format, delimiter, quote, escapeByte, nullText }: CopyLines): boolean {
  if (!ENDS_WORDS.has(delimiter)) return false
  const usual = format === 'text' ? '\\N' : ''
  return quote === DOUBLE_QUOTE && escapeByte === DOUBLE_QUOTE && Buffer.from(nullText).toString('latin1') === usual
}

/** The byte without which every field of a line stands as it is. */
export function codingByte({ format, quote }: CopyLines): number {
  return format === 'text' ? BACKSLASH : quote
}

/** Where the text of a line ends. */
export function lineEnd(source: Uint8Array, from: number, to: number): number {
  let end = to
  if (end > from && source[end - 1] === NEWLINE) end--
  if (end > from && source[end - 1] === RETURN) end--
  return end
}

/** The fields of one line, cut as the server cuts them (CopyReadAttributesText, CopyReadAttributesCSV). Used again for the next. */
export class CopyFields {
  /** -1 where the line ends inside quotes. */
  count = 0
  /** Some field has to be decoded. */
  coded = false
  readonly #lines: CopyLines
  #source: Uint8Array = new Uint8Array()
  readonly #from: number[] = []
  readonly #to: number[] = []
  /** 0: as it stands; 1: in quotes; 2: has to be decoded; 3: NULL. */
  readonly #kind: number[] = []

  constructor(lines: CopyLines) {
    this.#lines = lines
  }

  /** Linear. The line is source[from, to), with or without its end. */
  read(source: Uint8Array, from: number, to: number): void {
    this.count = 0
    this.coded = false
    this.#source = source
    const end = lineEnd(source, from, to)
    if (this.#lines.format === 'text') this.#readText(from, end)
    else this.#readCsv(from, end)
  }

  #readText(from: number, end: number): void {
    const source = this.#source
    const { delimiter } = this.#lines
    let start = from
    let kind = 0
    for (let at = from; at < end; at++) {
      const byte = source[at]
      // The server looks for its delimiter first; one that is a backslash it does not allow.
      if (byte === delimiter) {
        this.#add(start, at, kind)
        start = at + 1
        kind = 0
      } else if (byte === BACKSLASH) {
        kind = 2
        at++
      }
    }
    this.#add(start, end, kind)
  }

  #readCsv(from: number, end: number): void {
    const source = this.#source
    const { delimiter, quote, escapeByte } = this.#lines
    let start = from
    let quoted = false
    let quotes = 0
    let escapes = 0
    for (let at = from; at < end; at++) {
      const byte = source[at]
      if (quoted && byte === escapeByte && at + 1 < end && (source[at + 1] === escapeByte || source[at + 1] === quote)) {
        escapes++
        at++
      } else if (byte === quote) {
        quoted = !quoted
        quotes++
      } else if (byte === delimiter && !quoted) {
        this.#add(start, at, kindOf(start, at))
        start = at + 1
        quotes = 0
        escapes = 0
      }
    }
    this.#add(start, end, kindOf(start, end))
    if (quoted) this.count = -1

    function kindOf(first: number, last: number): number {
      if (quotes === 0) return 0
      const around = quotes === 2 && source[first] === quote && source[last - 1] === quote
      return around && escapes === 0 ? 1 : 2
    }
  }

  #add(from: number, to: number, kind: number): void {
    const isNull = kind !== 1 && this.#isNull(from, to, kind)
    if (kind === 2 && !isNull) this.coded = true
    this.#from[this.count] = from
    this.#to[this.count] = to
    this.#kind[this.count] = isNull ? 3 : kind
    this.count++
  }

  /** In CSV a value that looks like NULL is quoted. In text format it is not, unless it has a backslash: what may be a value is none. */
  #isNull(from: number, to: number, kind: number): boolean {
    const { format, nullText } = this.#lines
    if (to - from !== nullText.length || (format === 'csv' ? kind !== 0 : to > from && !isEscapeOfNothing(nullText))) return false
    for (let index = 0; index < nullText.length; index++) if (this.#source[from + index] !== nullText[index]) return false
    return true
  }

  isNull(index: number): boolean {
    return this.#kind[index] === 3
  }

  isQuoted(index: number): boolean {
    return this.#kind[index] === 1
  }

  isCoded(index: number): boolean {
    return this.#kind[index] === 2
  }

  /** Where the field stands, quotes and all. */
  outerFrom(index: number): number {
    return this.#from[index] ?? 0
  }

  outerTo(index: number): number {
    return this.#to[index] ?? 0
  }

  /** Where its value stands, unless it is coded. */
  from(index: number): number {
    return this.outerFrom(index) + (this.isQuoted(index) ? 1 : 0)
  }

  to(index: number): number {
    return this.outerTo(index) - (this.isQuoted(index) ? 1 : 0)
  }

  /** What a reader of the COPY gets. */
  value(index: number): Uint8Array {
    const from = this.from(index)
    const to = this.to(index)
    if (!this.isCoded(index)) return this.#source.subarray(from, to)
    return this.#lines.format === 'text' ? decodeText(this.#source, from, to) : decodeCsv(this.#source, from, to, this.#lines)
  }
}

/** A NULL such as \N, which no value is written like: the server doubles a backslash, and writes nothing but controls and delimiters with one. */
function isEscapeOfNothing(nullText: Uint8Array): boolean {
  return nullText.length === 2 && nullText[0] === BACKSLASH && nullText[1] === 0x4e
}

function decodeText(source: Uint8Array, from: number, to: number): Uint8Array {
  const value = Buffer.alloc(to - from)
  let size = 0
  for (let at = from; at < to; ) {
    let byte = source[at++] ?? 0
    if (byte === BACKSLASH && at < to) {
      byte = source[at++] ?? 0
      const isHex = byte === 0x78
      if (isHex || isOctal(byte)) {
        const digits = isHex ? /^[0-9a-f]{1,2}/i : /^[0-7]{1,3}/
        const start = isHex ? at : at - 1
        const found = digits.exec(Buffer.from(source.subarray(start, Math.min(to, start + 3))).toString('latin1'))?.[0]
        if (found !== undefined) {
          byte = Number.parseInt(found, isHex ? 16 : 8) & 0xff
          at = start + found.length
        }
      } else {
        byte = LETTERS.get(byte) ?? byte
      }
    }
    value[size++] = byte
  }
  return value.subarray(0, size)
}

function isOctal(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x37
}

function decodeCsv(source: Uint8Array, from: number, to: number, { quote, escapeByte }: CopyLines): Uint8Array {
  const value = Buffer.alloc(to - from)
  let size = 0
  let quoted = false
  for (let at = from; at < to; at++) {
    const byte = source[at] ?? 0
    const next = source[at + 1]
    if (quoted && byte === escapeByte && at + 1 < to && (next === escapeByte || next === quote)) {
      value[size++] = next ?? 0
      at++
    } else if (byte === quote) {
      quoted = !quoted
    } else {
      value[size++] = byte
    }
  }
  return value.subarray(0, size)
}

/** Whether a value must be put in quotes. */
export function needsQuotes(value: Uint8Array, { format, delimiter, quote, nullText }: CopyLines): boolean {
  if (format === 'text') return false
  return (
    value.includes(delimiter) ||
    value.includes(quote) ||
    value.includes(NEWLINE) ||
    value.includes(RETURN) ||
    Buffer.compare(value, nullText) === 0
  )
}

/** A piece of a value as the server writes it (CopyAttributeOutText), of CSV (CopyAttributeOutCSV) as inside of quotes. */
export function encoded(value: Uint8Array, { format, delimiter, quote, escapeByte }: CopyLines): Uint8Array {
  const bytes = Buffer.alloc(value.length * 2)
  let size = 0
  for (const byte of value) {
    const letter = format === 'text' ? CONTROLS.get(byte) : undefined
    if (
      format === 'text' ? letter !== undefined || byte === BACKSLASH || byte === delimiter : byte === quote || byte === escapeByte
    )
      bytes[size++] = format === 'text' ? BACKSLASH : escapeByte
    bytes[size++] = letter ?? byte
  }
  return bytes.subarray(0, size)
}
