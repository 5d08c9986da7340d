/** Magic, method and flags, time, extra flags, system. */
export const GZIP_HEADER_SIZE = 10
/** CRC-32 and size of what was compressed. */
export const GZIP_TRAILER_SIZE = 8

/**
 * Whether `bytes` begin as one gzip member without optional fields does (RFC 1952 section 2.3), the only form a tape has, and end with the size of
 * what came out. Decompressors differ in what they take beyond that: several members, bytes behind them.
 */
export function isPlainGzip(bytes: Uint8Array, rawSize: number): boolean {
  if (bytes.length < GZIP_HEADER_SIZE + GZIP_TRAILER_SIZE) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.getUint32(0) === 0x1f8b0800 && view.getUint32(bytes.length - 4, true) === rawSize % 2 ** 32
}
