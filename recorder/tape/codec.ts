import { promisify } from 'node:util'
import {
  constants,
  crc32,
  createZstdCompress,
  gzip,
  inflateRawSync,
  type ZstdCompress,
  type ZstdOptions,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import { ApplianceError } from '../../schemas/errors.ts'
import { GZIP_HEADER_SIZE, GZIP_TRAILER_SIZE, isPlainGzip } from '../../schemas/gzip.ts'
import { type Codec, MAX_CHUNK_RAW_SIZE, MAX_RECORD_SIZE } from '../../schemas/tape.ts'
import { isPlainZstd, zstdFrameSize } from '../../schemas/zstd-frame.ts'

const gzipAsync = promisify(gzip)

/** Below this nothing is worth a trip through the thread pool. */
const WORTH_COMPRESSING = 256
/** Recording: 942 MB/s at a ratio of 7 on query results; higher levels cost three times as much for a tenth less. */
const ZSTD_LEVEL = 1
const GZIP_LEVEL = 3
/** Up to this, compressing within the call (60 us) costs less than a trip through the thread pool (145 us of CPU). */
const SYNC_SIZE = 16 << 10

/** Compresses off the loop; falls back to `store` where it gains nothing. */
export async function compress(raw: Uint8Array, codec: Codec): Promise<{ readonly codec: Codec; readonly stored: Uint8Array }> {
  if (codec === 'store' || raw.length < WORTH_COMPRESSING) return { codec: 'store', stored: raw }
  if (raw.length > MIN_SAMPLED_SIZE && isIncompressible(raw)) return { codec: 'store', stored: raw }
  const stored = codec === 'zstd' ? theFrame(await zstd(raw)) : await gzipAsync(raw, { level: GZIP_LEVEL })
  return stored.length < raw.length ? { codec, stored } : { codec: 'store', stored: raw }
}

/** Four pieces make a sample of a chunk: 60 us, where trying all of a chunk that gains nothing takes twenty times as long and as much memory again. */
const MIN_SAMPLED_SIZE = 64 << 10
const PIECE_SIZE = 4 << 10
const PIECES = 4
const sample = Buffer.allocUnsafeSlow(PIECES * PIECE_SIZE)
/** Gains less than this: not worth the time of whoever reads it either. */
const LEAST_GAIN = 0.02

/** Whether a sample gains nothing: what is compressed or encrypted already, as most large files are. */
function isIncompressible(raw: Uint8Array): boolean {
  const step = (raw.length - PIECE_SIZE) / (PIECES - 1)
  for (let piece = 0; piece < PIECES; piece++) {
    const at = Math.floor(piece * step)
    sample.set(raw.subarray(at, at + PIECE_SIZE), piece * PIECE_SIZE)
  }
  const gained = zstdCompressSync(sample, { params: PARAMS, chunkSize: 2 * sample.length, pledgedSrcSize: sample.length })
  return gained.length > (1 - LEAST_GAIN) * sample.length
}

/**
 * Without what may stand behind it: where a frame ends just where an output block does, Node cannot know that it has ended, asks for more
 * and gets a frame of nothing. What stands behind the frame is outside every signature, and every verifier refuses the chunk for it.
 */
function theFrame(stored: Uint8Array): Uint8Array {
  const size = zstdFrameSize(stored)
  return size === stored.length ? stored : stored.subarray(0, size)
}

function zstd(raw: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (raw.length > SYNC_SIZE) return zstdPooled(raw)
  return zstdCompressSync(raw, { params: PARAMS, chunkSize: Math.max(LEAST_OUTPUT, raw.length >> 1), pledgedSrcSize: raw.length })
}

/**
 * Output blocks of a compressor, for one chunk after the other. As long as there is room for all that a chunk can come to, zstd writes into it
 * directly; with less it goes by way of a window and buffers of its own, which costs a fifth more.
 */
const OUTPUT_SIZE = 8 << 20
const PARAMS = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL }
/** Nobody reads before a frame is complete, so there must be room for all of it. */
const POOLED: ZstdOptions & { readonly readableHighWaterMark: number } = {
  params: PARAMS,
  flush: constants.ZSTD_e_end,
  chunkSize: OUTPUT_SIZE,
  readableHighWaterMark: MAX_RECORD_SIZE,
}
/** Compressors nobody uses just now. */
const idle: ZstdCompress[] = []

