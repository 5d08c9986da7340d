// Blocks of pcapng (draft-ietf-opsawg-pcapng, section 4), little endian, and packets of IPv4 and TCP (RFC 791, RFC 9293).

const BLOCK = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Packets begin with their IP header. */
const LINKTYPE_RAW = 101
const OPTION = { comment: 1, application: 4, interfaceName: 2 } as const
/** The length of an option has 16 bits. */
const MAX_COMMENT_SIZE = 4_000
const IP_SIZE = 20
const TCP_SIZE = 20
const TCP_PROTOCOL = 6
const WINDOW = 0xffff
const TTL = 64

export const TCP_FLAGS = { fin: 0x01, syn: 0x02, psh: 0x08, ack: 0x10 } as const

export interface Endpoint {
  /** Four bytes. */
  readonly address: Uint8Array
  readonly port: number
}

export interface Segment {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly seq: number
  readonly ack: number
  readonly flags: number
  readonly payload: Uint8Array
}

/** `comment`: what is said of all of it. */
export function sectionBlock(comment: string, application: string): Uint8Array {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(BYTE_ORDER_MAGIC, 0)
  head.writeUInt16LE(1, 4)
  // Length unknown.
  head.fill(0xff, 8)
  return block(BLOCK.section, head, [option(OPTION.comment, comment), option(OPTION.application, application)])
}

export function interfaceBlock(name: string): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeUInt16LE(LINKTYPE_RAW, 0)
  // No limit.
  return block(BLOCK.interface, head, [option(OPTION.interfaceName, name)])
}

/** `atUs`: since 1970. */
export function packetBlock(atUs: number, packet: Uint8Array, comment: string): Uint8Array {
  const head = Buffer.alloc(20)
  head.writeUInt32LE(Math.floor(atUs / 2 ** 32), 4)
  head.writeUInt32LE(atUs % 2 ** 32, 8)
  head.writeUInt32LE(packet.length, 12)
  head.writeUInt32LE(packet.length, 16)
  return block(BLOCK.packet, Buffer.concat([head, padded(packet)]), comment === '' ? [] : [option(OPTION.comment, comment)])
}

export function statisticsBlock(atUs: number, comment: string): Uint8Array {
  const head = Buffer.alloc(12)
  head.writeUInt32LE(Math.floor(atUs / 2 ** 32), 4)
  head.writeUInt32LE(atUs % 2 ** 32, 8)
  return block(BLOCK.statistics, head, [option(OPTION.comment, comment)])
}

export function tcpPacket({ from, to, seq, ack, flags, payload }: Segment): Uint8Array {
  const packet = Buffer.alloc(IP_SIZE + TCP_SIZE + payload.length)
  packet[0] = 0x45
  packet.writeUInt16BE(packet.length, 2)
  // May not be put in fragments.
  packet.writeUInt16BE(0x4000, 6)
  packet[8] = TTL
  packet[9] = TCP_PROTOCOL
  packet.set(from.address, 12)
  packet.set(to.address, 16)
  packet.writeUInt16BE(checksum(packet, 0, IP_SIZE, 0), 10)
  packet.writeUInt16BE(from.port, IP_SIZE)
  packet.writeUInt16BE(to.port, IP_SIZE + 2)
  packet.writeUInt32BE(seq, IP_SIZE + 4)
  packet.writeUInt32BE(ack, IP_SIZE + 8)
  packet[IP_SIZE + 12] = (TCP_SIZE / 4) << 4
  packet[IP_SIZE + 13] = flags
  packet.writeUInt16BE(WINDOW, IP_SIZE + 14)
  packet.set(payload, IP_SIZE + TCP_SIZE)
  // Over a header of its own: the addresses, the protocol and the length.
  const pseudo = TCP_PROTOCOL + packet.length - IP_SIZE
  packet.writeUInt16BE(checksum(packet, 12, packet.length, pseudo), IP_SIZE + 16)
  return packet
}

/** RFC 1071. */
function checksum(bytes: Buffer, from: number, to: number, start: number): number {
  let sum = start
  let at = from
  for (; at + 1 < to; at += 2) sum += bytes.readUInt16BE(at)
  if (at < to) sum += bytes.readUInt8(at) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

function block(type: number, body: Uint8Array, options: readonly Uint8Array[]): Uint8Array {
  const end = options.length === 0 ? [] : [...options, Buffer.alloc(4)]
  const size = 12 + body.length + end.reduce((sum, one) => sum + one.length, 0)
  const head = Buffer.alloc(8)
  head.writeUInt32LE(type, 0)
  head.writeUInt32LE(size, 4)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(size, 0)
  return Buffer.concat([head, body, ...end, tail])
}

function option(code: number, text: string): Uint8Array {
  const bytes = Buffer.from(text).subarray(0, MAX_COMMENT_SIZE)
  const head = Buffer.alloc(4)
  head.writeUInt16LE(code, 0)
  head.writeUInt16LE(bytes.length, 2)
  return Buffer.concat([head, padded(bytes)])
}

/** To a multiple of four. */
function padded(bytes: Uint8Array): Uint8Array {
  const over = bytes.length % 4
  return over === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - over)])
}
