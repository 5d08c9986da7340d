import { cstringEnd, HEADER_SIZE, text } from '../../../schemas/views/postgres-wire.ts'

export { BACKEND, cstring, cstringEnd, FRONTEND, HEADER_SIZE, int32, text, uint16 } from '../../../schemas/views/postgres-wire.ts'

/** Longer names of statements and portals are the same name to the server (NAMEDATALEN - 1). */
const MAX_NAME_SIZE = 63

/**
 * The name at `from` as the server tells names apart: by their first 63 bytes, whatever these mean. The empty string where it
 * is not terminated before `to`.
 */
export function nameAt(bytes: Uint8Array, from: number, to: number): string {
  if (bytes[from] === 0) return ''
  const end = cstringEnd(bytes, from, to)
  if (end <= from) return ''
  const size = Math.min(end - from, MAX_NAME_SIZE)
  return latin1At(bytes, from, from + size)
}

/** One character for every byte of [from, to): for names, and for keys made of bytes. */
export function latin1At(bytes: Uint8Array, from: number, to: number): string {
  return bytes instanceof Buffer ? bytes.toString('latin1', from, to) : Buffer.from(bytes.subarray(from, to)).toString('latin1')
}

/** The text in `[from, to)`. What comes off a socket is a Buffer, and reads itself without a view being made first. */
export function textAt(bytes: Uint8Array, from: number, to: number): string {
  return bytes instanceof Buffer ? bytes.toString('utf8', from, to) : text.decode(bytes.subarray(from, to))
}

/** As `nameAt`, of a name as SQL has it. */
export function nameOf(name: Uint8Array | string): string {
  return Buffer.from(name).subarray(0, MAX_NAME_SIZE).toString('latin1')
}

/** One whole message from its parts. */
export function message(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + size)
  bytes[0] = type
  bytes.writeInt32BE(4 + size, 1)
  let at = HEADER_SIZE
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export function nulTerminated(value: string): Uint8Array {
  return Buffer.from(`${value}\0`)
}
