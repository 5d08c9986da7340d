import { A, DOT, HYPHEN, NINE, SPACE, UNDERSCORE, ZERO } from './ascii.ts'
import {
  ALNUM,
  beginsWord,
  bounds,
  byteAt,
  byteSet,
  DIGIT,
  endsEscape,
  pastEscape,
  runEnd,
  runStart,
  WORD,
  within,
} from './bytes.ts'
import type { Detector } from './detector.ts'

/** RFC 5321 4.5.3.1: local part 64, domain 255 octets. */
const MAX_LOCAL_SIZE = 64
const MAX_DOMAIN_SIZE = 255
/** The characters of local parts met in practice; quotes, slashes, equals signs rather belong to what stands around. */
export const LOCAL = byteSet("A-Za-z0-9._%+'-", { high: true })
export const DOMAIN = byteSet('A-Za-z0-9.-', { high: true })
export const LABEL_EDGE = byteSet('A-Za-z0-9', { high: true })
export const TOP_LEVEL = byteSet('A-Za-z', { high: true })

/** RFC 5321 addresses with a dotted domain. International (RFC 6531) letters count on both sides. */
const email: Detector = {
  entity: 'email',
  triggers: ['@[A-Za-z0-9\u0080-\u00ff]'],
  verify(bytes, from, at, to, probe) {
    const sign = at - 2
    const limit = Math.min(to, sign + 1 + MAX_DOMAIN_SIZE)
    let end = runEnd(DOMAIN, bytes, at, limit)
    probe.seen = end
    while (end > at && !within(LABEL_EDGE, bytes, end - 1)) end--
    // The last label is the top level: letters, two or more, or punycode. Most signs that are no address's have no dot behind them.
    let dot = end - 1
    while (dot > sign && byteAt(bytes, dot) !== DOT) dot--
    if (dot <= sign + 1 || end - dot < 3 || byteAt(bytes, dot - 1) === DOT) return false
    const isPunycode = end - dot > 5 && byteAt(bytes, dot + 3) === HYPHEN && byteAt(bytes, dot + 4) === HYPHEN
    if (!isPunycode && runEnd(TOP_LEVEL, bytes, dot + 1, end) !== end) return false
    let start = pastEscape(bytes, runStart(LOCAL, bytes, sign, Math.max(from, sign - MAX_LOCAL_SIZE)), from, sign)
    while (start < sign && !within(LABEL_EDGE, bytes, start) && byteAt(bytes, start) !== UNDERSCORE) start++
    if (start === sign) return false
    probe.start = start
    probe.end = end
    return true
  },
}

/**
 * Social security numbers as `ddd-dd-dddd` or with spaces. Never issued: area 000, 666 or 9xx, group 00, serial 0000
 * (SSA, "Social Security Number Randomization"), and the two numbers printed in advertisements.
 */
const usSsn: Detector = {
  entity: 'us-ssn',
  triggers: ['\\D\\d\\d\\d-\\d\\d-\\d', '\\D\\d\\d\\d \\d\\d \\d'],
  verify(bytes, from, at, to, probe) {
    const start = at - 8
    const end = start + 11
    if (end > to || runEnd(DIGIT, bytes, at, end) !== end) return false
    if (!isNumberStart(bytes, start, from) || !isNumberEnd(bytes, end, to)) return false
    const area = digits(bytes, start, 3)
    const group = digits(bytes, start + 4, 2)
    const serial = digits(bytes, start + 7, 4)
    if (area === 0 || area === 666 || area >= 900 || group === 0 || serial === 0) return false
    if ((area === 78 && group === 5 && serial === 1120) || (area === 219 && group === 9 && serial === 9999)) return false
    probe.start = start
    probe.end = end
    return true
  },
}

const digitShape = (count: number): string => '\\d'.repeat(count)
const MIN_CARD_DIGITS = 12
const MAX_CARD_DIGITS = 19

/** Payment cards (ISO/IEC 7812): 12 to 19 digits, plain or grouped, an issuer's range with its lengths, Luhn. */
const card: Detector = {
  entity: 'card',
  triggers: [
    `\\D[2-6]${digitShape(11)}`,
    `\\D1800${digitShape(8)}`,
    `\\D[2-6]${digitShape(3)}[ -]${digitShape(4)}[ -]`,
    `\\D3${digitShape(3)}[ -]${digitShape(6)}[ -]`,
  ],
  verify(bytes, from, at, to, probe) {
    const separator = byteAt(bytes, at - 1)
    const isGrouped = separator === SPACE || separator === HYPHEN
    const start = isGrouped ? at - (byteAt(bytes, at - 6) === separator ? 10 : 12) : at - 12
    if (start < from || !isNumberStart(bytes, start, from)) return false
    let count = 0
    let end = start
    let four = 0
    // Luhn doubles every second digit from the right. Which these are is known at the end, so both sums are kept.
    let evenDoubled = 0
    let oddDoubled = 0
    const first = byteAt(bytes, start)
    let isUniform = true
    for (let i = start; i < to; i++) {
      const byte = byteAt(bytes, i)
      if (DIGIT[byte] === 1) {
        if (count === MAX_CARD_DIGITS) return false
        const digit = byte - ZERO
        const doubled = digit < 5 ? 2 * digit : 2 * digit - 9
        if (count < 4) four = 10 * four + digit
        if (byte !== first) isUniform = false
        evenDoubled += count % 2 === 0 ? doubled : digit
        oddDoubled += count % 2 === 0 ? digit : doubled
        count++
        end = i + 1
      } else if (!isGrouped || byte !== separator || count % 2 === 1 || i + 1 >= to || !within(DIGIT, bytes, i + 1)) break
    }
    probe.seen = end
    if (!isNumberEnd(bytes, end, to)) return false
    if (isUniform || (count % 2 === 0 ? evenDoubled : oddDoubled) % 10 !== 0 || !isIssued(four, count)) return false
    probe.start = start
    probe.end = end
    return true
  },
}

