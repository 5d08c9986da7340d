import {
  AMPERSAND,
  BACKSLASH,
  CARRIAGE_RETURN,
  CLOSE,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  EQUALS,
  GREATER,
  HASH,
  HYPHEN,
  NEWLINE,
  OPEN,
  SEMICOLON,
} from './ascii.ts'
import { isAwsSecret, isSecretValue, SECRET_WORDS } from './assignment-rules.ts'
import { bounds, byteAt, byteSet, follows, pastEscape, runEnd, runStart, WORD, within } from './bytes.ts'
import { Candidate } from './candidate.ts'
import type { Detector, Probe } from './detector.ts'
import { inNoise } from './noise.ts'

/** The longest name looked at, to each side of the word that gave it away. */
const MAX_NAME_SIZE = 48
/** A value's head; what is longer goes on as a tail to its closing quote or the end of its word. */
const MAX_VALUE_SIZE = 512
/** What judging a name and a value by their words costs, in bytes looked at. */
const JUDGEMENT_COST = 512
const MAX_SPACES = 8
const MAX_SEPARATOR_SIZE = 5

const NAME = byteSet('A-Za-z0-9_.-')
const SPACES = byteSet(' \t')
const BLANKS = byteSet(' \t\r\n')
const SEPARATOR = byteSet(':=>|?.,(')
const LINE_START = byteSet(' \t"\'#*/-')
/** Where an unquoted value ends: at blanks, quotes, `,` `;` `<` `>` `\` and control bytes. */
const BARE = byteSet('!#-&(-+--:=?-[]-_a-~', { high: true })
/** By the quote a value stands in, what it may hold. */
const QUOTED: readonly (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, byte) =>
  byte === 0x22 || byte === 0x27 || byte === 0x60 ? lineBut(byte) : undefined,
)

/** Any may be behind a `key` that ends a name: the word is in too many others. */
const KEY_END = '[ :="\'`>|,(?\\]'

/** Where the value of `name` begins, and how it is separated; one for all candidates. */
const found = { value: 0, isTight: false, isArgument: false }
const candidate = new Candidate()

/**
 * `word` within a name gives an assignment away; with `follow`, a set, only where the name ends there.
 * `name = value`, `name: value`, `"name": "value"`, `name => 'value'`, `NAME=value`, `<name>value<`, `setName("value")`, `--name value`.
 */
function assignment(entity: 'password' | 'secret', word: string, follow = ''): Detector {
  return {
    entity,
    triggers: [word + follow],
    ignoreCase: true,
    verify(bytes, from, at, to, probe) {
      const wordEnd = follow === '' ? at : at - 1
      const nameEnd = runEnd(NAME, bytes, wordEnd, Math.min(to, wordEnd + MAX_NAME_SIZE))
      probe.seen = nameEnd
      if (nameEnd >= to || nameEnd - wordEnd === MAX_NAME_SIZE) return false
      probe.seen = nameEnd + MAX_NAME_SIZE
      const nameStart = pastEscape(bytes, runStart(NAME, bytes, wordEnd, Math.max(from, wordEnd - MAX_NAME_SIZE)), from, wordEnd)
      if (!separated(bytes, nameStart, nameEnd, to)) return false
      return verifyValue(bytes, entity, word, from, nameStart, wordEnd, nameEnd, to, probe)
    },
  }
}

function separated(bytes: Uint8Array, nameStart: number, nameEnd: number, to: number): boolean {
  let i = nameEnd
  // A quoted or subscripted name: `"password"`, `\"password\"`, `['password']`.
  while (i < to && byteAt(bytes, i) === BACKSLASH && i - nameEnd < 4) i++
  const isQuotedName = i < to && QUOTED[byteAt(bytes, i)] !== undefined
  if (isQuotedName) i++
  if (i < to && byteAt(bytes, i) === CLOSE_BRACKET) i++
  const spaced = runEnd(SPACES, bytes, i, Math.min(to, i + MAX_SPACES))
  const end = runEnd(SEPARATOR, bytes, spaced, Math.min(to, spaced + MAX_SEPARATOR_SIZE))
  if (end >= to) return false
  const first = byteAt(bytes, spaced)
  found.isArgument = false
  found.isTight = false
  if (end === spaced) {
    // `--password x`.
    const isFlag = nameEnd - nameStart > 2 && byteAt(bytes, nameStart) === HYPHEN && byteAt(bytes, nameStart + 1) === HYPHEN
    if (spaced === i || !isFlag) return false
    found.isTight = true
    found.value = end
    return true
  }
  let hasMark = false
  for (let k = spaced; k < end; k++) {
    const byte = byteAt(bytes, k)
    if (byte === COLON || byte === EQUALS) hasMark = true
  }
  if (!hasMark) {
    if (first === GREATER && end === spaced + 1 && i === nameEnd && spaced === i) {
      found.value = runEnd(BLANKS, bytes, end, Math.min(to, end + 4 * MAX_SPACES))
      found.isTight = true
      return found.value < to
    }
    if (end !== spaced + 1 || !(first === OPEN || (first === COMMA && isQuotedName))) return false
    found.isArgument = true
  }
  found.value = runEnd(SPACES, bytes, end, Math.min(to, end + MAX_SPACES))
  found.isTight = hasMark && spaced === nameEnd && found.value === end && first === EQUALS && end === spaced + 1
  return found.value < to
}

