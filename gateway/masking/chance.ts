import { HIT_ENTITIES } from './hits.ts'

/** Looked at on each side of what was found. */
const WINDOW_SIZE = 64
/** Text has none of these; of bytes that are no text (compressed, encrypted, machine code) every second is one. */
const MAX_SHARE = 1 / 8
/** What compressed data holds by chance, some fifteen times per MiB: a letter, `@`, and a few more. All else takes more luck than there is. */
const CHANCY = new Set([HIT_ENTITIES.indexOf('email')])

/** Control bytes that no text has: not NUL, which separates texts (/proc/<pid>/environ, find -print0), nor what terminals know. */
const STRANGE = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte > 0 && byte < 0x20 && !'\b\t\n\v\f\r\u0007\u000e\u000f\u001b'.includes(String.fromCharCode(byte))) || byte === 0x7f
    ? 1
    : 0,
)

/**
 * Whether what was found in bytes[start, end) is there by chance, in bytes that are no text. Masked, it would only break what is
 * transferred. `from` and `to`: as far as there are bytes.
 */
export function isChance(bytes: Uint8Array, from: number, start: number, end: number, to: number, entityId: number): boolean {
  if (!CHANCY.has(entityId)) return false
  const low = Math.max(from, start - WINDOW_SIZE)
  const high = Math.min(to, end + WINDOW_SIZE)
  let strange = 0
  for (let at = low; at < high; ) {
    const byte = bytes[at] as number // low <= at < high
    const size = byte < 0x80 ? 1 : sequenceSize(bytes, at, to)
    if (size === 0 || STRANGE[byte] === 1) strange++
    at += Math.max(1, size)
  }
  return strange > (high - low - (end - start)) * MAX_SHARE
}

/** Bytes of the UTF-8 character at `at`; 0 where there is none. One that is cut off by the end counts as one. */
export function sequenceSize(bytes: Uint8Array, at: number, to: number): number {
  const lead = bytes[at] ?? 0
  const size = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
  for (let next = at + 1; next < Math.min(at + size, to); next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0
  return size
}
