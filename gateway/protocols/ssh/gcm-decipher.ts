import { type CipherGCMTypes, createDecipheriv, type DecipherGCM, type KeyObject } from 'node:crypto'
import { roomyBuffer } from '../../head-room.ts'
import { Ahead, countUp, LENGTH_SIZE, TAG_SIZE } from './gcm.ts'

/** The library's own, written for Node's ciphers. */
interface LibraryGcmDecipher {
  inSeqno: number
  readonly _onPayload: TakePayload
  readonly _decipherSSLName: CipherGCMTypes
  readonly _decipherKey: KeyObject
  readonly _decipherIV: Buffer
}

/** What is returned ends the reading of packets with these keys: where to go on, or false for behind this packet. */
type TakePayload = (payload: Buffer) => undefined | false | number

export function isGcmDecipher(value: unknown): value is LibraryGcmDecipher {
  return typeof value === 'object' && value !== null && '_decipherSSLName' in value && '_decipherIV' in value
}

const BLOCK_SIZE = 16
/** As the library has it for every cipher; RFC 4253, 6.1 asks for as much. */
const MAX_PACKET_SIZE = 35_000
/** Whatever is read in pieces is put together in one of these; a few for the process, as connections read in turns. */
const PIECES_SIZE = LENGTH_SIZE + MAX_PACKET_SIZE
const MAX_POOLED = 16
const pool: Buffer[] = []

const CHANNEL_DATA = 94
/** Message number, recipient, length (RFC 4254, 5.2). */
const DATA_HEAD_SIZE = 9

/**
 * AES-GCM (RFC 5647) in the place of the library's, which makes memory of every piece a packet comes in. What is given to `decrypt` is
 * read there and then and not kept. Data of one channel that comes in packets one behind the other is passed on as one.
 */
export class GcmDecipher {
  inSeqno: number
  /** The library's, which changes it for a key exchange. */
  _onPayload: TakePayload
  readonly #deciphers: Ahead<DecipherGCM>
  readonly #nonce: Buffer
  readonly #length = Buffer.alloc(LENGTH_SIZE)
  /** A packet of which a part has come: pieces[0, have), its length and tag included. */
  #pieces: Buffer | undefined
  #have = 0
  /** Payloads of CHANNEL_DATA to the same recipient. */
  #data: Buffer[] = []
  #dataSize = 0

  constructor({ inSeqno, _onPayload, _decipherSSLName, _decipherKey, _decipherIV }: LibraryGcmDecipher) {
    this.inSeqno = inSeqno
    this._onPayload = _onPayload
    this.#deciphers = new Ahead(() => createDecipheriv(_decipherSSLName, _decipherKey, _decipherIV))
    this.#nonce = _decipherIV
  }

  free(): void {
    this.#putBack()
  }

  /** Reads bytes[at, end). Where the keys change in it, how far it came; else undefined. Throws for what is no packet of the peer's. */
  decrypt(bytes: Uint8Array, at: number, end: number): number | undefined {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    let next = at
    try {
      while (next < end) {
        let payload: Buffer | undefined
        const size = this.#have === 0 && end - next >= LENGTH_SIZE ? wholeSize(data, next) : Number.POSITIVE_INFINITY
        if (size <= end - next) {
          payload = this.#open(data, next, size)
          next += size
        } else {
          next = this.#gather(data, next, end)
          payload = this.#gathered()
        }
        if (payload === undefined) continue
        const left = this.#take(payload)
        if (left !== undefined) return left === false ? next : left
      }
    } finally {
      this.#passData()
    }
    return undefined
  }

  /** Takes what is missing of one packet. */
  #gather(data: Buffer, from: number, end: number): number {
    this.#pieces ??= pool.pop() ?? Buffer.allocUnsafeSlow(PIECES_SIZE)
    const pieces = this.#pieces
    let at = from
    if (this.#have < LENGTH_SIZE) {
      const size = Math.min(LENGTH_SIZE - this.#have, end - at)
      data.copy(pieces, this.#have, at, at + size)
      this.#have += size
      at += size
      if (this.#have < LENGTH_SIZE) return at
    }
    const size = Math.min(wholeSize(pieces, 0) - this.#have, end - at)
    data.copy(pieces, this.#have, at, at + size)
    this.#have += size
    return at + size
  }

  #gathered(): Buffer | undefined {
    const pieces = this.#pieces
    if (pieces === undefined || this.#have < LENGTH_SIZE) return undefined
    const size = wholeSize(pieces, 0)
    if (this.#have < size) return undefined
    const payload = this.#open(pieces, 0, size)
    this.#putBack()
    return payload
  }

  #putBack(): void {
    if (this.#pieces !== undefined && pool.length < MAX_POOLED) pool.push(this.#pieces)
    this.#pieces = undefined
    this.#have = 0
  }

  /** The payload of the packet at `at`. Throws where its tag is not right. */
  #open(data: Buffer, at: number, size: number): Buffer {
    const decipher = this.#deciphers.take()
    data.copy(this.#length, 0, at, at + LENGTH_SIZE)
    const tagAt = at + size - TAG_SIZE
    decipher.setAAD(this.#length)
    const packet = decipher.update(data.subarray(at + LENGTH_SIZE, tagAt))
    decipher.setAuthTag(data.subarray(tagAt, tagAt + TAG_SIZE))
    decipher.final()
    countUp(this.#nonce)
    this.inSeqno = (this.inSeqno + 1) >>> 0
    const end = packet.length - (packet[0] ?? 0)
    if (end < 1) throw new Error('Bad padding length')
    return packet.subarray(1, end)
  }

  #take(payload: Buffer): undefined | false | number {
    if (!isData(payload)) {
      this.#passData()
      return this._onPayload(payload)
    }
    const [first] = this.#data
    if (first !== undefined && first.readUInt32BE(1) !== payload.readUInt32BE(1)) this.#passData()
    this.#data.push(payload)
    this.#dataSize += payload.length - DATA_HEAD_SIZE
    return undefined
  }

  #passData(): void {
    const [first] = this.#data
    if (first === undefined) return
    const pieces = this.#data
    const size = this.#dataSize
    this.#data = []
    this.#dataSize = 0
    this._onPayload(pieces.length === 1 ? first : joined(first, pieces, size))
  }
}

/** Of a packet with its length and tag. Throws for one that cannot be. */
function wholeSize(data: Buffer, at: number): number {
  const size = data.readUInt32BE(at)
  if (size + LENGTH_SIZE + TAG_SIZE > MAX_PACKET_SIZE || size < BLOCK_SIZE || size % BLOCK_SIZE !== 0)
    throw new Error('Bad packet length')
  return LENGTH_SIZE + size + TAG_SIZE
}

/** Whether it is CHANNEL_DATA and nothing else: what is not is for the library to refuse. */
function isData(payload: Buffer): boolean {
  return (
    payload[0] === CHANNEL_DATA && payload.length > DATA_HEAD_SIZE && payload.readUInt32BE(5) === payload.length - DATA_HEAD_SIZE
  )
}

/** With room before the data, for what masking kept back of the last. */
function joined(first: Buffer, pieces: readonly Buffer[], size: number): Buffer {
  const room = roomyBuffer(size)
  const whole = Buffer.from(room.buffer, room.byteOffset - DATA_HEAD_SIZE, DATA_HEAD_SIZE + size)
  first.copy(whole, 0, 0, DATA_HEAD_SIZE)
  whole.writeUInt32BE(size, 5)
  let at = DATA_HEAD_SIZE
  for (const piece of pieces) at += piece.copy(whole, at, DATA_HEAD_SIZE)
  return whole
}
