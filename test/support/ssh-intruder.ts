import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

const IGNORE = 2
const NEWKEYS = 21
/** So few bytes are no packet of AES-GCM's or ChaCha's, and a length no packet has. */
const HUGE = Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(64, 1)])

/** Where in a handshake, and in which direction, something is slipped in. */
export interface Intrusion {
  readonly into: 'client' | 'server'
  /** `first`: an IGNORE before the KEXINIT. `middle`: one behind it. `last`: one before NEWKEYS. `huge`: behind NEWKEYS a packet of 2 GiB. */
  readonly at: 'first' | 'middle' | 'last' | 'huge'
}

/** Stands between a client and a server of SSH and slips a packet in, as in the attack on prefixes of 2023 (CVE-2023-48795). */
export interface Intruder extends AsyncDisposable {
  readonly port: number
  readonly slipped: number
}

/** `to`: the server's port on loopback. */
export async function intruder(to: number, { into, at }: Intrusion): Promise<Intruder> {
  const sockets = new Set<Socket>()
  let slipped = 0
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    const slip = (cut: Cut): Cut => ({ ...cut, onSlipped: () => slipped++ })
    pass(client, upstream, into === 'server' ? slip({ at }) : undefined)
    pass(upstream, client, into === 'client' ? slip({ at }) : undefined)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get slipped() {
      return slipped
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Cut {
  readonly at: Intrusion['at']
  readonly onSlipped?: () => void
}

function pass(from: Socket, to: Socket, cut: Cut | undefined): void {
  let rest = Buffer.alloc(0)
  let reading: 'line' | 'packets' | 'over' = cut === undefined ? 'over' : 'line'
  let count = 0
  const slip = (bytes: Buffer): void => {
    to.write(bytes)
    cut?.onSlipped?.()
    reading = 'over'
  }
  from.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    if (reading === 'line') {
      const end = rest.indexOf('\n')
      if (end === -1) return
      to.write(rest.subarray(0, end + 1))
      rest = rest.subarray(end + 1)
      reading = 'packets'
      if (cut?.at === 'first') slip(plainPacket(IGNORE))
    }
    while (reading === 'packets' && rest.length >= 6 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const packet = rest.subarray(0, 4 + rest.readUInt32BE(0))
      const type = packet[5]
      if (cut?.at === 'last' && type === NEWKEYS) {
        slip(plainPacket(IGNORE))
        break
      }
      to.write(packet)
      rest = rest.subarray(packet.length)
      if (cut?.at === 'middle' && count++ === 0) slip(plainPacket(IGNORE))
      else if (type === NEWKEYS) {
        if (cut?.at === 'huge') slip(HUGE)
        reading = 'over'
      }
    }
    if (reading !== 'over') return
    to.write(rest)
    rest = Buffer.alloc(0)
  })
  from.on('close', () => to.end())
}

/** One before there are keys (RFC 4253, 6). */
function plainPacket(type: number): Buffer {
  const packet = Buffer.alloc(16)
  packet.writeUInt32BE(12, 0)
  packet[4] = 6
  packet[5] = type
  return packet
}