/** Issuer identification numbers, by their first four digits, and their lengths (ISO/IEC 7812-1; the ranges the networks publish). */
function isIssued(four: number, count: number): boolean {
  const two = Math.trunc(four / 100)
  if (two >= 40 && two <= 49) return count === 13 || count === 16 || count === 19 // Visa
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return count === 16 // Mastercard
  if (two === 34 || two === 37) return count === 15 // American Express
  if ((four >= 3000 && four <= 3059) || two === 36 || two === 38 || two === 39) return count >= 14 && count <= 19 // Diners Club
  if (four === 2131 || four === 1800) return count === 15 // JCB, old
  if (two === 35) return count >= 16 // JCB
  if (four >= 2200 && four <= 2204) return count >= 16 // Mir
  if (four === 6011 || two === 64 || two === 65) return count >= 16 // Discover
  if (two === 62) return count >= 16 // UnionPay
  if (four === 6304 || four === 6759 || (four >= 6761 && four <= 6763) || four === 6390) return count >= 12 // Maestro
  if (two === 50 || (two >= 56 && two <= 58)) return count >= 12 // Maestro
  return two === 60 || two === 63 || two === 67 || two === 68 ? count >= 16 : false
}

/** By a number's first four digits, the lengths it may have: bit 0 is for the shortest. */
export const CARD_SIZES = Uint8Array.from({ length: 10_000 }, (_, four) => {
  let sizes = 0
  for (let count = MIN_CARD_DIGITS; count <= MAX_CARD_DIGITS; count++) {
    if (isIssued(four, count)) sizes |= 1 << (count - MIN_CARD_DIGITS)
  }
  return sizes
})

/** IBAN registry (SWIFT, release 99): total length by country, 0 where there is none. */
export const IBAN_SIZES = new Uint8Array(26 * 26)
for (const [entry] of (
  'AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18' +
  'GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15' +
  'OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30'
).matchAll(/.{4}/g)) {
  IBAN_SIZES[countryIndex(entry.charCodeAt(0), entry.charCodeAt(1))] = Number(entry.slice(2))
}

/** Of two upper-case letters. */
function countryIndex(first: number, second: number): number {
  return 26 * (first - A) + second - A
}

export const IBAN_CHARACTER = byteSet('A-Z0-9')

/** International bank account numbers (ISO 13616), plain or in groups of four: country, its length, and the mod-97 check. */
const iban: Detector = {
  entity: 'iban',
  // Behind no word, or what may be the end of a `\n`.
  triggers: ['[\u0000-/:-@[-^`bfnrtv{-\u00ff][A-Z][A-Z]\\d\\d[ A-Z0-9][A-Z0-9]'],
  verify(bytes, from, at, to, probe) {
    const start = at - 6
    if (start < from || !beginsWord(bytes, start, from)) return false
    const wanted = IBAN_SIZES[countryIndex(byteAt(bytes, start), byteAt(bytes, start + 1))] ?? 0
    if (wanted === 0) return false
    let count = 0
    let remainder = 0
    let i = start
    // The check runs over the number with its first four characters moved to the end; their share is added when it is over.
    for (; i < to && count < wanted; i++) {
      const byte = byteAt(bytes, i)
      if (byte === SPACE && count % 4 === 0) continue
      if (IBAN_CHARACTER[byte] !== 1) return false
      if (count >= 4) remainder = modulo97(remainder, byte)
      count++
    }
    probe.seen = i
    if (count < wanted || !bounds(WORD, bytes, i, from, to)) return false
    for (let k = 0; k < 4; k++) remainder = modulo97(remainder, byteAt(bytes, start + k))
    if (remainder !== 1) return false
    probe.start = start
    probe.end = i
    return true
  },
}

function modulo97(remainder: number, byte: number): number {
  return byte <= NINE ? (remainder * 10 + byte - ZERO) % 97 : (remainder * 100 + byte - A + 10) % 97
}

/** No digit run, word, or dotted or hyphenated number goes on before `start`. */
function isNumberStart(bytes: Uint8Array, start: number, from: number): boolean {
  if (start <= from) return start === from
  const before = byteAt(bytes, start - 1)
  if (WORD[before] === 1) return endsEscape(bytes, start, from)
  return !((before === HYPHEN || before === DOT) && start - 2 >= from && within(ALNUM, bytes, start - 2))
}

/** No digit run, word, or dotted or hyphenated number goes on at `end`. */
function isNumberEnd(bytes: Uint8Array, end: number, to: number): boolean {
  if (end >= to) return true
  const after = byteAt(bytes, end)
  if (WORD[after] === 1) return false
  return !(
    (after === HYPHEN || after === DOT) &&
    end + 1 < to &&
    within(ALNUM, bytes, end + 1) &&
    (after === HYPHEN || within(DIGIT, bytes, end + 1))
  )
}

function digits(bytes: Uint8Array, index: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) value = value * 10 + byteAt(bytes, index + i) - ZERO
  return value
}

export const PII_DETECTORS: readonly Detector[] = [email, usSsn, card, iban]
