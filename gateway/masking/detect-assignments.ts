import { byteAt, byteSet, latin1, runEnd, runStart } from './bytes.ts'
import type { Detector, Probe } from './detector.ts'
import type { EntityName } from './rules.ts'

/** The longest name looked at, to each side of the word that gave it away. */
const MAX_NAME_SIZE = 48
/** A value's head; what is longer goes on as a tail to its closing quote or the end of its word. */
const MAX_VALUE_SIZE = 512
const MAX_SPACES = 8

const NAME = byteSet('A-Za-z0-9_.-')
const SPACES = byteSet(' \t')
/** Where an unquoted value ends. */
const UNQUOTED = byteSet('!#-%*-:<-Z^-z|~?@=+/', { high: true })
const DOUBLE_QUOTED = anythingBut(0x22)
const SINGLE_QUOTED = anythingBut(0x27)
const BACK_QUOTED = anythingBut(0x60)

/** `name = value`, `name: value`, `"name": "value"`, `name => 'value'`, `NAME=value`, `<name>value<`, `--name value`. */
function assignment(entity: EntityName, words: readonly string[]): Detector {
  return {
    entity,
    triggers: words,
    ignoreCase: true,
    verify(bytes, from, at, to, probe) {
      const nameEnd = runEnd(NAME, bytes, at, Math.min(to, at + MAX_NAME_SIZE))
      const value = valueStart(bytes, nameEnd, to)
      probe.seen = value < 0 ? nameEnd : value
      if (value < 0) return false
      const nameStart = runStart(NAME, bytes, at, Math.max(from, at - MAX_NAME_SIZE))
      return verifyValue(bytes, nameStart, at, nameEnd, value, to, probe)
    },
  }
}

/** The index behind the separator and its spaces, or -1 where no value is given. */
function valueStart(bytes: Uint8Array, nameEnd: number, to: number): number {
  let i = nameEnd
  // A quoted or subscripted name: `"password"`, `\"password\"`, `['password']`.
  if (i < to && byteAt(bytes, i) === BACKSLASH) i++
  if (i < to && isQuote(byteAt(bytes, i))) i++
  if (i < to && byteAt(bytes, i) === CLOSE_BRACKET) i++
  i = runEnd(SPACES, bytes, i, Math.min(to, i + MAX_SPACES))
  if (i >= to) return -1
  const first = byteAt(bytes, i)
  if (first === COLON) {
    i++
    while (i < to && (byteAt(bytes, i) === COLON || byteAt(bytes, i) === EQUALS)) i++
  } else if (first === EQUALS) {
    i++
    if (i < to && byteAt(bytes, i) === EQUALS) return -1
    if (i < to && byteAt(bytes, i) === GREATER) i++
  } else if (first === GREATER && i === nameEnd) {
    i++
  } else {
    return -1
  }
  return runEnd(SPACES, bytes, i, Math.min(to, i + MAX_SPACES))
}

function verifyValue(
  bytes: Uint8Array,
  nameStart: number,
  at: number,
  nameEnd: number,
  value: number,
  to: number,
  probe: Probe,
): boolean {
  let start = value
  let isEscaped = false
  if (start < to && byteAt(bytes, start) === BACKSLASH) {
    isEscaped = true
    start++
  }
  const quote = start < to ? byteAt(bytes, start) : 0
  const isQuoted = isQuote(quote)
  if (isQuoted) start++
  else if (isEscaped) return false
  const set = quote === 0x22 ? DOUBLE_QUOTED : quote === 0x27 ? SINGLE_QUOTED : quote === 0x60 ? BACK_QUOTED : UNQUOTED
  let end = runEnd(set, bytes, start, Math.min(to, start + MAX_VALUE_SIZE))
  probe.seen = end
  const isCut = end - start === MAX_VALUE_SIZE
  // `\"` closes a value whose opening quote was escaped, and does not close one whose quote was not.
  if (isEscaped) while (end > start && byteAt(bytes, end - 1) === BACKSLASH) end--
  else if (!isCut)
    while (
      isQuoted &&
      end > start &&
      end + 1 < to &&
      byteAt(bytes, end - 1) === BACKSLASH &&
      byteAt(bytes, end) === quote &&
      end - start < MAX_VALUE_SIZE
    ) {
      end = runEnd(set, bytes, end + 1, Math.min(to, start + MAX_VALUE_SIZE))
    }
  if (!isQuoted) while (end > start && (byteAt(bytes, end - 1) === COMMA || byteAt(bytes, end - 1) === SEMICOLON)) end--
  probe.seen = Math.max(probe.seen, end)
  if (!isSecretName(latin1(bytes, nameStart, nameEnd), at - nameStart)) return false
  probe.start = start
  probe.end = end
  if (isCut) probe.tail = { set }
  return isSecretValue(latin1(bytes, start, Math.min(end, start + 128)), isQuoted)
}

function isSecretName(name: string, wordEnd: number): boolean {
  return wordEnd > 0 && !NOT_SECRET.test(name.slice(wordEnd))
}
const NOT_SECRET = /(?:file|path|url|uri|name|field|type|id|length|len|count|policy|reset|expir\w*|ttl|age|timeout)s?$/i

function isSecretValue(value: string, isQuoted: boolean): boolean {
  if (value.length < 4) return false
  if (/^(?:\[MASKED|\$|\{\{|<|%|\*+$|x+$|\.+$)/i.test(value)) return false
  if (/^(?:null|none|nil|true|false|undefined|string|required|optional)$/i.test(value)) return false
  return isQuoted || !/^[A-Za-z_.]+[([]?/.test(value) || /\d/.test(value)
}

function anythingBut(quote: number): Uint8Array {
  const set = new Uint8Array(256).fill(1)
  set[quote] = 0
  set[0x0a] = 0
  set[0x0d] = 0
  return set
}

function isQuote(byte: number): boolean {
  return byte === 0x22 || byte === 0x27 || byte === 0x60
}

const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const EQUALS = 0x3d
const GREATER = 0x3e
const COMMA = 0x2c
const SEMICOLON = 0x3b

export const ASSIGNMENT_DETECTORS: readonly Detector[] = [
  assignment('password', ['pass', 'pwd']),
  assignment('secret', [
    'secret',
    'token',
    'credential',
    'api_key',
    'api-key',
    'apikey',
    'access_key',
    'accesskey',
    'private_key',
    'auth',
  ]),
]
