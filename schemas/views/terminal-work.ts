/** Cells at once: a second of work. Five hundred times all of the largest screen, a hundred thousand times all of one of 80 columns and 24 rows. */
const MOST_CELLS = 1 << 28
/** Cells for each second that was recorded: a sixteenth of it in work, and more than any eye follows. */
const CELLS_A_SECOND = 1 << 24
/** What a cell costs that is written or moved, against one that is cleared. */
const MOVED = 8

type Params = readonly (number | readonly number[])[]

/** Of an emulator, as much as is needed here: those who have one name the package. */
interface BoundTerminal {
  readonly rows: number
  readonly cols: number
  readonly parser: {
    registerCsiHandler(id: SequenceId, handler: (params: (number | number[])[]) => boolean): unknown
    registerEscHandler(id: SequenceId, handler: () => boolean): unknown
  }
}

interface SequenceId {
  readonly prefix?: string
  readonly intermediates?: string
  readonly final: string
}

/**
 * How much an emulator does at the word of a few bytes: two bytes (`ESC c`) have it clear half a million cells, a megabyte of them takes it half an hour.
 * Beyond a budget such sequences are passed over; text, and the cursor, go on as they are written. Counted in cells and by the recording's clock, so that the
 * same frames give the same.
 */
export class TerminalWork {
  readonly #nowUs: () => number
  #left = MOST_CELLS
  #lastUs = 0
  #exceeded = false

  /** `nowUs`: when what is being read was recorded. */
  constructor(nowUs: () => number) {
    this.#nowUs = nowUs
  }

  /** Something was passed over: the screen is not the one a person saw. */
  get exceeded(): boolean {
    return this.#exceeded
  }

  /** Behind all other handlers of the terminal, so that it is asked before them. */
  bound(terminal: BoundTerminal): void {
    const { parser } = terminal
    const all = (): number => terminal.rows * terminal.cols
    const count = ([first]: Params): number => Math.max(1, Number(first ?? 1))
    for (const prefix of ['', '?'])
      parser.registerCsiHandler({ ...(prefix === '' ? {} : { prefix }), final: 'J' }, () => this.#passes(all()))
    for (const final of 'LMST')
      parser.registerCsiHandler({ final }, (params) =>
        this.#passes(Math.min(count(params), terminal.rows) * terminal.cols * MOVED),
      )
    parser.registerCsiHandler({ final: 'b' }, (params) => this.#passes(Math.min(count(params), all()) * MOVED))
    // Columns that are moved, inserted or deleted are so in all rows.
    for (const [intermediates, finals] of [
      [' ', '@A'],
      ["'", '}~'],
    ] as const)
      for (const final of finals) parser.registerCsiHandler({ intermediates, final }, () => this.#passes(all() * MOVED))
    // The way back is free: a program that ends must be able to go it.
    parser.registerCsiHandler({ prefix: '?', final: 'h' }, (params) => {
      const switches = params.filter((one) => one === 47 || one === 1047 || one === 1049)
      return switches.length > 0 && this.#passes(2 * all() * switches.length)
    })
    parser.registerEscHandler({ final: 'c' }, () => this.#passes(2 * all()))
    parser.registerEscHandler({ intermediates: '#', final: '8' }, () => this.#passes(all()))
    parser.registerEscHandler({ final: 'M' }, () => this.#passes(terminal.cols * MOVED))
  }

  /** Whether so much is too much: true says to the parser that it is done. */
  #passes(cells: number): boolean {
    const nowUs = Math.max(this.#lastUs, this.#nowUs())
    const more = ((nowUs - this.#lastUs) / 1_000_000) * CELLS_A_SECOND
    this.#lastUs = nowUs
    this.#left = Math.min(MOST_CELLS, this.#left + more)
    if (cells > this.#left) {
      this.#exceeded = true
      return true
    }
    this.#left -= cells
    return false
  }
}