/**
 * One frame, on the thread pool. A compressor takes more than a megabyte and longer to set up than to compress a chunk, and each
 * new one brings the next garbage collection nearer; so it is used again, which it can be because each write ends a frame.
 */
async function zstdPooled(raw: Uint8Array): Promise<Uint8Array> {
  const compressor = idle.pop() ?? createZstdCompress(POOLED)
  const stored = await new Promise<Uint8Array>((resolve, reject) => {
    compressor.once('error', reject)
    compressor.write(raw, (error) => {
      if (error !== null && error !== undefined) return reject(error)
      compressor.off('error', reject)
      const frame: unknown = compressor.read()
      if (frame instanceof Uint8Array) resolve(frame)
      else reject(new Error('zstd gave nothing back'))
    })
  })
  if (idle.length < MAX_IDLE) idle.push(compressor)
  else compressor.destroy()
  return stored
}

/** As many as the thread pool has threads. */
const MAX_IDLE = 4

/** The smallest output block zlib takes is 64. */
const LEAST_OUTPUT = 1024

/** Exactly `rawSize` bytes, or TAPE_MALFORMED; never more memory than that, whatever the input claims. */
export function decompress(codec: Codec, stored: Uint8Array, rawSize: number): Uint8Array {
  if (rawSize > MAX_CHUNK_RAW_SIZE)
    throw new ApplianceError('TAPE_MALFORMED', `a chunk of ${rawSize} bytes, the limit is ${MAX_CHUNK_RAW_SIZE}`)
  let raw: Uint8Array
  try {
    // maxOutputLength may not be 0.
    const maxOutputLength = Math.max(rawSize, 1)
    raw = codec === 'store' ? stored : codec === 'zstd' ? unzstdOne(stored, rawSize) : gunzipOne(stored, maxOutputLength)
  } catch (error) {
    throw new ApplianceError('TAPE_MALFORMED', `the chunk cannot be decompressed (${codec})`, { cause: error })
  }
  if (raw.length !== rawSize)
    throw new ApplianceError('TAPE_MALFORMED', `the chunk has ${raw.length} bytes, its header says ${rawSize}`)
  return raw
}

/** What Node gives where `info` is asked for, which its types do not know: also how much of the input it took. */
interface Informed {
  readonly buffer: Uint8Array
  readonly engine: { readonly bytesWritten: number }
}

/** One member, and nothing behind it: zlib's own gunzip goes on with members that no other verifier takes. Throws where it is anything else. */
export function gunzipOne(stored: Uint8Array, maxOutputLength: number): Uint8Array {
  const body = stored.subarray(GZIP_HEADER_SIZE)
  const { buffer, engine } = inflateRawSync(body, { maxOutputLength, info: true }) as unknown as Informed
  const trailer = body.subarray(engine.bytesWritten)
  if (trailer.length !== GZIP_TRAILER_SIZE || !isPlainGzip(stored, buffer.length)) throw new Error('not one gzip member')
  if (Buffer.from(trailer).readUInt32LE(0) !== crc32(buffer)) throw new Error('the gzip member’s CRC does not fit')
  return buffer
}

/** One plain frame, and nothing before or behind it: zlib goes on with frames, or stops without a word, where no other verifier does. */
function unzstdOne(stored: Uint8Array, rawSize: number): Uint8Array {
  if (!isPlainZstd(stored, rawSize)) throw new Error('not one plain zstd frame')
  return zstdDecompressSync(stored, { maxOutputLength: Math.max(rawSize, 1) })
}
