import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Rows of a table with a header: RFC 4180, quoted fields may hold line ends. */
export function readCsv(text: string): readonly Readonly<Record<string, string>>[] {
  const rows: string[][] = [[]]
  let field = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] ?? ''
    if (quoted) {
      if (letter !== '"') field += letter
      else if (text[i + 1] === '"') {
        field += '"'
        i++
      } else quoted = false
    } else if (letter === '"') quoted = true
    else if (letter === ',' || letter === '\n') {
      rows.at(-1)?.push(field.endsWith('\r') && letter === '\n' ? field.slice(0, -1) : field)
      field = ''
      if (letter === '\n') rows.push([])
    } else field += letter
  }
  if (field !== '' || (rows.at(-1)?.length ?? 0) > 0) rows.at(-1)?.push(field)
  const [names = [], ...records] = rows.filter(({ length }) => length > 0)
  return records.map((record) => Object.fromEntries(names.map((name, index) => [name, record[index] ?? ''])))
}

/** A file of a data set, gzip-compressed. */
export async function readPacked(folder: string, name: string): Promise<string> {
  return gunzipSync(await readFile(join(folder, `${name}.gz`))).toString()
}

/** One JSON object per line. */
export function readLines<Row>(text: string): readonly Row[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row) // a data set's own format, described in its README
}
