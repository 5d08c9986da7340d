import { MAX_LINE_LENGTH } from './typed-keys.ts'

/**
 * The logical line a terminal's cursor stands in, however often it wraps: printing, going back and forth, erasing, inserting. What
 * readline sends to redraw a line, and no more; a terminal emulator is something else.
 */
export class ShownRow {
  #cells: string[] = []
  #column = 0
  /** Where the visible row begins in the logical one. */
  #base = 0
  #columns: number
  #escape = ''
  /** A program that fills the screen (an editor, a pager) has it: what stands there is no command line. */
  fullScreen = false

  constructor(columns: number) {
    this.#columns = widthOf(columns)
  }

  resize(columns: number): void {
    this.#columns = widthOf(columns)
  }

  get column(): number {
    return this.#column
  }

  /** What stands from a column on. */
  from(column: number): string {
    return this.#cells.slice(column).join('').trimEnd()
  }

  /** What stands before a column. */
  before(column: number): string {
    return this.#cells.slice(0, column).join('')
  }

  show(char: string): void {
    if (this.#escape !== '' || char === '\x1b') this.#escaped(char)
    else if (char === '\n') this.#clear()
    else if (char === '\r') this.#column = this.#base
    else if (char === '\b') this.#move(-1)
    else if (char >= ' ' && char !== '\x7f') this.#print(char)
  }

  #print(char: string): void {
    if (this.#column >= MAX_LINE_LENGTH) return
    if (this.#column === this.#base + this.#columns) this.#base += this.#columns
    while (this.#cells.length < this.#column) this.#cells.push(' ')
    this.#cells[this.#column] = char
    this.#column++
  }

  #move(by: number): void {
    this.#column = Math.min(MAX_LINE_LENGTH, Math.max(0, this.#column + by))
    if (this.#column < this.#base) this.#base = Math.max(0, this.#base - this.#columns)
  }

  /** Blanks, which push what stands behind them out of the row. */
  #insert(count: number): void {
    const behind = this.#cells.splice(this.#column)
    while (this.#cells.length < this.#column) this.#cells.push(' ')
    for (let blank = 0; blank < count; blank++) this.#cells.push(' ')
    for (const cell of behind) if (this.#cells.length < MAX_LINE_LENGTH) this.#cells.push(cell)
  }

  #clear(): void {
    this.#cells = []
    this.#column = 0
    this.#base = 0
  }

  #escaped(char: string): void {
    this.#escape += char
    const sequence = this.#escape
    const [, kind] = /^\x1b([\s\S])/.exec(sequence) ?? []
    if (kind === undefined) return
    if (kind === ']' || kind === 'P' || kind === '_' || kind === '^') {
      // A title, a device string: to its end, or so far.
      if (char === '\x07' || sequence.endsWith('\x1b\\') || sequence.length > 1_000) this.#escape = ''
      return
    }
    if (kind === '[') {
      if (sequence.length > 2 && /[@-~]/.test(char)) {
        this.#escape = ''
        this.#control(sequence.slice(2, -1), char)
      } else if (sequence.length > 64) this.#escape = ''
      return
    }
    if (/[ -/]/.test(kind) && sequence.length < 3) return
    this.#escape = ''
  }

  /** ECMA-48 control sequences. */
  #control(parameters: string, final: string): void {
    const count = Math.min(MAX_LINE_LENGTH, Number.parseInt(parameters, 10) || 1)
    if (/^\?(1049|1047|47)$/.test(parameters) && (final === 'h' || final === 'l')) {
      this.fullScreen = final === 'h'
      this.#clear()
    } else if (final === 'C') this.#move(count)
    else if (final === 'D') this.#move(-count)
    else if (final === 'A') {
      const rows = Math.min(count, Math.floor(this.#base / this.#columns))
      this.#base -= rows * this.#columns
      this.#column -= rows * this.#columns
    } else if (final === 'G') this.#column = this.#base + count - 1
    else if (final === 'K' && (parameters === '' || parameters === '0'))
      this.#cells.length = Math.min(this.#cells.length, this.#column)
    else if (final === 'K' && parameters === '2') this.#cells = []
    else if (final === 'P') this.#cells.splice(this.#column, count)
    else if (final === '@') this.#insert(Math.min(count, this.#columns))
    else if (final === 'J' && (parameters === '' || parameters === '0'))
      this.#cells.length = Math.min(this.#cells.length, this.#column)
    else if (final === 'J' || final === 'H') this.#clear()
    if (this.#cells.length > MAX_LINE_LENGTH) this.#cells.length = MAX_LINE_LENGTH
  }
}

/** A terminal that does not say how wide it is, is taken to be as wide as terminals were. */
function widthOf(columns: number): number {
  return columns === 0 ? 80 : Math.max(2, columns)
}
