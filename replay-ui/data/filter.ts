import { ACTS } from '../../schemas/api-names.ts'
import { piecesOf, unknownTerm } from '../../schemas/filter.ts'
import type { Frame } from '../../schemas/frame.ts'

/** What frames are looked for by, all of it at once. */
export interface FrameFilter {
  readonly dir?: string
  readonly kind?: string
  readonly verdict?: string
  readonly rule?: string
  readonly relation?: string
  readonly minRows?: number
  readonly maxRows?: number
  readonly masked?: boolean
  /** Found in the body as it was recorded, ASCII letters in either case. */
  readonly text?: string
  /** None of these. */
  readonly not?: readonly FrameFilter[]
}

/** A filter, or what of the text is none: `what` is for people. */
export type ParsedFilter =
  | { readonly ok: true; readonly filter: FrameFilter; readonly empty: boolean }
  | { readonly ok: false; readonly what: string }

const TERMS = {
  dir: ['in', 'out', 'note'],
  kind: '',
  verdict: ACTS,
  rule: '',
  table: '',
  rows: '',
  masked: '',
  text: '',
} as const

/**
 * `kind:reply rows>100 -table:orders verdict:block rule:pg.* dir:in masked "free text" -word`; words without a name are text. The pieces are those of
 * the filter language, here about frames.
 */
export function parseFilter(source: string): ParsedFilter {
  let filter: FrameFilter = {}
  const none: FrameFilter[] = []
  const words: string[] = []
  for (const { piece, not, name, sign, value } of piecesOf(source)) {
    if (name === undefined && value === 'masked' && /^-?masked$/.test(piece)) {
      if (not) none.push({ masked: true })
      else filter = { ...filter, masked: true }
      continue
    }
    // A comparison of something else is a piece of a command.
    const text = name === undefined || (sign !== ':' && !Object.hasOwn(TERMS, name))
    if (text && !not) words.push(name === undefined ? value : piece)
    else if (text) none.push({ text: name === undefined ? value : piece.slice(1) })
    else {
      const part = partOf(name, sign, value, piece)
      if (typeof part === 'string') return { ok: false, what: part }
      if (not) none.push(part)
      else if (part.text !== undefined) words.push(part.text)
      else filter = { ...filter, ...part }
    }
  }
  const text = words.join(' ')
  if (text !== '') filter = { ...filter, text }
  if (none.length > 0) filter = { ...filter, not: none }
  return { ok: true, filter, empty: Object.keys(filter).length === 0 }
}

/** What one term asks, or what is wrong with it. */
function partOf(name: string, sign: string, value: string, piece: string): FrameFilter | string {
  if (value === '') return `${name}: needs a value`
  if (sign !== ':' && name !== 'rows') return `${name} takes a colon, as in ${name}:${value}`
  switch (name) {
    case 'dir':
    case 'verdict': {
      const known: readonly string[] = TERMS[name]
      return known.includes(value) ? { [name]: value } : `${name}: is one of ${known.join(', ')}, not ${value}`
    }
    case 'rows': {
      if (!/^\d{1,15}$/.test(value)) return `rows> needs a number, not ${value}`
      const count = Number(value)
      if (sign.startsWith('<')) return { maxRows: sign === '<' ? count - 1 : count }
      return { minRows: sign === '>' ? count + 1 : count }
    }
    case 'kind':
    case 'rule':
    case 'text':
      return { [name]: value }
    case 'table':
      return { relation: value }
    default:
      return unknownTerm(name, piece, TERMS)
  }
}

/** Made once per search: the text's bytes, lower case. */
export function frameMatcher(filter: FrameFilter): (frame: Frame) => boolean {
  const { dir, kind, verdict, rule, relation, minRows, maxRows, masked, text, not = [] } = filter
  const needle = text === undefined ? undefined : lower(new TextEncoder().encode(text))
  const others = not.map(frameMatcher)
  const [ruleLike, relationLike] = [glob(rule), glob(relation)]
  return (frame) => {
    if (dir !== undefined && frame.dir !== dir) return false
    if (kind !== undefined && frame.kind !== kind) return false
    if (verdict !== undefined && (frame.verdict?.act ?? 'allow') !== verdict) return false
    if (ruleLike !== undefined && !frame.verdict?.rules.some((one) => ruleLike.test(one))) return false
    if (relationLike !== undefined && !namesRelation(frame, relationLike)) return false
    if (minRows !== undefined && !(Number(frame.facts['rows'] ?? 0) >= minRows)) return false
    // What has no rows is not few of them.
    if (maxRows !== undefined && !(Number(frame.facts['rows']) <= maxRows)) return false
    if (others.some((other) => other(frame))) return false
    if (masked === true && frame.masks === null) return false
    return needle === undefined || (frame.body !== null && includesBytes(frame.body, needle))
  }
}

function namesRelation(frame: Frame, like: RegExp): boolean {
  const relations = frame.facts['relations']
  return Array.isArray(relations) && relations.some((name) => like.test(String(name)))
}

/** `*` for any characters, nothing else. */
function glob(pattern: string | undefined): RegExp | undefined {
  if (pattern === undefined) return undefined
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'i')
}

function lower(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte))
}

/** Jumps from one candidate for the first byte to the next, which indexOf finds quickly, in either case. */
export function includesBytes(body: Uint8Array, needle: Uint8Array): boolean {
  const first = needle[0]
  if (first === undefined) return true
  const upper = first >= 0x61 && first <= 0x7a ? first & 0xdf : first
  for (const byte of new Set([first, upper])) {
    for (let at = body.indexOf(byte); at >= 0; at = body.indexOf(byte, at + 1)) if (standsAt(body, needle, at)) return true
  }
  return false
}

function standsAt(body: Uint8Array, needle: Uint8Array, from: number): boolean {
  if (from + needle.length > body.length) return false
  for (let at = 1; at < needle.length; at += 1) {
    const byte = body[from + at] ?? 0
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== needle[at]) return false
  }
  return true
}
