import { BACKSLASH } from './ascii.ts'
import { byteAt, HEX, latin1, runEnd } from './bytes.ts'
import type { Detector } from './detector.ts'

/** Digits of the shortest value any detector knows: six bytes. */
const MIN_DIGITS = 12

/** Bytes written out as `\x` and hex digits, as PostgreSQL shows a bytea inside of arrays, rows and documents. */
const hexBytes: Detector = {
  entity: null,
  triggers: ['\\x'],
  verify(bytes, from, at, to, probe) {
    const end = runEnd(HEX, bytes, at, to)
    probe.seen = end
    if (end - at < MIN_DIGITS) return false
    // Inside a quoted text the backslash is doubled.
    probe.start = at - 2 > from && byteAt(bytes, at - 3) === BACKSLASH ? at - 3 : at - 2
    probe.end = end
    probe.inside = Buffer.from(latin1(bytes, at, end), 'hex')
    if (end === to) probe.tail = { set: HEX }
    return true
  },
}

export const HEX_DETECTORS: readonly Detector[] = [hexBytes]
