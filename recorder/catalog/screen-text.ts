import headless, { type IMarker, type Terminal } from '@xterm/headless'
import type { Frame } from '../../schemas/frame.ts'
import { MAX_ROWS, type TerminalStep } from '../../schemas/views/terminal.ts'
import { boundCounts, inPieces } from '../../schemas/views/terminal-counts.ts'
import { TerminalWork } from '../../schemas/views/terminal-work.ts'

/** Written at one go, and lines kept above the screen: what one piece shows is read before it can have scrolled away. */
const PIECE_SIZE = 8 << 10
const SCROLLBACK = PIECE_SIZE
/** A screen of its own (an editor, a pager) that stood still so long was there to be read. */
const STILL_US = 400_000
/** Lines of such screens that are known to be told, the newest: more than one screen has, and no more than a program that is left running for days may cost. */
const MAX_KNOWN = 4 * MAX_ROWS

/** In the place of what is passed over, once. */
const LEFT_OUT =
  '(left out from here on: what this terminal cleared, moved or repeated beyond the budget of the catalog; the replay has it)'

/** The frame that brought it. */
export type At = Pick<Frame, 'seq' | 'atUs'>
/** Lines that have come to a screen. */
type Shows = (at: At, text: string) => void

/**
 * What can be read on the terminal of one channel: each line once, when the cursor has left it; of programs that have the whole screen,
 * the lines of every screen that stood still. Told with the frame that brought it; deterministic.
 */
export class ScreenText {
  readonly #terminal: Terminal
  readonly #shows: Shows
  /** Where the last line that was told ends. */
  #told: IMarker | undefined
  #full = new Set<string>()
  #last: At | undefined
  /** Of the pieces the emulator has not read yet, the next one first. */
  readonly #writing: At[] = []
  #written: Promise<void> = Promise.resolve()
  readonly #work = new TerminalWork(() => this.#writing[0]?.atUs ?? 0)
  #saidLeft = false

  constructor({ cols, rows }: { readonly cols: number; readonly rows: number }, shows: Shows) {
    this.#terminal = new headless.Terminal({ cols, rows, scrollback: SCROLLBACK, allowProposedApi: true, logLevel: 'off' })
    this.#shows = shows
    boundCounts(this.#terminal)
    // Read before it is left.
    this.#terminal.parser.registerCsiHandler({ prefix: '?', final: 'l' }, (params) => {
      const at = this.#writing[0]
      if (at !== undefined && params.some((one) => one === 47 || one === 1047 || one === 1049)) this.#screen(at)
      return false
    })
    // A new screen, of which nothing was told; a mark on the old one would stand for lines of this.
    this.#terminal.parser.registerEscHandler({ final: 'c' }, () => {
      const at = this.#writing[0]
      if (at !== undefined) this.#lines(at)
      this.#told?.dispose()
      this.#told = undefined
      return false
    })
    this.#work.bound(this.#terminal)
  }

  /** Resolves `quiet` once it is told. */
  step(step: Exclude<TerminalStep, { does: 'start' }>, { seq, atUs }: At): void {
    const last = this.#last
    const now = { seq, atUs }
    this.#last = now
    if (step.does === 'resize') {
      this.#then(() => this.#terminal.resize(step.cols, step.rows))
      return
    }
    if (last !== undefined && atUs - last.atUs >= STILL_US) this.#then(() => this.#screen(last))
    for (let at = 0; at < step.bytes.length; at += PIECE_SIZE) {
      this.#writing.push(now)
      for (const piece of inPieces(step.bytes.slice(at, at + PIECE_SIZE), this.#terminal)) this.#terminal.write(piece)
      this.#written = new Promise((resolve) =>
        this.#terminal.write('', () => {
          this.#writing.shift()
          this.#sayLeft(now)
          this.#lines(now)
          resolve()
        }),
      )
    }
  }

  /** Resolves once everything so far is told. */
  quiet(): Promise<void> {
    return this.#written
  }

  /** Tells what stands there in the end; nothing follows. */
  async end(): Promise<void> {
    await this.#written
    const last = this.#last
    if (last !== undefined) {
      this.#screen(last)
      const { active } = this.#terminal.buffer
      if (active.type === 'normal') this.#tell(last, this.#from(), active.baseY + active.cursorY + 1)
    }
    this.#terminal.dispose()
  }

  /** In turn with what is written: the emulator takes an empty piece as well. */
  #then(work: () => void): void {
    this.#written = new Promise((resolve) =>
      this.#terminal.write('', () => {
        work()
        resolve()
      }),
    )
  }

  #sayLeft(at: At): void {
    if (this.#saidLeft || !this.#work.exceeded) return
    this.#saidLeft = true
    this.#shows(at, LEFT_OUT)
  }

  #lines(at: At): void {
    const { active } = this.#terminal.buffer
    if (active.type !== 'normal') return
    this.#full.clear()
    const to = active.baseY + active.cursorY
    const from = this.#from()
    if (to <= from && this.#told !== undefined && !this.#told.isDisposed) return
    this.#tell(at, from, to)
    this.#told?.dispose()
    this.#told = this.#terminal.registerMarker(0)
  }

  #from(): number {
    return this.#told === undefined || this.#told.isDisposed ? 0 : this.#told.line
  }

  #screen(at: At): void {
    const { active } = this.#terminal.buffer
    if (active.type !== 'alternate') return
    const lines = this.#read(0, this.#terminal.rows).filter((line) => !this.#full.has(line))
    for (const line of lines) this.#full.add(line)
    for (const oldest of this.#full) {
      if (this.#full.size <= MAX_KNOWN) break
      this.#full.delete(oldest)
    }
    if (lines.length > 0) this.#shows(at, lines.join('\n'))
  }

  #tell(at: At, from: number, to: number): void {
    const lines = this.#read(from, to)
    if (lines.length > 0) this.#shows(at, lines.join('\n'))
  }

  #read(from: number, to: number): string[] {
    const { active } = this.#terminal.buffer
    const lines: string[] = []
    for (let at = from; at < to; at += 1) {
      const line = active.getLine(at)
      if (line === undefined) continue
      const text = line.translateToString(true)
      // A line longer than the screen is wide is one line.
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += text
      else lines.push(text)
    }
    return lines.filter((line) => line !== '')
  }
}
