import type { Frame } from '../../schemas/frame.ts'

/** What frames are looked for by, all of it at once. */
export interface FrameFilter {
  readonly dir?: string
  readonly kind?: string
  readonly verdict?: string
  readonly rule?: string
  readonly relation?: string
  readonly minRows?: number
  readonly masked?: boolean
  /** Found in the body as it was recorded, ASCII letters in either case. */
  readonly text?: string
}

/** A filter, or what of the text is none: `what` is for people. */
export type ParsedFilter =
  | { readonly ok: true; readonly filter: FrameFilter; readonly empty: boolean }
  | { readonly ok: false; readonly what: string }

const TERMS = ['dir', 'kind', 'verdict', 'rule', 'table', 'rows', 'masked'] as const
const VERDICTS = ['allow', 'mask', 'block', 'hold']

/** `kind:reply rows>100 table:orders verdict:block rule:pg.* dir:in masked "free text"`; words without a name are text. */
export function parseFilter(source: string): ParsedFilter {
  let filter: FrameFilter = {}
  const words: string[] = []
  for (const [term] of source.matchAll(/(?:[^\s"]+:)?"[^"]*"?|\S+/g)) {
    const [, name = '', quoted, plain = ''] = /^(?:([a-z]+)[:>]=?)?(?:"([^"]*)"?|(.*))$/s.exec(term) ?? []
    const value = quoted ?? plain
    if (term === 'masked') filter = { ...filter, masked: true }
    else if (name === '') words.push(value)
    else if (value === '') return { ok: false, what: `${name}: needs a value` }
    else
      switch (name) {
        case 'dir':
          if (!['in', 'out', 'note'].includes(value)) return { ok: false, what: `dir: is in, out or note, not ${value}` }
          filter = { ...filter, dir: value }
          break
        case 'verdict':
          if (!VERDICTS.includes(value)) return { ok: false, what: `verdict: is one of ${VERDICTS.join(', ')}, not ${value}` }
          filter = { ...filter, verdict: value }
          break
        case 'rows':
          if (!/^\d{1,15}$/.test(value)) return { ok: false, what: `rows> needs a number, not ${value}` }
          filter = { ...filter, minRows: Number(value) + (term.startsWith('rows>=') || term.startsWith('rows:') ? 0 : 1) }
          break
        case 'kind':
          filter = { ...filter, kind: value }
          break
        case 'rule':
          filter = { ...filter, rule: value }
          break
        case 'table':
          filter = { ...filter, relation: value }
          break
        case 'text':
          words.push(value)
          break
        default:
          return { ok: false, what: `${name}: is not known here; there are ${TERMS.join(', ')}, and text without a name` }
      }
  }
  const text = words.join(' ')
  if (text !== '') filter = { ...filter, text }
  return { ok: true, filter, empty: Object.keys(filter).length === 0 }
}

/** Made once per search: the text's bytes, lower case. */
export function frameMatcher(filter: FrameFilter): (frame: Frame) => boolean {
  const { dir, kind, verdict, rule, relation, minRows, masked, text } = filter
  const needle = text === undefined ? undefined : lower(new TextEncoder().encode(text))
  const [ruleLike, relationLike] = [glob(rule), glob(relation)]
  return (frame) => {
    if (dir !== undefined && frame.dir !== dir) return false
    if (kind !== undefined && frame.kind !== kind) return false
    if (verdict !== undefined && (frame.verdict?.act ?? 'allow') !== verdict) return false
    if (ruleLike !== undefined && !frame.verdict?.rules.some((one) => ruleLike.test(one))) return false
    if (relationLike !== undefined && !namesRelation(frame, relationLike)) return false
    if (minRows !== undefined && !(Number(frame.facts['rows'] ?? 0) >= minRows)) return false
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
