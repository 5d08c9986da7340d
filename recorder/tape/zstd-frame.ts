const MAGIC = 0xfd2fb528
const DICTIONARY_ID_SIZES = [0, 1, 2, 4]
const CONTENT_SIZE_SIZES = [0, 2, 4, 8]
const BLOCK_HEAD_SIZE = 3
const CHECKSUM_SIZE = 4
const RUN_LENGTH_BLOCK = 1
const RESERVED_BLOCK = 3

/**
 * How long the Zstandard frame is that `bytes` begins with, by its blocks' heads alone (RFC 8878, 3.1.1); in time linear in its blocks.
 * Throws where it is no frame, or one that is cut.
 */
export function zstdFrameSize(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 5 || view.getUint32(0, true) !== MAGIC) throw new Error('no zstd frame')
  const descriptor = view.getUint8(4)
  const single = (descriptor & 0x20) !== 0
  const contentSize = descriptor >> 6
  let at = 5 + (single ? 0 : 1) + (DICTIONARY_ID_SIZES[descriptor & 3] ?? 0)
  at += contentSize === 0 && single ? 1 : (CONTENT_SIZE_SIZES[contentSize] ?? 0)
  for (let last = false; !last; ) {
    if (at + BLOCK_HEAD_SIZE > bytes.length) throw new Error('a cut zstd frame')
    const head = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    last = (head & 1) === 1
    const type = (head >> 1) & 3
    if (type === RESERVED_BLOCK) throw new Error('no zstd frame')
    at += BLOCK_HEAD_SIZE + (type === RUN_LENGTH_BLOCK ? 1 : head >> 3)
  }
  if ((descriptor & 4) !== 0) at += CHECKSUM_SIZE
  if (at > bytes.length) throw new Error('a cut zstd frame')
  return at
}
