import { SerializeAddon } from '@xterm/addon-serialize'
import type { IBufferCell } from '@xterm/headless'
import { Terminal } from '@xterm/headless/lib-headless/xterm-headless.mjs'
import type { TerminalSize } from './terminal.ts'
import { boundCounts, inPieces } from './terminal-counts.ts'
import type { TerminalWork } from './terminal-work.ts'

/** Lines above the screen are not replayed: what scrolled away is in the frames before. */
const SCROLLBACK = 0

/** A terminal without a screen, to know what one would show: runs in a worker, and keeps screens to go on from. */
export class TerminalEmulator {
  readonly #terminal: Terminal
  readonly #serializer = new SerializeAddon()
  /** Scrolling margins, first and last row: serialising forgets them. */
  #margins: readonly [number, number] | undefined
  /** Line drawing as G0, now or with a saved cursor, which could not be said again. */
  #drawing = false
  #savedDrawing = false
  /** Where the cursor was saved (DECSC), column and row from 0. */
  #saved: readonly [number, number] | undefined

  /** Without `work` it does whatever it is told to, in whatever time that takes. */
  constructor({ cols, rows }: TerminalSize, work?: TerminalWork) {
    this.#terminal = new Terminal({ cols, rows, scrollback: SCROLLBACK, allowProposedApi: true, logLevel: 'off' })
    this.#terminal.loadAddon(this.#serializer)
    boundCounts(this.#terminal)
    const { parser } = this.#terminal
    const seen = (note: () => void) => (): boolean => {
      note()
      return false
    }
    parser.registerCsiHandler({ final: 'r' }, (params) => {
      const [top = 0, bottom = 0] = params.map(Number)
      this.#margins = top <= 1 && (bottom === 0 || bottom >= this.#terminal.rows) ? undefined : [Math.max(1, top), bottom]
      return false
    })
    parser.registerEscHandler(
      { final: 'c' },
      seen(() => this.#forget()),
    )
    parser.registerCsiHandler(
      { intermediates: '!', final: 'p' },
      seen(() => this.#forget()),
    )
    parser.registerEscHandler(
      { final: '7' },
      seen(() => this.#save()),
    )
    parser.registerCsiHandler(
      { final: 's' },
      seen(() => this.#save()),
    )
    for (const final of ['h', 'l'])
      parser.registerCsiHandler({ prefix: '?', final }, (params) => {
        // The other screen has a saved cursor of its own; 1048 and 1049 save this one's.
        if (params.some((one) => one === 47 || one === 1047 || one === 1048 || one === 1049)) {
          if (final === 'h') this.#save()
          this.#saved = undefined
        }
        return false
      })
    parser.registerEscHandler({ intermediates: '(', final: '0' }, () => this.#designate(true))
    parser.registerEscHandler({ intermediates: '(', final: 'B' }, () => this.#designate(false))
    work?.bound(this.#terminal)
  }

  get size(): TerminalSize {
    return { cols: this.#terminal.cols, rows: this.#terminal.rows }
  }

  /** Resolves once the screen shows it. */
  write(bytes: Uint8Array): Promise<void> {
    for (const piece of inPieces(bytes, this.size)) this.#terminal.write(piece)
    return new Promise((resolve) => this.#terminal.write('', resolve))
  }

  /** As `write`, one after the other; told behind each. Resolves behind the last. */
  async writeEach(steps: readonly Uint8Array[], shown: (index: number) => void): Promise<void> {
    if (steps.length === 0) return
    await new Promise<void>((resolve) => {
      for (const [index, bytes] of steps.entries())
        this.#terminal.write(bytes, () => {
          shown(index)
          if (index === steps.length - 1) resolve()
        })
    })
  }

  /** How often the text stands on the screen, whatever its case; a line that goes on in the next row is one. */
  countOf(lowerText: string): number {
    const { active } = this.#terminal.buffer
    let whole = ''
    for (let row = 0; row < this.#terminal.rows; row += 1) {
      const line = active.getLine(active.baseY + row)
      const goesOn = active.getLine(active.baseY + row + 1)?.isWrapped === true
      whole += `${line?.translateToString(!goesOn) ?? ''}${goesOn ? '' : '\n'}`
    }
    return whole.toLowerCase().split(lowerText).length - 1
  }

  resize({ cols, rows }: TerminalSize): void {
    this.#terminal.resize(cols, rows)
    this.#margins = undefined
  }

  /** Whether `snapshot` can tell all of it. */
  get steady(): boolean {
    return !this.#drawing && !this.#savedDrawing
  }

  /** What, written to a new terminal of this size, gives this screen. Only where the output is `whole` (TerminalSeam), and to be tried: not every state has a sequence that leads to it. */
  snapshot(): string {
    const { cursorX, cursorY } = this.#terminal.buffer.active
    const to = (column: number, row: number): string => `\u001b[${row + 1};${column + 1}H`
    const margins = this.#margins === undefined ? '' : `\u001b[${this.#margins.join(';')}r`
    const saved = this.#saved === undefined ? '' : `${to(...this.#saved)}\u001b7`
    const back = margins === '' && saved === '' ? '' : to(cursorX, cursorY)
    return `${this.#serializer.serialize({ scrollback: SCROLLBACK })}${margins}${saved}${back}`
  }

  /** Whether both show the same, and would go on alike: text and looks of each cell, cursor, modes, margins. */
  shows(other: TerminalEmulator): boolean {
    return this.#state() === other.#state() && sameCells(this.#terminal, other.#terminal)
  }

  #state(): string {
    const { cursorX, cursorY, type } = this.#terminal.buffer.active
    const { cols, rows, modes } = this.#terminal
    return JSON.stringify([cols, rows, type, cursorX, cursorY, modes, this.#margins ?? null])
  }

  /** The rows as text, without what trails them. */
  lines(): string[] {
    const { active } = this.#terminal.buffer
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
    )
  }

  dispose(): void {
    this.#terminal.dispose()
  }

  #designate(drawing: boolean): boolean {
    this.#drawing = drawing
    return false
  }

  #save(): void {
    const { cursorX, cursorY } = this.#terminal.buffer.active
    this.#saved = [cursorX, cursorY]
    this.#savedDrawing = this.#drawing
  }

  #forget(): void {
    this.#margins = undefined
    this.#saved = undefined
    this.#drawing = false
    this.#savedDrawing = false
  }
}

/** Of the screen that is shown, and of the one behind it. */
function sameCells(one: Terminal, other: Terminal): boolean {
  const [cell, otherCell] = [one.buffer.active.getNullCell(), other.buffer.active.getNullCell()]
  for (const which of ['active', 'normal'] as const) {
    if (which === 'normal' && one.buffer.active.type === 'normal') break
    const [buffer, otherBuffer] = [one.buffer[which], other.buffer[which]]
    for (let row = 0; row < one.rows; row += 1) {
      const [line, otherLine] = [buffer.getLine(buffer.baseY + row), otherBuffer.getLine(otherBuffer.baseY + row)]
      for (let column = 0; column < one.cols; column += 1) {
        const [here, there] = [line?.getCell(column, cell), otherLine?.getCell(column, otherCell)]
        if (here === undefined || there === undefined ? here !== there : !looksAlike(here, there)) return false
      }
    }
  }
  return true
}

/** An empty cell and a blank one look alike. */
function looksAlike(one: IBufferCell, other: IBufferCell): boolean {
  return (
    (one.getChars() || ' ') === (other.getChars() || ' ') &&
    one.getFgColorMode() === other.getFgColorMode() &&
    one.getFgColor() === other.getFgColor() &&
    one.getBgColorMode() === other.getBgColorMode() &&
    one.getBgColor() === other.getBgColor() &&
    one.isBold() === other.isBold() &&
    one.isDim() === other.isDim() &&
    one.isItalic() === other.isItalic() &&
    one.isUnderline() === other.isUnderline() &&
    one.isInverse() === other.isInverse() &&
    one.isInvisible() === other.isInvisible()
  )
}
