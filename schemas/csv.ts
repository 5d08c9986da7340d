import { ApplianceError } from './errors.ts'

// CSV as RFC 4180 has it: UTF-8, LF ends a record, quotes where they are needed, the first record names the columns.

export type CsvCell = string | number | boolean | null | undefined

/** Spreadsheets take a cell that begins so for a formula, and run it: https://owasp.org/www-community/attacks/CSV_Injection, ASVS 5.0, 1.2.10 */
const FORMULA = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]/

/**
 * One record. A text that a spreadsheet would take for a formula gets an apostrophe in front, which spreadsheets do not show; `csvText` takes
 * it away again. Numbers are ours and stay as they are.
 */
export function csvRecord(cells: readonly CsvCell[]): string {
  return `${cells.map(cellOf).join(',')}\n`
}

function cellOf(cell: CsvCell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell !== 'string') return String(cell)
  const text = FORMULA.test(cell) || cell.startsWith("'") ? `'${cell}` : cell
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** What the cell said before it was made harmless. */
export function csvText(cell: string): string {
  return cell.startsWith("'") ? cell.slice(1) : cell
}

/** All records, the first with the names; each as an object by column. Throws TAPE_MALFORMED where a record has another number of cells. */
export function readCsv(text: string): readonly ReadonlyMap<string, string>[] {
  const [names, ...records] = csvRecords(text)
  if (names === undefined) return []
  return records.map((cells) => {
    if (cells.length !== names.length)
      throw new ApplianceError('TAPE_MALFORMED', `a record of ${cells.length} cells, the table has ${names.length} columns`)
    return new Map(names.map((name, at) => [name, csvText(cells[at] ?? '')]))
  })
}

function* csvRecords(text: string): Generator<string[]> {
  let cells: string[] = []
  let at = 0
  while (at < text.length) {
    let cell = ''
    if (text[at] === '"') {
      for (at += 1; ; ) {
        const quote = text.indexOf('"', at)
        if (quote < 0) throw new ApplianceError('TAPE_MALFORMED', 'a quoted cell does not end')
        cell += text.slice(at, quote)
        at = quote + 1
        if (text[at] !== '"') break
        cell += '"'
        at += 1
      }
    } else {
      const from = at
      while (at < text.length && text[at] !== ',' && text[at] !== '\n') at += 1
      cell = text.slice(from, at)
    }
    cells.push(cell)
    if (text[at] === ',') {
      at += 1
      if (at < text.length) continue
      cells.push('')
    } else if (at < text.length && text[at] !== '\n')
      throw new ApplianceError('TAPE_MALFORMED', 'something stands behind a quote')
    at += 1
    yield cells
    cells = []
  }
}
