// PostgreSQL 3.x as it stands in bytes (manual, chapter "Message Formats"): what the gateway judges and the page shows by.

/** Message type bytes, by direction. */
export const FRONTEND = {
  query: 0x51, // Q
  parse: 0x50, // P
  bind: 0x42, // B
  execute: 0x45, // E
  describe: 0x44, // D
  close: 0x43, // C
  sync: 0x53, // S
  flush: 0x48, // H
  terminate: 0x58, // X
  functionCall: 0x46, // F
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
} as const

export const BACKEND = {
  parseComplete: 0x31, // 1
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  dataRow: 0x44, // D
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyIn: 0x47, // G
  copyOut: 0x48, // H
  copyBoth: 0x57, // W
  error: 0x45, // E
  notice: 0x4e, // N
  notification: 0x41, // A
  parameterStatus: 0x53, // S
  backendKeyData: 0x4b, // K
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
  parameterDescription: 0x74, // t
  noData: 0x6e, // n
  emptyQuery: 0x49, // I
  portalSuspended: 0x73, // s
  functionCallResponse: 0x56, // V
} as const

/** Type byte and length word in front of every message after start-up. */
export const HEADER_SIZE = 5

/** Keeps a byte order mark: to the server it is a character like any other. */
export const text = new TextDecoder('utf-8', { ignoreBOM: true })

export function int32(bytes: Uint8Array, at: number): number {
  return (at3(bytes, at) << 24) | (at3(bytes, at + 1) << 16) | (at3(bytes, at + 2) << 8) | at3(bytes, at + 3)
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (at3(bytes, at) << 8) | at3(bytes, at + 1)
}

function at3(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

const NEAR = 16

/** Index of the NUL that ends the string starting at `from`, or -1 when there is none before `to`. */
export function cstringEnd(bytes: Uint8Array, from: number, to: number): number {
  // Names are mostly short or empty, and found before a search is even set up.
  const near = Math.min(to, from + NEAR)
  for (let at = from; at < near; at++) if (bytes[at] === 0) return at
  if (near >= to) return -1
  const end = bytes.indexOf(0, near)
  return end === -1 || end >= to ? -1 : end
}

/** The string at `from`, without its NUL; the empty string where it is not terminated before `to`. */
export function cstring(bytes: Uint8Array, from: number, to: number): string {
  const end = cstringEnd(bytes, from, to)
  return end === -1 ? '' : text.decode(bytes.subarray(from, end))
}
