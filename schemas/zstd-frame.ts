const MAGIC = 0xfd2fb528
const SINGLE_SEGMENT = 0x20
/** Of a frame's descriptor: what has no meaning yet, a checksum, a dictionary. */
const UNWANTED_FLAGS = 0x1f
const CHECKSUM_FLAG = 0x04
const DICTIONARY_ID_SIZES = [0, 1, 2, 4]
const CONTENT_SIZE_SIZES = [0, 2, 4, 8]
const BLOCK_HEAD_SIZE = 3
const CHECKSUM_SIZE = 4
const RAW_BLOCK = 0
const RUN_LENGTH_BLOCK = 1
const COMPRESSED_BLOCK = 2
const RESERVED_BLOCK = 3
/** RFC 8878 (3.1.1.2.4): a block has no more, nor more than the window. */
const MAX_BLOCK_SIZE = 128 << 10
/** Literals and sequences have a byte of head each, and there is a literal: some decoders refuse less, others read on behind it. */
const LEAST_COMPRESSED_SIZE = 3
/** What RFC 8878 (3.1.1.1.2) asks every decoder to support. */
const MAX_WINDOW_SIZE = 8 << 20

interface ZstdFrame {
  /** With everything: head, blocks, checksum. */
  readonly size: number
  readonly descriptor: number
  /** Undefined where the frame does not say. */
  readonly contentSize: number | undefined
  /** Undefined where the content is its own window. */
  readonly windowSize: number | undefined
  /** Whether each is one that every decoder reads alike, if the window does not make it too large. */
  readonly plainBlocks: boolean
  readonly largestBlock: number
}

/**
 * How long the Zstandard frame is that `bytes` begins with, by its blocks' heads alone (RFC 8878, 3.1.1); in time linear in its blocks.
 * Throws where it is no frame, or one that is cut.
 */
export function zstdFrameSize(bytes: Uint8Array): number {
  return frameAt(bytes).size
}

/**
 * Whether `bytes` are one plain frame of `rawSize` bytes and nothing else, the only form a tape has: docs/tape-format.md, "Chunk". Decompressors
 * differ in what they take beyond that: other frames, skippable ones, dictionaries, sizes that are not those of the content.
 * That the blocks hold what they should is for whoever decompresses.
 */
export function isPlainZstd(bytes: Uint8Array, rawSize: number): boolean {
  let frame: ZstdFrame
  try {
    frame = frameAt(bytes)
  } catch {
    return false // not a frame at all
  }
  const { size, descriptor, contentSize, windowSize = rawSize, plainBlocks, largestBlock } = frame
  if (size !== bytes.length || (descriptor & UNWANTED_FLAGS) !== 0 || contentSize !== rawSize || !plainBlocks) return false
  if (frame.windowSize !== undefined && frame.windowSize > MAX_WINDOW_SIZE) return false
  return largestBlock <= Math.min(windowSize, MAX_BLOCK_SIZE)
}

function frameAt(bytes: Uint8Array): ZstdFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 5 || view.getUint32(0, true) !== MAGIC) throw new Error('no zstd frame')
  const descriptor = view.getUint8(4)
  const single = (descriptor & SINGLE_SEGMENT) !== 0
  const sizeFlag = descriptor >> 6
  const windowAt = 5
  const contentAt = windowAt + (single ? 0 : 1) + (DICTIONARY_ID_SIZES[descriptor & 3] ?? 0)
  let at = contentAt + (sizeFlag === 0 && single ? 1 : (CONTENT_SIZE_SIZES[sizeFlag] ?? 0))
  const headEnd = at
  let [plainBlocks, largestBlock] = [true, 0]
  for (let last = false; !last; ) {
    if (at + BLOCK_HEAD_SIZE > bytes.length) throw new Error('a cut zstd frame')
    const head = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    last = (head & 1) === 1
    const type = (head >> 1) & 3
    const size = head >> 3
    if (type === RESERVED_BLOCK) throw new Error('no zstd frame')
    if (size === 0 && !(last && type === RAW_BLOCK)) plainBlocks = false
    if (type === COMPRESSED_BLOCK && size < LEAST_COMPRESSED_SIZE) plainBlocks = false
    largestBlock = Math.max(largestBlock, size)
    at += BLOCK_HEAD_SIZE + (type === RUN_LENGTH_BLOCK ? 1 : size)
  }
  if ((descriptor & CHECKSUM_FLAG) !== 0) at += CHECKSUM_SIZE
  if (at > bytes.length) throw new Error('a cut zstd frame')
  return {
    size: at,
    descriptor,
    contentSize: contentSizeIn(view, contentAt, headEnd - contentAt),
    windowSize: single ? undefined : windowSizeOf(view.getUint8(windowAt)),
    plainBlocks,
    largestBlock,
  }
}

/** RFC 8878, 3.1.1.1.4. */
function contentSizeIn(view: DataView, at: number, size: number): number | undefined {
  switch (size) {
    case 0:
      return undefined
    case 1:
      return view.getUint8(at)
    case 2:
      return view.getUint16(at, true) + 256
    case 4:
      return view.getUint32(at, true)
    default:
      return Number(view.getBigUint64(at, true))
  }
}

/** RFC 8878, 3.1.1.1.2. */
function windowSizeOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3))
  return base + (base / 8) * (byte & 7)
}
