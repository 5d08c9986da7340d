import { type CipherGCM, type CipherGCMTypes, createCipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { Ahead, countUp, LENGTH_SIZE, TAG_SIZE } from './gcm.ts'
import { GcmDecipher, isGcmDecipher } from './gcm-decipher.ts'

/** Where the library's ciphers keep their keys. */
const KEYS = ['_encKey', '_encKeyMain', '_encKeyPktLen', '_decipherKey', '_decKeyMain', '_decKeyPktLen', '_macKey'] as const

/**
 * What the library (ssh2 1.17) does slowly, done once per key or once per turn. It begins a cipher anew with every packet, ChaCha three of
 * them, and each time gives Node the key as bytes, which Node 24 makes a key of: 50 us where one that is made already takes 6. It
 * writes each packet in three parts, a system call and a segment each, and makes memory of whatever part of a packet a read brings.
 */
export function quicken(connection: object, socket: Socket): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  if (!isProtocol(protocol)) throw new TypeError('this version of ssh2 keeps its ciphers elsewhere')
  gatherWrites(protocol, socket)
  for (const name of ['_cipher', '_decipher'] as const) {
    let cipher: unknown = protocol[name]
    Object.defineProperty(protocol, name, {
      configurable: true,
      enumerable: true,
      get: () => cipher,
      set(next: unknown) {
        // Of the read that brings the change the rest is for the new keys, and the library's ciphers keep what they are given.
        if (cipher instanceof GcmDecipher && !isGcmDecipher(next)) {
          socket.destroy()
          throw new Error('the peer changed from AES-GCM to another cipher')
        }
        for (const key of KEYS) {
          const bytes: unknown = Reflect.get(Object(next), key)
          if (Buffer.isBuffer(bytes) && bytes.length > 0) Reflect.set(Object(next), key, createSecretKey(bytes))
        }
        cipher = isGcm(next) ? new GcmCipher(next) : isGcmDecipher(next) ? new GcmDecipher(next) : next
      },
    })
  }
}

/** Whether all that is read now is decrypted, and nothing of it kept: the library does keep what comes in the clear. */
export function isSealed(connection: object): boolean {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  return isProtocol(protocol) && protocol._decipher instanceof GcmDecipher
}

interface Protocol {
  _cipher: unknown
  _decipher: unknown
  /** Given to each cipher when it is made. */
  _onWrite(data: Uint8Array): void
}

function isProtocol(value: unknown): value is Protocol {
  return typeof value === 'object' && value !== null && '_cipher' in value && '_decipher' in value && '_onWrite' in value
}

/** All that is written in one turn goes in one system call. */
function gatherWrites(protocol: Protocol, socket: Socket): void {
  const write = protocol._onWrite
  let gathering = false
  const flush = (): void => {
    gathering = false
    socket.uncork()
  }
  protocol._onWrite = (data) => {
    if (!gathering) {
      gathering = true
      socket.cork()
      process.nextTick(flush)
    }
    write(data)
  }
}

/** The library's own, written for Node's ciphers. */
interface LibraryGcm {
  outSeqno: number
  readonly _onWrite: (data: Uint8Array) => void
  readonly _encSSLName: CipherGCMTypes
  readonly _encKey: KeyObject
  readonly _encIV: Buffer
}

function isGcm(value: unknown): value is LibraryGcm {
  return typeof value === 'object' && value !== null && '_encSSLName' in value && '_encIV' in value && '_encKey' in value
}

const BLOCK_SIZE = 16
const MIN_PADDING = 4
/** Up to this, copying costs less than a write of its own. */
const SMALL_SIZE = 1024
/** Whatever is larger is made for the one packet. */
const SCRATCH_SIZE = 40 * 1024

/** A packet is put together and encrypted before anybody else can begin one. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)
const padding = Buffer.allocUnsafeSlow(4096)
let paddingAt = padding.length

/** AES-GCM (RFC 5647) in the place of the library's, which makes three large buffers of each packet: here it is one. */
class GcmCipher {
  outSeqno: number
  readonly #write: (data: Uint8Array) => void
  readonly #ciphers: Ahead<CipherGCM>
  readonly #nonce: Buffer
  #over = false

  constructor({ outSeqno, _onWrite, _encSSLName, _encKey, _encIV }: LibraryGcm) {
    this.outSeqno = outSeqno
    this.#write = _onWrite
    this.#ciphers = new Ahead(() => createCipheriv(_encSSLName, _encKey, _encIV))
    this.#nonce = _encIV
  }

  free(): void {
    this.#over = true
  }

  /** Room for a payload, behind its length and that of the padding. */
  allocPacket(payloadSize: number): Buffer {
    const least = 1 + payloadSize + MIN_PADDING
    const size = Math.ceil(least / BLOCK_SIZE) * BLOCK_SIZE
    const padSize = size - 1 - payloadSize
    const whole = LENGTH_SIZE + size
    const packet = whole <= SCRATCH_SIZE ? scratch.subarray(0, whole) : Buffer.allocUnsafe(whole)
    packet.writeUInt32BE(size, 0)
    packet[LENGTH_SIZE] = padSize
    if (paddingAt + padSize > padding.length) {
      randomFillSync(padding)
      paddingAt = 0
    }
    padding.copy(packet, whole - padSize, paddingAt, paddingAt + padSize)
    paddingAt += padSize
    return packet
  }

  encrypt(packet: Buffer): void {
    if (this.#over) return
    const cipher = this.#ciphers.take()
    const size = packet.length - LENGTH_SIZE
    const sealed = size <= SMALL_SIZE
    // The length, and behind it of what is small all the rest.
    const head = Buffer.allocUnsafe(sealed ? packet.length + TAG_SIZE : LENGTH_SIZE)
    packet.copy(head, 0, 0, LENGTH_SIZE)
    cipher.setAAD(head.subarray(0, LENGTH_SIZE))
    const body = cipher.update(packet.subarray(LENGTH_SIZE))
    cipher.final()
    const tag = cipher.getAuthTag()
    if (sealed) {
      body.copy(head, LENGTH_SIZE)
      tag.copy(head, packet.length)
      this.#write(head)
    } else for (const part of [head, body, tag]) this.#write(part)
    countUp(this.#nonce)
    this.outSeqno = (this.outSeqno + 1) >>> 0
  }
}
