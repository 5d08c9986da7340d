import { ACTS, SESSION_STATES, STATEMENT_OUTCOMES, TEXT_PLACES } from './api-names.ts'
import { PROTOCOL_NAMES } from './session.ts'

// The filter language of lists and searches, wherever it is typed: console, command line, API. Told in docs/search.md.

/** Of three letters or digits an index knows; what is shorter, or has only signs, would walk through everything. */
const INDEXED = /[\p{L}\p{N}]{3}|[\p{L}\p{N}]{2}[^\p{L}\p{N}]|[^\p{L}\p{N}][\p{L}\p{N}]{2}/u
/** More than this is no question a person asks, and each term costs. */
const MAX_TERMS = 40
const MAX_SOURCE_CHARS = 2_000
const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `glob`: `*` for any characters. `count`: a number with `>`, `>=`, `<`, `<=` or `:` for at least. `time`: ago, or a date. */
const FIELDS = {
  text: 'text',
  identity: 'glob',
  principal: 'glob',
  /** A person, with all who act for them. */
  family: 'glob',
  target: 'glob',
  table: 'glob',
  verb: 'glob',
  rule: 'glob',
  session: 'glob',
  approval: 'glob',
  fingerprint: 'glob',
  protocol: PROTOCOL_NAMES,
  state: SESSION_STATES,
  verdict: ACTS,
  outcome: STATEMENT_OUTCOMES,
  in: TEXT_PLACES,
  rows: 'count',
  bytes: 'count',
  masked: 'count',
  since: 'time',
  until: 'time',
} as const satisfies Readonly<Record<string, 'text' | 'glob' | 'count' | 'time' | readonly string[]>>
export type FilterField = keyof typeof FIELDS

/** One condition; all of them are joined by `and`. */
export interface Term {
  readonly field: FilterField
  /** Not this. */
  readonly not: boolean
  /** Of counts: the least, or the most, that is meant; both included. Of anything else `is`. */
  readonly op: 'is' | 'least' | 'most'
  /** As it was typed; of `since` and `until` ISO 8601. */
  readonly value: string
}

export type ParsedTerms =
  | { readonly ok: true; readonly terms: readonly Term[] }
  /** What is wrong, one sentence for people. */
  | { readonly ok: false; readonly what: string }

/**
 * `identity:agent-* table:customers rows>10000 -verdict:block since:24h text:"drop table" -temp words`. Words without a name are one text, in
 * their order; each `text:`, and each with a minus in front, is another. Pure; linear in the source.
 */
export function parseTerms(source: string, nowMs: number): ParsedTerms {
  if (source.length > MAX_SOURCE_CHARS) return { ok: false, what: `a filter has at most ${MAX_SOURCE_CHARS} characters` }
  const terms: Term[] = []
  const words: string[] = []
  for (const { piece, not, name, sign, value } of piecesOf(source)) {
    // A comparison of something else is a piece of a command.
    if (name !== undefined && sign !== ':' && !Object.hasOwn(FIELDS, name)) words.push(piece)
    else if (name === undefined && !not) words.push(value)
    else if (name !== undefined && !Object.hasOwn(FIELDS, name)) return { ok: false, what: unknownTerm(name, piece, FIELDS) }
    else {
      const term = termOf((name ?? 'text') as FilterField, not, name === undefined ? ':' : sign, value, nowMs)
      if (typeof term === 'string') return { ok: false, what: term }
      terms.push(term)
    }
  }
  const phrase = words.join(' ')
  if (phrase !== '') {
    const term = termOf('text', false, ':', phrase, nowMs)
    if (typeof term === 'string') return { ok: false, what: term }
    terms.push(term)
  }
  if (terms.length > MAX_TERMS) return { ok: false, what: `a filter has at most ${MAX_TERMS} terms` }
  return { ok: true, terms }
}

export interface Piece {
  /** As it was typed. */
  readonly piece: string
  /** A minus stood in front. */
  readonly not: boolean
  /** None: words, or words in quotes. */
  readonly name: string | undefined
  readonly sign: string
  /** Without its quotes. */
  readonly value: string
}

