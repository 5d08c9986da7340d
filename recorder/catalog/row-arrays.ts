import type { StatementRow } from '../../schemas/api.ts'
import { sqlText } from './text.ts'
import type { TextRow } from './texts.ts'

// What there is the most of is written column by column, an array each: half of what the same rows cost as JSON.

/** `array` and `json` are told as text, as unnest would take them apart. */
type Type = 'text' | 'bigint' | 'int' | 'boolean' | 'array'
type Value = string | number | boolean | null | readonly string[]
interface Column<R> {
  readonly name: string
  readonly type: Type
  readonly of: (row: R) => Value
}
type TextOf = TextRow & { readonly session: string }

const STATEMENT: readonly Column<StatementRow>[] = [
  { name: 'session', type: 'text', of: ({ session }) => session },
  { name: 'frame', type: 'bigint', of: ({ frame }) => frame },
  { name: 'part', type: 'int', of: ({ part }) => part },
  { name: 'channel', type: 'bigint', of: ({ channel }) => channel },
  { name: 'kind', type: 'text', of: ({ kind }) => kind },
  { name: 'text', type: 'text', of: ({ text }) => text },
  { name: 'text_cut', type: 'boolean', of: ({ textCut }) => textCut },
  { name: 'at_us', type: 'bigint', of: ({ atUs }) => atUs },
  { name: 'duration_us', type: 'bigint', of: ({ durationUs }) => durationUs },
  { name: 'last_frame', type: 'bigint', of: ({ lastFrame }) => lastFrame },
  { name: 'rows', type: 'bigint', of: ({ rows }) => rows },
  { name: 'bytes_out', type: 'bigint', of: ({ bytesOut }) => bytesOut },
  { name: 'masked', type: 'bigint', of: ({ masked }) => masked },
  { name: 'verdict', type: 'text', of: ({ verdict }) => verdict },
  { name: 'rules', type: 'array', of: ({ rules }) => rules },
  { name: 'approval', type: 'text', of: ({ approval }) => approval },
  { name: 'outcome', type: 'text', of: ({ outcome }) => outcome },
  { name: 'objects', type: 'array', of: ({ objects }) => objects },
  { name: 'verbs', type: 'array', of: ({ verbs }) => verbs },
  { name: 'fingerprint', type: 'text', of: ({ fingerprint }) => fingerprint },
]
const TEXT: readonly Column<TextOf>[] = [
  { name: 'session', type: 'text', of: ({ session }) => session },
  { name: 'frame', type: 'bigint', of: ({ frame }) => frame },
  { name: 'part', type: 'int', of: ({ part }) => part },
  { name: 'place', type: 'text', of: ({ place }) => place },
  { name: 'at_us', type: 'bigint', of: ({ atUs }) => atUs },
  { name: 'first_row', type: 'bigint', of: ({ firstRow }) => firstRow },
  { name: 'text', type: 'text', of: ({ text }) => text },
]
const KEY: readonly string[] = ['session', 'frame', 'part']

/** What is asked of the database, with its values. */
export interface Put {
  readonly sql: string
  readonly values: (string | null)[]
}

/** `fresh`: of sessions the catalog has nothing of. Others are written again, which changes nothing where they are the same. */
export function putStatements(rows: readonly StatementRow[], fresh: boolean): Put {
  return putOf('statements', STATEMENT, rows, fresh)
}

export function putTexts(rows: readonly TextOf[], fresh: boolean): Put {
  return putOf('texts', TEXT, rows, fresh)
}

/** As PostgreSQL writes arrays. */
export function sqlArray(values: readonly Value[]): string {
  return `{${values.map(elementOf).join(',')}}`
}

function elementOf(value: Value): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'object') return value.length === 0 ? '"{}"' : quoted(sqlArray(value))
  return String(value)
}

function quoted(text: string): string {
  const safe = sqlText(text)
  return `"${/[\\"]/.test(safe) ? safe.replaceAll(/[\\"]/g, '\\$&') : safe}"`
}

/** A value that all rows have is told once: most have no rule, no approval and no error. */
function putOf<R>(table: string, columns: readonly Column<R>[], rows: readonly R[], fresh: boolean): Put {
  const names = columns.map(({ name }) => name)
  const told = columns.map(({ name, type, of }, index) => {
    const all = rows.map(of)
    const [first = null] = all
    // Some column has to say how many rows there are.
    const same = name !== 'frame' && all.every((value) => isSame(value, first))
    const value = same
      ? first === null
        ? null
        : typeof first === 'object'
          ? sqlArray(first)
          : sqlText(String(first))
      : sqlArray(all)
    const sqlType = type === 'array' ? 'text' : type
    const column = same ? `$${index + 1}::${sqlType}` : `unnest($${index + 1}::${sqlType}[])`
    return { value, column: type === 'array' ? `${column}::text[]` : column }
  })
  const rest = names.filter((name) => !KEY.includes(name))
  const sql = `insert into catalog.${table} (${names.join(', ')}) select ${told.map(({ column }) => column).join(', ')}`
  const again = `on conflict (${KEY.join(', ')}) do update set (${rest.join(', ')}) = row(${rest.map((name) => `excluded.${name}`).join(', ')})`
  return { sql: fresh ? sql : `${sql} ${again}`, values: told.map(({ value }) => value) }
}

function isSame(a: Value, b: Value): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  return a.length === b.length && a.every((one, at) => one === b[at])
}
