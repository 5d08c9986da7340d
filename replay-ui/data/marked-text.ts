import type { MaskMark } from './dissect.ts'

/** Text with what was masked in it: places in UTF-16 units, rising, apart from each other. */
export interface MarkedText {
  readonly text: string
  readonly marks: readonly MaskMark[]
}

export interface Segment {
  readonly text: string
  readonly mark?: Pick<MaskMark, 'entity' | 'rule'>
}

/** Bytes as UTF-8, and their masks at the places of the text. */
export function markedOf(bytes: Uint8Array, masks: readonly MaskMark[]): MarkedText {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const marks: MaskMark[] = []
  let text = ''
  let at = 0
  for (const mask of masks) {
    const [from, to] = [Math.max(at, mask.from), Math.min(bytes.length, mask.to)]
    if (from >= to) continue
    text += decoder.decode(bytes.subarray(at, from))
    const begins = text.length
    text += decoder.decode(bytes.subarray(from, to))
    marks.push({ ...mask, from: begins, to: text.length })
    at = to
  }
  return { text: text + decoder.decode(bytes.subarray(at)), marks }
}

export function sliceMarked({ text, marks }: MarkedText, from: number, to = text.length): MarkedText {
  return {
    text: text.slice(from, to),
    marks: marks
      .filter((mark) => mark.to > from && mark.from < to)
      .map((mark) => ({ ...mark, from: Math.max(mark.from, from) - from, to: Math.min(mark.to, to) - from })),
  }
}

export function joinMarked(pieces: readonly MarkedText[], between: string): MarkedText {
  const marks: MaskMark[] = []
  let at = 0
  for (const piece of pieces) {
    for (const mark of piece.marks) marks.push({ ...mark, from: mark.from + at, to: mark.to + at })
    at += piece.text.length + between.length
  }
  return { text: pieces.map(({ text }) => text).join(between), marks }
}

/** In order; together they are the text. */
export function segmentsOf({ text, marks }: MarkedText): Segment[] {
  const segments: Segment[] = []
  let at = 0
  for (const { from, to, entity, rule } of marks) {
    if (from > at) segments.push({ text: text.slice(at, from) })
    segments.push({ text: text.slice(from, to), mark: { entity, rule } })
    at = to
  }
  if (at < text.length) segments.push({ text: text.slice(at) })
  return segments
}

/** Deeper levels are no further to the right: a line stays on the screen. */
const MAX_INDENT = 24

/**
 * JSON, a member to a line. Every token stays as it was written (numbers of any length, escapes, members named twice), white space
 * between them is made anew. Undefined where it is no JSON.
 */
export function prettyMarked(source: MarkedText): MarkedText | undefined {
  if (!isJson(source.text)) return undefined
  const { text } = source
  const out: string[] = []
  let size = 0
  let depth = 0
  let before = ''
  const moved: { readonly from: number; readonly to: number; readonly at: number }[] = []
  const put = (piece: string): void => {
    out.push(piece)
    size += piece.length
  }
  const line = (): void => put(`\n${'  '.repeat(Math.min(depth, MAX_INDENT))}`)
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']'
    const opened = before === '{' || before === '['
    if (closes) depth -= 1
    if (opened !== closes || before === ',') line()
    else if (before === ':') put(' ')
    moved.push({ from: index, to: index + token.length, at: size })
    put(token)
    if (token === '{' || token === '[') depth += 1
    before = token
  }
  return { text: out.join(''), marks: movedMarks(source.marks, moved) }
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g

function movedMarks(
  marks: readonly MaskMark[],
  moved: readonly { readonly from: number; readonly to: number; readonly at: number }[],
): MaskMark[] {
  const found: MaskMark[] = []
  let next = 0
  for (const mark of marks) {
    while (next < moved.length && (moved[next]?.to ?? 0) <= mark.from) next += 1
    let last = next
    while (last + 1 < moved.length && (moved[last + 1]?.from ?? 0) < mark.to) last += 1
    const [first, end] = [moved[next], moved[last]]
    if (first === undefined || end === undefined) break
    const from = first.at + Math.max(0, mark.from - first.from)
    const to = end.at + Math.min(end.to, mark.to) - end.from
    if (to > from) found.push({ ...mark, from, to })
    next = last
  }
  return found
}

function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
