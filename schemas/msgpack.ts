import { ApplianceError } from './errors.ts'

export type Unpacked = null | boolean | number | string | Uint8Array | readonly Unpacked[] | { readonly [key: string]: Unpacked }

/** Deepest nesting we read; ours is at most 5, and hostile bytes must not exhaust the stack. */
const MAX_DEPTH = 16
/** Strings up to this are decoded by hand while they are ASCII: quicker than TextDecoder. */
const SHORT_STRING_SIZE = 40

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads plain MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), the subset a tape uses: no extension
 * types, no integers beyond 2^53, string keys only. Binaries are views into the input, not copies.
 * Throws TAPE_MALFORMED on anything else, within time and memory linear in the input.
 */
export class Unpacker {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = from
    this.#end = to
  }

  get at(): number {
    return this.#at
  }

  value(depth = 0): Unpacked {
    const at = this.#take(1)
    const tag = this.#view.getUint8(at)
    if (tag < 0x80) return tag
    if (tag < 0x90) return this.#map(tag & 0x0f, depth)
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth)
    if (tag < 0xc0) return this.#string(tag & 0x1f)
    if (tag >= 0xe0) return tag - 0x100
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#binary(this.#view.getUint8(this.#take(1)))
      case 0xc5:
        return this.#binary(this.#view.getUint16(this.#take(2)))
      case 0xc6:
        return this.#binary(this.#view.getUint32(this.#take(4)))
      case 0xca:
        return this.#view.getFloat32(this.#take(4))
      case 0xcb:
        return this.#view.getFloat64(this.#take(8))
      case 0xcc:
        return this.#view.getUint8(this.#take(1))
      case 0xcd:
        return this.#view.getUint16(this.#take(2))
      case 0xce:
        return this.#view.getUint32(this.#take(4))
      case 0xcf:
        return safe(this.#view.getBigUint64(this.#take(8)))
      case 0xd0:
        return this.#view.getInt8(this.#take(1))
      case 0xd1:
        return this.#view.getInt16(this.#take(2))
      case 0xd2:
        return this.#view.getInt32(this.#take(4))
      case 0xd3:
        return safe(this.#view.getBigInt64(this.#take(8)))
      case 0xd9:
        return this.#string(this.#view.getUint8(this.#take(1)))
      case 0xda:
        return this.#string(this.#view.getUint16(this.#take(2)))
      case 0xdb:
        return this.#string(this.#view.getUint32(this.#take(4)))
      case 0xdc:
        return this.#array(this.#view.getUint16(this.#take(2)), depth)
      case 0xdd:
        return this.#array(this.#view.getUint32(this.#take(4)), depth)
      case 0xde:
        return this.#map(this.#view.getUint16(this.#take(2)), depth)
      case 0xdf:
        return this.#map(this.#view.getUint32(this.#take(4)), depth)
      default:
        throw malformed(`MessagePack type 0x${tag.toString(16)} at byte ${at} is not used in tapes`)
    }
  }

  /** The value, which must be the last thing in the input. */
  only(): Unpacked {
    const value = this.value()
    if (this.#at !== this.#end) throw malformed(`${this.#end - this.#at} bytes follow the MessagePack value`)
    return value
  }

  #take(size: number): number {
    const at = this.#at
    if (size > this.#end - at) throw malformed(`MessagePack ends at byte ${this.#end}, ${size} more were announced at byte ${at}`)
    this.#at = at + size
    return at
  }

  #binary(size: number): Uint8Array {
    const at = this.#take(size)
    return this.#bytes.subarray(at, at + size)
  }

  #string(size: number): string {
    const at = this.#take(size)
    if (size <= SHORT_STRING_SIZE) {
      let text = ''
      for (let index = at; index < at + size; index += 1) {
        const code = this.#view.getUint8(index)
        if (code >= 0x80) return this.#utf8(at, size)
        text += String.fromCharCode(code)
      }
      return text
    }
    return this.#utf8(at, size)
  }

  #utf8(at: number, size: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(at, at + size))
    } catch {
      throw malformed(`text at byte ${at} is not UTF-8`)
    }
  }

  #array(count: number, depth: number): Unpacked[] {
    this.#deeper(count, depth)
    const items: Unpacked[] = []
    for (let index = 0; index < count; index += 1) items.push(this.value(depth + 1))
    return items
  }

  #map(count: number, depth: number): Record<string, Unpacked> {
    this.#deeper(count * 2, depth)
    const map: Record<string, Unpacked> = {}
    for (let index = 0; index < count; index += 1) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string') throw malformed('a map key is not text')
      if (Object.hasOwn(map, key)) throw malformed('a map has a key twice')
      // A plain assignment of `__proto__` would set the prototype instead of a member.
      if (key === '__proto__') Object.defineProperty(map, key, { value: this.value(depth + 1), enumerable: true })
      else map[key] = this.value(depth + 1)
    }
    return map
  }

  /** Every item takes at least one byte, so a count beyond the rest of the input is a lie told before anything is allocated. */
  #deeper(count: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw malformed(`MessagePack is nested deeper than ${MAX_DEPTH}`)
    if (count > this.#end - this.#at) throw malformed(`MessagePack announces ${count} items in ${this.#end - this.#at} bytes`)
  }
}

export function unpack(bytes: Uint8Array): Unpacked {
  return new Unpacker(bytes).only()
}

function safe(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw malformed(`the integer ${value} is beyond 2^53`)
  return number
}

function malformed(message: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', message)
}
