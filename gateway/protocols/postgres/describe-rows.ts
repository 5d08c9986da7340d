import type { Frame } from '../../../schemas/frame.ts'
import { PostgresView } from '../../../schemas/views/postgres.ts'
import type { Cell } from '../../../schemas/views/view.ts'

/** Of one row, for search: more of a long document is found by what stands in front. */
const MAX_ROW_CHARS = 4_000

/** The rows of a frame as text, one line each, and what tells them from each other. */
export interface FrameRows {
  readonly text: string
  readonly keys: readonly string[]
  /** Name of the column the keys are of, or `row`. */
  readonly keyed: string
}

/** Reads the results of one session, frame by frame, as they are shown. */
export class ResultRows {
  readonly #view = new PostgresView()
  #columns: readonly string[] = []
  #key: number | undefined

  read(frame: Frame): FrameRows | undefined {
    const lines: string[] = []
    const keys: string[] = []
    let keyed: string | undefined
    for (const shown of this.#view.read(frame)) {
      if (shown.show === 'columns') {
        this.#columns = shown.names
        this.#key = keyColumn(shown.names)
      } else if (shown.show === 'row') {
        const { cells } = shown
        lines.push(lineOf(cells))
        const key = this.#key === undefined || cells.length !== this.#columns.length ? undefined : cells[this.#key]?.text
        const by = key === undefined || key === null ? 'row' : (this.#columns[this.#key ?? 0] ?? 'row')
        keyed ??= by
        // One frame, one kind of key: a frame rarely ends one result and begins another.
        if (by === keyed) keys.push(by === 'row' ? cells.map(({ text }) => text ?? '\0').join('\t') : (key ?? ''))
      }
    }
    return lines.length === 0 ? undefined : { text: lines.join('\n'), keys, keyed: keyed ?? 'row' }
  }
}

/** By its name, as the target's own catalog is not on the tape: `id` first, then `uuid`, then what ends like a key. */
function keyColumn(names: readonly string[]): number | undefined {
  const lower = names.map((name) => name.toLowerCase())
  for (const wanted of [/^id$/, /^(uu|gu)id$/, /_id$/]) {
    const found = lower.findIndex((name) => wanted.test(name))
    if (found >= 0) return found
  }
  return undefined
}

function lineOf(cells: readonly Cell[]): string {
  const line = cells.map(({ text }) => text ?? '').join(' | ')
  return line.slice(0, MAX_ROW_CHARS).replace(/[\r\n]/g, ' ')
}