function verifyValue(
  bytes: Uint8Array,
  entity: 'password' | 'secret',
  word: string,
  from: number,
  nameStart: number,
  wordEnd: number,
  nameEnd: number,
  to: number,
  probe: Probe,
): boolean {
  const { isTight, isArgument } = found
  let start = found.value
  const slashes = start
  while (start < to && byteAt(bytes, start) === BACKSLASH && start - slashes < 4) start++
  const escapes = start - slashes
  const quote = start < to ? byteAt(bytes, start) : 0
  const quoted = QUOTED[quote]
  if (quoted === undefined && (escapes > 0 || isArgument)) return false
  const set = quoted ?? BARE
  if (quoted !== undefined) start++
  const limit = Math.min(to, start + MAX_VALUE_SIZE)
  let end = runEnd(set, bytes, start, limit)
  if (quoted === undefined) {
    if (isTight) end = beforeNextParameter(bytes, start, end)
    // A closing bracket belongs to the code around a bare word, unless it was opened inside.
    while (
      end > start &&
      (byteAt(bytes, end - 1) === CLOSE || byteAt(bytes, end - 1) === CLOSE_BRACE || byteAt(bytes, end - 1) === CLOSE_BRACKET)
    )
      end--
  } else if (escapes === 0) {
    // An escaped quote does not close the value.
    while (end > start && end + 1 < limit && byteAt(bytes, end) === quote && byteAt(bytes, end - 1) === BACKSLASH)
      end = runEnd(set, bytes, end + 1, limit)
  }
  const isCut = end - start === MAX_VALUE_SIZE
  if (escapes > 0 && !isCut) while (end > start && byteAt(bytes, end - 1) === BACKSLASH) end--
  probe.seen = end + JUDGEMENT_COST
  candidate.set(bytes, nameStart, nameEnd, start, end)
  candidate.wordEnd = wordEnd - nameStart
  if (!candidate.hasSecretName(word)) return false
  candidate.isQuoted = quoted !== undefined
  candidate.isTight = isTight
  candidate.isArgument = isArgument
  candidate.isLine = quoted === undefined && isLineStart(bytes, nameStart, from) && isLineEnd(bytes, end, to)
  candidate.isInCode =
    end < to &&
    (byteAt(bytes, end) === CLOSE ||
      byteAt(bytes, end) === SEMICOLON ||
      byteAt(bytes, end) === COMMA ||
      byteAt(bytes, end) === CLOSE_BRACKET)
  if (!isSecretValue(candidate, entity)) return false
  if (inNoise(bytes, nameStart, end, Math.min(from, probe.back), to)) return false
  if (isAwsSecret(candidate.name, candidate.value)) probe.entity = 'aws-secret-access-key'
  probe.start = start
  probe.end = end
  if (isCut) probe.tail = { set }
  return true
}

/** In `a=value&b=...` the value ends at the ampersand. */
function beforeNextParameter(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    if (byteAt(bytes, i) !== AMPERSAND) continue
    const name = runEnd(NAME, bytes, i + 1, end)
    if (name > i + 1 && name < end && byteAt(bytes, name) === EQUALS) return i
  }
  return end
}

function isLineStart(bytes: Uint8Array, nameStart: number, from: number): boolean {
  const start = runStart(LINE_START, bytes, nameStart, Math.max(from, nameStart - 4 * MAX_SPACES))
  return start === from || byteAt(bytes, start - 1) === NEWLINE
}

function isLineEnd(bytes: Uint8Array, end: number, to: number): boolean {
  const after = runEnd(SPACES, bytes, end, Math.min(to, end + MAX_SPACES))
  return (
    after >= to ||
    byteAt(bytes, after) === NEWLINE ||
    byteAt(bytes, after) === CARRIAGE_RETURN ||
    (after > end && byteAt(bytes, after) === HASH)
  )
}

const USER = byteSet('A-Za-z0-9._@%+-')

/** `curl -u user:password`. */
const curlUser: Detector = {
  entity: 'password',
  triggers: [' -u ', '--user '],
  verify(bytes, from, at, to, probe) {
    probe.seen = at + at - from
    if (!follows(bytes, from, at, 'curl')) return false
    const quote = at < to ? QUOTED[byteAt(bytes, at)] : undefined
    const user = quote === undefined ? at : at + 1
    const colon = runEnd(USER, bytes, user, Math.min(to, user + MAX_NAME_SIZE))
    probe.seen = colon
    if (colon >= to || byteAt(bytes, colon) !== COLON) return false
    const start = colon + 1
    const end = runEnd(quote ?? BARE, bytes, start, Math.min(to, start + MAX_VALUE_SIZE))
    probe.seen = end
    if (end - start < 3 || !within(WORD, bytes, start) || !bounds(NAME, bytes, end, from, to)) return false
    probe.start = start
    probe.end = end
    return true
  },
}

function lineBut(quote: number): Uint8Array {
  const set = new Uint8Array(256).fill(1)
  set[quote] = 0
  set[NEWLINE] = 0
  set[CARRIAGE_RETURN] = 0
  return set
}

export const ASSIGNMENT_DETECTORS: readonly Detector[] = [
  ...SECRET_WORDS.map(([entity, word]) => assignment(entity, word, word === 'key' ? KEY_END : '')),
  curlUser,
]
