import type { ValidatorName } from '../../../schemas/policy-masking.ts'
import { type ByteSet, byteAt, byteSet, DIGIT } from '../bytes.ts'

interface Validator {
  /** Without a byte of these no value passes. */
  readonly needs: ByteSet
  check(bytes: Uint8Array, start: number, end: number): boolean
}

const ZERO = 0x30

/** Digits of a value; what stands between them is passed over. */
function digitsOf(bytes: Uint8Array, start: number, end: number): readonly number[] {
  const digits: number[] = []
  for (let i = start; i < end; i++) if (DIGIT[byteAt(bytes, i)] === 1) digits.push(byteAt(bytes, i) - ZERO)
  return digits
}

/** What a number has to satisfy beside its shape. */
export const VALIDATORS: Readonly<Record<ValidatorName, Validator>> = {
  /** ISO/IEC 7812-1, annex B. */
  luhn: {
    needs: DIGIT,
    check: (bytes, start, end) => {
      const digits = digitsOf(bytes, start, end).toReversed()
      const sum = digits.reduce((total, digit, i) => total + (i % 2 === 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9), 0)
      return digits.length > 1 && sum > 0 && sum % 10 === 0
    },
  },
  /** ISO/IEC 7064, MOD 97-10: of the digits alone. */
  'mod-97': {
    needs: DIGIT,
    check: (bytes, start, end) => {
      const digits = digitsOf(bytes, start, end)
      return digits.length > 2 && digits.reduce((rest, digit) => (rest * 10 + digit) % 97, 0) === 1
    },
  },
  /** Weights that count down to 1 at the check digit, where X is ten (ISBN-10, the NHS number). */
  'mod-11': {
    needs: DIGIT,
    check: (bytes, start, end) => {
      const digits = [...digitsOf(bytes, start, end)]
      if ((byteAt(bytes, end - 1) | 0x20) === 0x78) digits.push(10)
      const sum = digits.reduce((total, digit, i) => total + digit * (digits.length - i), 0)
      return digits.length > 2 && sum > 0 && sum % 11 === 0
    },
  },
  /** ITU-T E.164: at most 15 digits; shorter than 7 nobody is called from afar. Dates and times, which are as long, are none. */
  phone: {
    needs: DIGIT,
    check: (bytes, start, end) => {
      const digits = digitsOf(bytes, start, end)
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
      return digits.length >= 7 && digits.length <= 15 && new Set(digits).size > 1 && !DATE.test(text)
    },
  },
  /** A digit and a letter: no word, and no number. */
  mixed: {
    needs: byteSet('0-9'),
    check: (bytes, start, end) => {
      let digits = 0
      let letters = 0
      for (let i = start; i < end; i++) {
        digits += DIGIT[byteAt(bytes, i)] ?? 0
        letters += LETTER[byteAt(bytes, i)] ?? 0
      }
      return digits > 0 && letters > 0
    },
  },
}

const LETTER = byteSet('A-Za-z')
const DATE = /^(?:(?:19|20)\d\d[-/. ]?[01]\d[-/. ]?[0-3]\d|[0-3]?\d[-/.][0-3]?\d[-/.](?:19|20)\d\d)/