/**
 * What stands between spaces: `name:value`, `name>1`, `name:"a value"`, words, and a minus in front of any of them. In quotes two quotes are one.
 * A minus in front of another sign is text, as in `--force` and `->`.
 */
export function* piecesOf(source: string): Generator<Piece> {
  for (const [piece] of source.matchAll(/-?(?:[a-z]+(?::|>=|<=|>|<))?"(?:[^"]|"")*"?|\S+/g)) {
    const [, minus = '', name, sign = '', quoted, plain = ''] =
      /^(-?)(?:([a-z]+)(:|>=|<=|>|<))?(?:"((?:[^"]|"")*)"?|(.*))$/s.exec(piece) ?? []
    const literal = name === undefined && quoted === undefined && !/^[\p{L}\p{N}_]/u.test(plain)
    yield {
      piece,
      not: minus !== '' && !literal,
      name,
      sign,
      value: literal ? piece : (quoted?.replaceAll('""', '"') ?? plain),
    }
  }
}

/** A term that reads back as this field and value. */
export function termText(field: string, value: string): string {
  return /[\s"]/.test(value) || value === '' ? `${field}:"${value.replaceAll('"', '""')}"` : `${field}:${value}`
}

export function unknownTerm(name: string, piece: string, names: Readonly<Record<string, unknown>>): string {
  const known = Object.keys(names).join(', ')
  return `${name}: is not known here; there are ${known}, and text without a name: where that has a colon it stands in quotes, "${piece.replaceAll('"', '')}"`
}

/** What is wrong with a text to look for. */
export function textProblem(value: string): string | undefined {
  if (INDEXED.test(value)) return undefined
  return `text has three letters or digits in a row at least, or two beside a space or a sign, and not only ${JSON.stringify(value.slice(0, 40))}`
}

/** The term, or what is wrong with it. */
function termOf(field: FilterField, not: boolean, sign: string, value: string, nowMs: number): Term | string {
  const kind = FIELDS[field]
  if (value === '') return `${field}: needs a value`
  if (kind === 'count') {
    if (!/^\d{1,15}$/.test(value)) return `${field}> needs a number, not ${value}`
    const count = Number(value)
    if (sign === '<' || sign === '<=')
      return { field, not, op: 'most', value: String(sign === '<' ? Math.max(0, count - 1) : count) }
    return { field, not, op: 'least', value: String(sign === '>' ? count + 1 : count) }
  }
  if (sign !== ':') return `${field} takes a colon, as in ${field}:${value}`
  if (kind === 'time') {
    const at = timeOf(value, nowMs)
    return at === undefined
      ? `${field}: takes 30m, 24h, 7d or a date such as 2026-11-20, not ${value}`
      : { field, not, op: 'is', value: at }
  }
  if (kind === 'text') {
    const problem = textProblem(value)
    if (problem !== undefined) return not ? `${problem}; a minus means not, in quotes it is itself: "-${value}"` : problem
  }
  if (typeof kind !== 'string' && !(kind as readonly string[]).includes(value))
    return `${field}: is one of ${kind.join(', ')}, not ${value}`
  return { field, not, op: 'is', value }
}

/** Ago, or a moment; ISO 8601. */
function timeOf(value: string, nowMs: number): string | undefined {
  const [, count, unit = ''] = /^(\d{1,5})([mhdw])$/.exec(value) ?? []
  if (count !== undefined) return new Date(nowMs - Number(count) * (UNITS_MS[unit] ?? 0)).toISOString()
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+Z?)?$/.test(value)) return undefined
  return momentOf(value.length === 10 ? `${value}T00:00:00Z` : value)
}

/** In UTC, ISO 8601; undefined for what is no time, and outside the years that the catalog's database has by four digits. */
export function momentOf(value: string): string | undefined {
  const date = new Date(value)
  const year = date.getUTCFullYear()
  return year >= 1 && year <= 9_999 ? date.toISOString() : undefined
}
