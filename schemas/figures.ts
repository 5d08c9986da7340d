import type { Figure } from './bundle.ts'

type FigureOf = Omit<Figure, 'value'>

/** Counts figures as the rows of their tables go by: once where they are written, and again by whoever checks them. */
export class FigureCounts {
  readonly #byFile = new Map<string, { readonly figure: FigureOf; value: number }[]>()
  readonly #all: { readonly figure: FigureOf; value: number }[] = []

  constructor(figures: readonly FigureOf[]) {
    for (const figure of figures) {
      const counted = { figure, value: 0 }
      this.#all.push(counted)
      this.#byFile.set(figure.file, [...(this.#byFile.get(figure.file) ?? []), counted])
    }
  }

  /** One row of a table; `cell` gives the text in a column. */
  add(file: string, cell: (column: string) => string | undefined): void {
    for (const counted of this.#byFile.get(file) ?? []) {
      const { where, sum } = counted.figure
      if (Object.entries(where).some(([column, text]) => cell(column) !== text)) continue
      counted.value += sum === undefined ? 1 : sumOf(cell(sum) ?? '')
    }
  }

  result(): Figure[] {
    return this.#all.map(({ figure, value }) => ({ ...figure, value }))
  }
}

/** Of a cell that is summed up: nothing is nothing, and what is no number makes no figure true. */
function sumOf(cell: string): number {
  return /^\d{0,15}$/.test(cell) ? Number(cell) : Number.NaN
}
