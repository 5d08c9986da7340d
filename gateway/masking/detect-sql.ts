import { AMPERSAND, BACKSLASH, SINGLE_QUOTE } from './ascii.ts'
import { byteAt, byteSet, follows, latin1, runEnd } from './bytes.ts'
import type { Detector, Probe } from './detector.ts'

/** A literal's head; what is longer goes on as a tail to its quote. */
const MAX_LITERAL_SIZE = 512
const MAX_BLANKS = 16

const BLANKS = byteSet(' \t\r\n')
const DOLLAR_TAG = byteSet('A-Za-z0-9_')
const ESCAPE_PREFIX = byteSet('eE')
const UNICODE_PREFIX = byteSet('uU')
const DOLLAR = 0x24
const QUOTED = new Uint8Array(256).fill(1)
QUOTED[SINGLE_QUOTE] = 0
const DOLLAR_QUOTED = new Uint8Array(256).fill(1)
DOLLAR_QUOTED[DOLLAR] = 0

/** `PASSWORD 'value'` in role and user-mapping commands; the literal as PostgreSQL reads it: '', E'', U&'', $tag$. Any value, however short. */
const rolePassword: Detector = {
  entity: 'password',
  triggers: ['password[ \t\r\n]'],
  ignoreCase: true,
  verify(bytes, _from, at, to, probe) {
    return literal(bytes, runEnd(BLANKS, bytes, at, Math.min(to, at + MAX_BLANKS)), to, probe)
  },
}

/** `IDENTIFIED BY 'value'` and its variants in MySQL, MariaDB and Oracle. */
const identifiedBy: Detector = {
  entity: 'password',
  triggers: [" by '"],
  ignoreCase: true,
  verify(bytes, from, at, to, probe) {
    probe.seen = at + at - from
    return follows(bytes, from, at, 'identified') && literal(bytes, at - 1, to, probe)
  },
}

/** Whether a string literal begins at `index`; its content becomes the hit. */
function literal(bytes: Uint8Array, index: number, to: number, probe: Probe): boolean {
  let i = index
  if (i >= to) return false
  const isEscape = ESCAPE_PREFIX[byteAt(bytes, i)] === 1
  if (isEscape) i++
  else if (UNICODE_PREFIX[byteAt(bytes, i)] === 1 && i + 1 < to && byteAt(bytes, i + 1) === AMPERSAND) i += 2
  if (i >= to) return false
  if (byteAt(bytes, i) === SINGLE_QUOTE) return quoted(bytes, i + 1, to, isEscape, probe)
  return i === index && byteAt(bytes, i) === DOLLAR && dollarQuoted(bytes, i + 1, to, probe)
}

function quoted(bytes: Uint8Array, start: number, to: number, isEscape: boolean, probe: Probe): boolean {
  const limit = Math.min(to, start + MAX_LITERAL_SIZE)
  let end = start
  for (;;) {
    end = runEnd(QUOTED, bytes, end, limit)
    if (end >= limit) break
    // A doubled quote, or in E'' one behind a backslash, belongs to the value.
    if (isEscape && end > start && byteAt(bytes, end - 1) === BACKSLASH) end++
    else if (end + 1 < limit && byteAt(bytes, end + 1) === SINGLE_QUOTE) end += 2
    else break
  }
  return value(bytes, start, end, QUOTED, end - start >= MAX_LITERAL_SIZE, probe)
}

function dollarQuoted(bytes: Uint8Array, index: number, to: number, probe: Probe): boolean {
  const tagEnd = runEnd(DOLLAR_TAG, bytes, index, Math.min(to, index + MAX_BLANKS))
  if (tagEnd >= to || byteAt(bytes, tagEnd) !== DOLLAR) return false
  const tag = `$${latin1(bytes, index, tagEnd)}$`
  const start = tagEnd + 1
  const limit = Math.min(to, start + MAX_LITERAL_SIZE)
  let end = start
  for (;;) {
    end = runEnd(DOLLAR_QUOTED, bytes, end, limit)
    if (end >= limit || latin1(bytes, end, Math.min(to, end + tag.length)) === tag) break
    end++
  }
  return value(bytes, start, end, DOLLAR_QUOTED, end - start >= MAX_LITERAL_SIZE, probe)
}

function value(bytes: Uint8Array, start: number, end: number, set: Uint8Array, isCut: boolean, probe: Probe): boolean {
  probe.seen = end
  if (end === start || latin1(bytes, start, Math.min(end, start + 8)) === '[MASKED:') return false
  probe.start = start
  probe.end = end
  if (isCut) probe.tail = { set }
  return true
}

export const SQL_DETECTORS: readonly Detector[] = [rolePassword, identifiedBy]
