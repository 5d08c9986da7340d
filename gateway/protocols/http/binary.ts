import { isWideText } from './wide-text.ts'

/** Looked at by itself. */
const SLICE_SIZE = 1024
/** Of packed bytes one in ten is a control character, of programs and tables more. */
const SURELY_EACH = 32
const SURELY_LEAST = 8
/** As much tells a table of numbers from a text in UTF-16. */
const TABLE_SIZE = 256

/** Whether some of it is surely no text. What begins as one in UTF-16 or UTF-32 is one, whatever follows. */
export function holdsBinary(bytes: Uint8Array): boolean {
  if (isWideText(bytes.subarray(0, SLICE_SIZE), (text) => !hasControls(text))) return false
  for (let at = 0; at < bytes.length; at += SLICE_SIZE) if (isBinary(bytes.subarray(at, at + SLICE_SIZE))) return true
  return false
}

/**
 * Whether bytes are surely no text, by their control characters: neither a stray one is enough, nor what is no UTF-8, as other encodings are texts as well, nor
 * NULs between texts. But where many bytes are NUL it is UTF-16 or UTF-32, or a table of numbers.
 */
export function isBinary(bytes: Uint8Array): boolean {
  let controls = 0
  let nuls = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number // at < length
    if (byte === 0) nuls++
    if (isControl(byte) && (byte !== 0 || bytes[at - 1] === 0 || bytes[at + 1] === 0)) controls++
  }
  const surely = controls >= SURELY_LEAST
  if (nuls * 4 < bytes.length) return surely && controls * SURELY_EACH >= bytes.length
  return (surely || bytes.length >= TABLE_SIZE) && !isWideText(bytes, (text) => !hasControls(text))
}

export function hasControls(bytes: Uint8Array): boolean {
  return bytes.some(isControl)
}

function isControl(byte: number): boolean {
  return byte < 0x20 && byte !== 0x1b && (byte < 0x09 || byte > 0x0d)
}
