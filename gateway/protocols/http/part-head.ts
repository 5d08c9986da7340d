import type { Headers } from './head.ts'

const LF = 0x0a
const CR = 0x0d

/** Of one part: more is no head. */
const MAX_HEAD_SIZE = 16 * 1024
const MAX_LINES = 32

/** RFC 9110, 5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** What some readers take for the end of a line or of a text: all but the tab. */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/

export type LineEnd = 'crlf' | 'lf'

interface Line {
  /** As it came, without blanks. */
  readonly name: string
  /** Where its value begins and ends, and the next line begins. Of a line that goes on with the one before, all of it is value. */
  readonly value: number
  readonly end: number
  readonly next: number
}

export interface PartHead {
  readonly lines: readonly Line[]
  /** Unfolded (RFC 5322, 2.2.3). */
  readonly headers: Headers
  /** How all of its lines end. */
  readonly lineEnd: LineEnd
  /** Where the body begins. */
  readonly end: number
}

/** Of the part bytes[from, to); undefined where it does not begin with header lines that end alike, and an empty one. */
export function partHeadOf(bytes: Buffer, from: number, to: number): PartHead | undefined {
  const lines: Line[] = []
  const headers: [string, string][] = []
  const limit = Math.min(to, from + MAX_HEAD_SIZE)
  let lineEnd: LineEnd | undefined
  for (let at = from; lines.length <= MAX_LINES; ) {
    const feed = bytes.indexOf(LF, at)
    if (feed === -1 || feed >= limit) return undefined
    const returns = feed > at && bytes[feed - 1] === CR
    const end = returns ? feed - 1 : feed
    const ended = returns ? 'crlf' : 'lf'
    lineEnd ??= ended
    if (ended !== lineEnd) return undefined
    const next = feed + 1
    if (end === at) return { lines, headers, lineEnd, end: next }
    const text = bytes.toString('latin1', at, end)
    if (CONTROL.test(text)) return undefined
    const last = headers.at(-1)
    if (text.startsWith(' ') || text.startsWith('\t')) {
      if (last === undefined) return undefined
      last[1] += text
      lines.push({ name: last[0], value: at, end, next })
    } else {
      const colon = text.indexOf(':')
      const name = text.slice(0, Math.max(colon, 0)).trim()
      if (!TOKEN.test(name)) return undefined
      const value = text.slice(colon + 1).trimStart()
      lines.push({ name, value: end - value.length, end, next })
      headers.push([name, value])
    }
    at = next
  }
  return undefined
}
