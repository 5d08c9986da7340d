import type { Connection } from 'ssh2'
import { Reader } from './reader.ts'

const GCM = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com']
const KEXINIT = 20
/** Message number and cookie (RFC 4253, 7.1); behind them the lists: of key exchange, host key, then of ciphers both ways. */
const COOKIE_END = 17

/**
 * The client's order of ciphers decides, and OpenSSH puts ChaCha first, which has to be put together in JavaScript: twice the work of a bulk
 * stream. Whoever has AES-GCM as well is offered nothing else. That is known once the client's offer is there, so ours waits for it:
 * of OpenSSH only, which sends its own without waiting.
 */
export function preferGcm(connection: Connection, software: string): void {
  if (!software.startsWith('OpenSSH_')) return
  const protocol: unknown = Reflect.get(connection, '_protocol')
  if (!isProtocol(protocol)) throw new TypeError('this version of ssh2 makes its offer elsewhere')
  const { _cipher: plain, _decipher: reading } = protocol
  let ours: Buffer | undefined
  // Begun as soon as this returns, and kept here.
  protocol._cipher = {
    allocPacket: (size) => plain.allocPacket(size),
    encrypt: (packet) => {
      ours = packet
      protocol._cipher = plain
    },
    free: () => plain.free(),
  }
  const take = reading._onPayload
  reading._onPayload = (payload) => {
    reading._onPayload = take
    if (ours === undefined) throw new TypeError('this version of ssh2 makes its offer at another time')
    if (payload[0] === KEXINIT && hasGcm(payload)) {
      protocol._offer = gcmOnly(protocol._offer)
      const lists = Buffer.alloc(COOKIE_END + protocol._offer.totalSize + 5)
      protocol._kexinit?.copy(lists, 0, 0, COOKIE_END)
      protocol._offer.copyAllTo(lists, COOKIE_END)
      protocol._kexinit = lists
      ours = plain.allocPacket(lists.length)
      lists.copy(ours, 5)
    }
    plain.encrypt(ours)
    return take(payload)
  }
}

function hasGcm(payload: Uint8Array): boolean {
  try {
    const reader = new Reader(payload)
    reader.skip(COOKIE_END)
    const lists = Array.from({ length: 4 }, () => reader.text().split(','))
    return lists.slice(2).every((ciphers) => ciphers.includes(GCM[0] ?? ''))
  } catch {
    // What cannot be read is the library's to refuse.
    return false
  }
}

interface Offer {
  readonly totalSize: number
  readonly lists: object
  copyAllTo(target: Buffer, at: number): void
}

/** Puts algorithms of host keys before those the library knows. Before the offer is made. */
export function withHostKeys(protocol: object, algorithms: readonly string[]): void {
  const offer: unknown = Reflect.get(protocol, '_offer')
  if (!isOffer(offer)) throw new TypeError('this version of ssh2 makes its offer elsewhere')
  Reflect.set(
    protocol,
    '_offer',
    changed(offer, ({ serverHostKey, ...rest }) => ({
      ...rest,
      serverHostKey: [...algorithms, ...(Array.isArray(serverHostKey) ? serverHostKey : [])],
    })),
  )
}

/** The library's lists with other ciphers. */
function gcmOnly(offer: Offer): Offer {
  return changed(offer, ({ cs, sc, ...rest }) => ({
    ...rest,
    cs: { ...Object(cs), cipher: GCM },
    sc: { ...Object(sc), cipher: GCM },
  }))
}

function changed(offer: Offer, change: (lists: Record<string, unknown>) => object): Offer {
  const arrays = (lists: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(lists)
        .filter(([name]) => name !== 'all')
        .map(([name, entry]) => [name, 'array' in entry ? entry.array : arrays(entry)]),
    )
  const Lists = offer.constructor as new (lists: object) => Offer
  return new Lists(change(arrays(offer.lists)))
}

function isOffer(value: unknown): value is Offer {
  return typeof value === 'object' && value !== null && 'lists' in value && 'copyAllTo' in value
}

interface PlainCipher {
  allocPacket(size: number): Buffer
  encrypt(packet: Buffer): void
  free(): void
}

interface Protocol {
  _cipher: PlainCipher
  readonly _decipher: { _onPayload(payload: Uint8Array): unknown }
  _offer: Offer
  _kexinit: Buffer | undefined
}

function isProtocol(value: unknown): value is Protocol {
  if (typeof value !== 'object' || value === null) return false
  return ['_cipher', '_decipher', '_offer', '_kexinit'].every((name) => name in value)
}
