import type { TextPlace } from '../../schemas/api-names.ts'
import type { Frame } from '../../schemas/frame.ts'
import type { Told } from './describe.ts'
import { type At, ScreenText } from './screen-text.ts'

/** Of one row of the catalog. A match across two of them is not found, so they are long; shown is what is around the match. */
const MAX_PIECE_CHARS = 8_000
/** Of one session: what a person or an agent can read in a day. A dump beyond it is found by its statement, not by its rows. */
const MAX_SESSION_CHARS = 8 << 20
/** Terminals at once; a client that opens more has its others' text left out. */
const MAX_SCREENS = 16

/** Frames whose pieces are counted: they come in order, but for what a screen still tells in its end. */
const MAX_COUNTED = 100_000

/** A stretch of text of a frame. */
export interface TextRow {
  readonly frame: number
  /** From 0, in the order they were found in the frame. */
  readonly part: number
  readonly place: TextPlace
  readonly atUs: number
  /** Number of the frame's row that is its first line; null where lines are no rows. */
  readonly firstRow: number | null
  readonly text: string
}

/** One session's text beside its statements: rows of results, screens, output, bodies. */
export class Texts {
  readonly #screens = new Map<number, ScreenText>()
  readonly #parts = new Map<number, number>()
  #rows: TextRow[] = []
  #chars = 0
  #left = 0

  /** Characters that are not kept. */
  get left(): number {
    return this.#left
  }

  add(frame: Frame, told: Extract<Told, { told: 'text' | 'screen' }>): void {
    if (told.told === 'text') this.#text(frame, told.place, told.text, told.firstRow)
    else this.#screen(frame, told.step)
  }

  /** Resolves once what was added can be taken. */
  async quiet(): Promise<void> {
    for (const screen of this.#screens.values()) await screen.quiet()
  }

  /** What stands on screens in the end belongs to it. */
  async end(): Promise<void> {
    for (const screen of this.#screens.values()) await screen.end()
    this.#screens.clear()
  }

  /** What is new since the last call. */
  take(): readonly TextRow[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  #screen(frame: Frame, step: Extract<Told, { told: 'screen' }>['step']): void {
    const { channel } = frame
    const screen = this.#screens.get(channel)
    if (step.does !== 'start') {
      screen?.step(step, frame)
      return
    }
    if (screen !== undefined || this.#screens.size >= MAX_SCREENS) return
    this.#screens.set(channel, new ScreenText(step, (at, text) => this.#text(at, 'terminal', text, null)))
  }

  #text({ seq: frame, atUs }: At, place: TextPlace, text: string, firstRow: number | null): void {
    let row = firstRow
    for (let from = 0; from < text.length; ) {
      const to = end(text, from)
      const piece = text.slice(from, to).toWellFormed()
      const next = to + (text[to] === '\n' ? 1 : 0)
      if (this.#chars + piece.length > MAX_SESSION_CHARS) this.#left += piece.length
      else if (piece.trim() !== '') {
        this.#chars += piece.length
        const part = this.#parts.get(frame) ?? 0
        this.#parts.set(frame, part + 1)
        const [oldest] = this.#parts.keys()
        if (this.#parts.size > MAX_COUNTED && oldest !== undefined) this.#parts.delete(oldest)
        this.#rows.push({ frame, part, place, atUs, firstRow: row, text: piece })
      }
      if (row !== null) row += text.slice(from, next).split('\n').length - 1
      from = next
    }
  }
}

/** Where a piece ends: behind a whole line where there is one. */
function end(text: string, from: number): number {
  if (text.length - from <= MAX_PIECE_CHARS) return text.length
  // Looked for in the piece alone: a text without lines would be gone through to its beginning for each.
  const line = text.slice(from, from + MAX_PIECE_CHARS + 1).lastIndexOf('\n')
  return line > 0 ? from + line : from + MAX_PIECE_CHARS
}
