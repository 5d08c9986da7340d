import { ApplianceError } from '../../../../schemas/errors.ts'

/** Version 3 of SFTP (draft-ietf-secsh-filexfer-02), which is what OpenSSH speaks, and everybody with it. */
export const VERSION = 3

export const TYPE = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const

/** SSH_FX_*, by number. */
export const STATUS_NAMES = [
  'ok',
  'eof',
  'no such file',
  'permission denied',
  'failure',
  'bad message',
  'no connection',
  'connection lost',
  'unsupported',
] as const
export const STATUS = { ok: 0, eof: 1, permissionDenied: 3, failure: 4, unsupported: 8 } as const

/** What OpenSSH takes of a packet without its length; both its ends keep to it, and so do we towards either. */
const MAX_PACKET_SIZE = 256 * 1024
export const LENGTH_SIZE = 4
const NO_BYTES = Buffer.alloc(0)

/** Cuts one direction's bytes into packets. */
export class Packets {
  /** One that came in part: as soon as its size is known, in room for all of it. */
  #packet = NO_BYTES
  #have = 0

  /** The packets that are whole now, each with its length in front; views where they can be. Throws PROTOCOL_*. */
  take(chunk: Uint8Array): Buffer[] {
    const bytes = bufferOf(chunk)
    const packets: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.length - at
      if (this.#have === 0 && left >= LENGTH_SIZE) {
        const size = LENGTH_SIZE + sizeOf(bytes, at)
        if (size <= left) {
          packets.push(bytes.subarray(at, at + size))
          at += size
          continue
        }
        this.#packet = Buffer.allocUnsafe(size)
      } else if (this.#have === 0) this.#packet = Buffer.allocUnsafe(LENGTH_SIZE)
      const taken = bytes.copy(this.#packet, this.#have, at)
      at += taken
      this.#have += taken
      if (this.#have < this.#packet.length) break
      if (this.#have > LENGTH_SIZE) {
        packets.push(this.#packet)
        this.#packet = NO_BYTES
        this.#have = 0
      } else {
        const whole = Buffer.allocUnsafe(LENGTH_SIZE + sizeOf(this.#packet, 0))
        this.#packet.copy(whole)
        this.#packet = whole
      }
    }
    return packets
  }
}

function sizeOf(bytes: Buffer, at: number): number {
  const size = bytes.readUInt32BE(at)
  if (size > MAX_PACKET_SIZE)
    throw new ApplianceError('PROTOCOL_OVERSIZE', `a packet of SFTP of ${size} bytes; ${MAX_PACKET_SIZE} are the most`)
  if (size === 0) throw new ApplianceError('PROTOCOL_MALFORMED', 'a packet of SFTP without a type')
  return size
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

export function typeOf(packet: Buffer): number {
  return packet[LENGTH_SIZE] ?? 0
}

/** A packet of these fields: numbers as uint32, bigints as uint64, bytes and texts as strings with their length in front. */
export function packet(type: number, ...fields: readonly (number | bigint | string | Uint8Array)[]): Buffer {
  const parts = fields.flatMap((field) => {
    if (typeof field === 'number') return [uint32(field)]
    if (typeof field === 'bigint') {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64BE(field)
      return [bytes]
    }
    const bytes = Buffer.from(field)
    return [uint32(bytes.length), bytes]
  })
  const body = Buffer.concat([Buffer.from([type]), ...parts])
  return Buffer.concat([uint32(body.length), body])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function statusPacket(id: number, code: number, message: string): Buffer {
  return packet(TYPE.status, id, code, message, 'en')
}
