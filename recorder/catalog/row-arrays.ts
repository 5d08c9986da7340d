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

/** Values: as `statementValues` gives them. The same again changes nothing. */
export const PUT_STATEMENTS = upsert('statements', STATEMENT)
export const PUT_TEXTS = upsert('texts', TEXT)

export function statementValues(rows: readonly StatementRow[]): string[] {
  return STATEMENT.map(({ of }) => sqlArray(rows.map(of)))
}

export function textValues(rows: readonly TextOf[]): string[] {
  return TEXT.map(({ of }) => sqlArray(rows.map(of)))
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

function upsert<R>(table: string, columns: readonly Column<R>[]): string {
  const names = columns.map(({ name }) => name)
  const rest = names.filter((name) => !KEY.includes(name))
  return `insert into catalog.${table} (${names.join(', ')})
    select ${columns.map(({ name, type }) => (type === 'array' ? `${name}::text[]` : name)).join(', ')}
    from unnest(${columns.map(({ type }, index) => `$${index + 1}::${type === 'array' ? 'text' : type}[]`).join(', ')}) as one(${names.join(', ')})
    on conflict (${KEY.join(', ')}) do update set (${rest.join(', ')}) = row(${rest.map((name) => `excluded.${name}`).join(', ')})`
}
