import { AT_SIGN, CLOSE_BRACE, COLON, DOLLAR, DOT, OPEN_BRACE, SLASH, STAR } from './ascii.ts'
import { isStandIn } from './assignment-rules.ts'
import { BASE64, beginsWord, bounds, byteAt, byteSet, DIGIT, latin1, runEnd, runStart, WORD } from './bytes.ts'
import type { Detector } from './detector.ts'

const SCHEME = byteSet('A-Za-z0-9+.-')
/** RFC 3986 3.2.1, with the characters people forget to encode. */
const USER = byteSet('A-Za-z0-9._~%!$&*+;=,-', { high: true })
const PASSWORD = byteSet('A-Za-z0-9._~%!$&*+;=,:#^?(){}|-', { high: true })
const HOST = byteSet('A-Za-z0-9[_', { high: true })
const MAX_USER_SIZE = 128
const MAX_PASSWORD_SIZE = 512
/** As much of a password as is judged. */
const MAX_JUDGED_SIZE = 64

/** The password of `scheme://user:password@host`, any scheme. */
const urlCredentials: Detector = {
  entity: 'url-credentials',
  triggers: ['[A-Za-z0-9]://'],
  verify(bytes, from, at, to, probe) {
    const colon = runEnd(USER, bytes, at, Math.min(to, at + MAX_USER_SIZE))
    probe.seen = colon
    if (colon >= to || byteAt(bytes, colon) !== COLON) return false
    const start = colon + 1
    let end = runEnd(PASSWORD, bytes, start, Math.min(to, start + MAX_PASSWORD_SIZE))
    probe.seen = end
    // A slash in a password is not legal, and met: accepted where an @ and a host follow in the same word.
    if (end < to && byteAt(bytes, end) === SLASH && runEnd(DIGIT, bytes, start, end) !== end) {
      end = runEnd(PASSWORD_WITH_SLASH, bytes, end, Math.min(to, start + MAX_PASSWORD_SIZE))
      probe.seen = end
    }
    if (end === start || end >= to || byteAt(bytes, end) !== AT_SIGN) return false
    if (bounds(HOST, bytes, end + 1, from, to) || isReference(bytes, start, end)) return false
    if (isStandIn(latin1(bytes, start, Math.min(end, start + MAX_JUDGED_SIZE)))) return false
    if (runStart(SCHEME, bytes, at - 3, from) === at - 3) return false
    probe.start = start
    probe.end = end
    return true
  },
}
const PASSWORD_WITH_SLASH = PASSWORD.map((member, byte) => (byte === 0x2f ? 1 : member))

/** `${NAME}`, `{{name}}`, `%NAME%`, `$NAME`, `****`: where a value would stand, not the value. */
function isReference(bytes: Uint8Array, start: number, end: number): boolean {
  const first = byteAt(bytes, start)
  const last = byteAt(bytes, end - 1)
  if ((first === DOLLAR || first === OPEN_BRACE) && last === CLOSE_BRACE) return true
  if (first === DOLLAR && runEnd(WORD, bytes, start + 1, end) === end) return true
  for (let i = start; i < end; i++) if (byteAt(bytes, i) !== first) return false
  return first === STAR || first === 0x78 || first === DOT
}

const BEARER = byteSet('A-Za-z0-9._~+/=-')
const MIN_BEARER_SIZE = 16
const MAX_HEAD_SIZE = 1024

/** Bearer tokens (RFC 6750 2.1) behind their scheme's name. */
const bearer: Detector = {
  entity: 'authorization',
  triggers: ['bearer '],
  ignoreCase: true,
  verify(bytes, from, at, to, probe) {
    if (!beginsWord(bytes, at - 7, from)) return false
    const end = runEnd(BEARER, bytes, at, Math.min(to, at + MAX_HEAD_SIZE))
    probe.seen = end
    if (end - at < MIN_BEARER_SIZE || runDigits(bytes, at, end) === 0) return false
    probe.start = at
    probe.end = end
    if (end - at === MAX_HEAD_SIZE) probe.tail = { set: BEARER }
    return true
  },
}

const MIN_BASIC_SIZE = 8

/** Basic credentials (RFC 7617 2): base64 that decodes to printable text with a colon. */
const basic: Detector = {
  entity: 'authorization',
  triggers: ['basic '],
  ignoreCase: true,
  verify(bytes, from, at, to, probe) {
    if (!beginsWord(bytes, at - 6, from)) return false
    const end = runEnd(BASE64, bytes, at, Math.min(to, at + MAX_HEAD_SIZE))
    probe.seen = end
    if (end - at < MIN_BASIC_SIZE || !decodesToCredentials(bytes, at, end)) return false
    probe.start = at
    probe.end = end
    if (end - at === MAX_HEAD_SIZE) probe.tail = { set: BASE64 }
    return true
  },
}

function decodesToCredentials(bytes: Uint8Array, start: number, end: number): boolean {
  let bits = 0
  let held = 0
  let hasColon = false
  for (let i = start; i < end; i++) {
    const value = BASE64_VALUES[byteAt(bytes, i)] ?? -1
    if (value < 0) break
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held < 8) continue
    held -= 8
    const byte = (bits >> held) & 0xff
    if (byte < 0x20 || byte === 0x7f) return false
    if (byte === COLON) hasColon = true
  }
  return hasColon
}
const BASE64_VALUES = new Int8Array(256).fill(-1)
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  BASE64_VALUES[character.charCodeAt(0)] = value
}

function runDigits(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let i = start; i < end; i++) count += DIGIT[byteAt(bytes, i)] ?? 0
  return count
}

export const HEADER_DETECTORS: readonly Detector[] = [urlCredentials, bearer, basic]
