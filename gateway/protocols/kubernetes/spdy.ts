import { constants, createInflate, type Inflate } from 'node:zlib'
import { ApplianceError } from '../../../schemas/errors.ts'
import { Growing } from '../http/growing.ts'
import { SPDY_DICTIONARY } from './spdy-dictionary.ts'

/** Frame types (draft-mbelshe-httpbis-spdy-00, 2.6). */
export const SPDY = { synStream: 1, synReply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, headers: 8, window: 9 } as const
const FIN = 0x01
/** Of every frame. */
const HEAD_BYTES = 8

/** Clients send a read's worth, 32 KiB; more is held by nobody. */
const MAX_DATA_BYTES = 1024 * 1024
const MAX_CONTROL_BYTES = 16 * 1024
/** What a compressed block of headers may become. */
const MAX_HEADER_BYTES = 64 * 1024

export type SpdyFrame =
  | { readonly stream: number; readonly bytes: Uint8Array; readonly last: boolean }
  | {
      readonly type: number
      /** 0 where it is about none. */
      readonly stream: number
      readonly headers: readonly (readonly [name: string, value: string])[]
      readonly last: boolean
      readonly raw: Uint8Array
    }

/** Reads the frames of one direction of SPDY/3.1; of their headers, which one stream of compression runs through, all that come have to be read. */
export class SpdyReader {
  /** Put together once, however small the pieces are in which a frame comes. */
  readonly #held = new Growing()
  /** Nothing can be read before this many bytes are there. */
  #needed = HEAD_BYTES
  readonly #inflate: Inflate = createInflate({ dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
  readonly #closed: Promise<void>
  #failed: Error | undefined

  constructor() {
    this.#closed = new Promise((resolve) => void this.#inflate.once('close', () => resolve()))
    this.#inflate.on('error', (error) => {
      this.#failed = error
    })
  }

  /** The frames now complete. Rejects PROTOCOL_MALFORMED or PROTOCOL_OVERSIZE. One call at a time. */
  async receive(chunk: Uint8Array): Promise<SpdyFrame[]> {
    this.#held.push(chunk)
    const frames: SpdyFrame[] = []
    if (this.#held.size < this.#needed) return frames
    const bytes = this.#held.take()
    this.#needed = HEAD_BYTES
    let at = 0
    while (bytes.length - at >= HEAD_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at)
      const word = view.getUint32(0)
      const flags = view.getUint8(4)
      const length = view.getUint32(4) & 0xff_ffff
      const control = word >>> 31 === 1
      if (length > (control ? MAX_CONTROL_BYTES : MAX_DATA_BYTES))
        throw new ApplianceError('PROTOCOL_OVERSIZE', `SPDY: a frame of ${length} bytes`)
      const size = HEAD_BYTES + length
      if (bytes.length - at < size) {
        this.#needed = size
        break
      }
      const raw = bytes.subarray(at, at + size)
      const last = (flags & FIN) !== 0
      if (control) frames.push(await this.#control({ word, last, raw }))
      else frames.push({ stream: word, bytes: raw.subarray(HEAD_BYTES), last })
      at += size
    }
    this.#held.push(bytes.subarray(at))
    return frames
  }

  close(): void {
    this.#inflate.destroy()
  }

  async #control({ word, last, raw }: { word: number; last: boolean; raw: Uint8Array }): Promise<SpdyFrame> {
    if (((word >>> 16) & 0x7fff) !== 3) throw malformed('a version that is not 3')
    const type = word & 0xffff
    const size = HEAD_SIZES.get(type)
    if (size === undefined) throw malformed(`frame type ${type}`)
    if (raw.length < 8 + size) throw malformed('a frame is too short')
    const view = new DataView(raw.buffer, raw.byteOffset)
    const stream =
      size === 0 || type === SPDY.ping || type === SPDY.goAway || type === SPDY.settings ? 0 : view.getUint32(8) & 0x7fff_ffff
    const compressed = type === SPDY.synStream || type === SPDY.synReply || type === SPDY.headers
    // Nothing has room for what nobody reads.
    const settings = type === SPDY.settings ? SETTING_BYTES * view.getUint32(8) : 0
    if (!compressed && raw.length !== HEAD_BYTES + size + settings) throw malformed('a frame is too long')
    const headers = compressed ? headersIn(await this.#inflated(raw.subarray(8 + size))) : []
    return {
      type,
      stream,
      headers,
      last: last && (type === SPDY.synStream || type === SPDY.synReply || type === SPDY.headers),
      raw,
    }
  }

  async #inflated(block: Uint8Array): Promise<Buffer> {
    const chunks: Buffer[] = []
    let size = 0
    const take = (): void => {
      for (let chunk = this.#inflate.read(); chunk !== null; chunk = this.#inflate.read()) {
        size += chunk.length
        if (size <= MAX_HEADER_BYTES) chunks.push(chunk)
      }
    }
    this.#inflate.on('readable', take)
    try {
      await Promise.race([new Promise((resolve) => this.#inflate.write(block, resolve)), this.#closed])
      take()
    } finally {
      this.#inflate.off('readable', take)
    }
    if (this.#failed !== undefined || this.#inflate.destroyed) throw malformed('headers that cannot be unpacked')
    if (size > MAX_HEADER_BYTES) throw new ApplianceError('PROTOCOL_OVERSIZE', 'SPDY: headers unpack to too much')
    return Buffer.concat(chunks)
  }
}

/** Flags, number and value. */
const SETTING_BYTES = 8
/** What stands in front of headers, or makes up the frame. */
const HEAD_SIZES = new Map<number, number>([
  [SPDY.synStream, 10],
  [SPDY.synReply, 4],
  [SPDY.reset, 8],
  [SPDY.settings, 4],
  [SPDY.ping, 4],
  [SPDY.goAway, 8],
  [SPDY.headers, 4],
  [SPDY.window, 8],
])

function headersIn(block: Buffer): [string, string][] {
  const headers: [string, string][] = []
  let at = 0
  const number = (): number => {
    if (at + 4 > block.length) throw malformed('headers that end early')
    at += 4
    return block.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const size = number()
    if (at + size > block.length) throw malformed('headers that end early')
    at += size
    return block.toString('latin1', at - size, at)
  }
  for (let left = number(); left > 0; left--) headers.push([text().toLowerCase(), text()])
  if (at < block.length) throw malformed('something follows the headers')
  return headers
}

export function spdyData(stream: number, bytes: Uint8Array, last: boolean): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(stream)
  head.writeUInt32BE(bytes.length, 4)
  head[4] = last ? FIN : 0
  return Buffer.concat([head, bytes])
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `SPDY: ${what}`)
}
