import { ApplianceError } from '../../../schemas/errors.ts'

/** Protocol version as a startup packet carries it. */
export interface Version {
  readonly major: number
  readonly minor: number
}

/** What may stand where a connection's first packet stands (PostgreSQL manual, "Message Formats"). */
export type StartupPacket =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  | { readonly kind: 'cancel'; readonly key: Uint8Array }
  | {
      readonly kind: 'startup'
      readonly version: Version
      /** Run-time parameters; a name given twice has its last value, as in the server. `_pq_.` options are not among them. */
      readonly parameters: ReadonlyMap<string, string>
      /** Names of protocol options (`_pq_.`) asked for. We know none. */
      readonly options: readonly string[]
    }

/** The server's own MAX_STARTUP_PACKET_LENGTH, length field not counted. */
export const MAX_STARTUP_BYTES = 10_000
/** The newest minor version spoken; PostgreSQL 18's newest. */
export const NEWEST_MINOR = 2
/** Process id, then 4 to 256 bytes of secret (protocol 3.2). */
const MAX_CANCEL_KEY_BYTES = 4 + 256
const MIN_CANCEL_KEY_BYTES = 4 + 4

// Request codes are versions no one will ever speak: 1234 in the upper half.
export const CANCEL_CODE = 80877102
export const SSL_CODE = 80877103
const GSS_CODE = 80877104

/** Checks the length field of a first packet; returns the size of what follows it. */
export function startupSize(length: number): number {
  const size = length - 4
  if (size < 4 || size > MAX_STARTUP_BYTES) {
    throw new ApplianceError(
      'PROTOCOL_MALFORMED',
      `invalid length of startup packet: ${length}; this port speaks the PostgreSQL protocol`,
    )
  }
  return size
}

/** Reads a first packet without its length field. Throws PROTOCOL_MALFORMED or PROTOCOL_UNSUPPORTED. */
export function readStartup(body: Uint8Array): StartupPacket {
  if (body.length < 4) throw new ApplianceError('PROTOCOL_MALFORMED', `startup packet of ${body.length} bytes has no version`)
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const code = view.getUint32(0)
  if (code === CANCEL_CODE) return readCancel(body.subarray(4))
  if (code === SSL_CODE || code === GSS_CODE) {
    if (body.length !== 4)
      throw new ApplianceError('PROTOCOL_MALFORMED', `encryption request of ${body.length + 4} bytes, must be 8`)
    return { kind: code === SSL_CODE ? 'ssl' : 'gss' }
  }
  const version = { major: code >>> 16, minor: code & 0xffff }
  if (version.major !== 3) {
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      `unsupported frontend protocol ${version.major}.${version.minor}: this gateway speaks 3.0 to 3.${NEWEST_MINOR}`,
    )
  }
  return { kind: 'startup', version, ...readParameters(body.subarray(4)) }
}

function readCancel(key: Uint8Array): StartupPacket {
  if (key.length < MIN_CANCEL_KEY_BYTES || key.length > MAX_CANCEL_KEY_BYTES) {
    throw new ApplianceError(
      'PROTOCOL_MALFORMED',
      `cancel request with a key of ${key.length} bytes, must be ${MIN_CANCEL_KEY_BYTES} to ${MAX_CANCEL_KEY_BYTES}`,
    )
  }
  return { kind: 'cancel', key: Uint8Array.from(key) }
}

function readParameters(bytes: Uint8Array): { parameters: Map<string, string>; options: string[] } {
  const texts = splitTexts(bytes)
  const parameters = new Map<string, string>()
  const options: string[] = []
  for (let at = 0; at < texts.length; at += 2) {
    const name = texts[at]
    const value = texts[at + 1]
    if (name === undefined || value === undefined) {
      throw new ApplianceError('PROTOCOL_MALFORMED', 'startup packet ends within a parameter')
    }
    if (name.startsWith('_pq_.')) options.push(name)
    else parameters.set(name, value)
  }
  return { parameters, options }
}

/** Zero-terminated texts, closed by an empty name as the last byte. A value may be empty, a name may not. */
function splitTexts(bytes: Uint8Array): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const texts: string[] = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf(0, at)
    if (end < 0) throw new ApplianceError('PROTOCOL_MALFORMED', 'invalid startup packet layout: expected terminator as last byte')
    if (end === at && texts.length % 2 === 0) {
      if (end !== bytes.length - 1) {
        throw new ApplianceError('PROTOCOL_MALFORMED', 'invalid startup packet layout: expected terminator as last byte')
      }
      return texts
    }
    try {
      texts.push(decoder.decode(bytes.subarray(at, end)))
    } catch (cause) {
      throw new ApplianceError('PROTOCOL_MALFORMED', 'startup packet is not UTF-8', { cause })
    }
    at = end + 1
  }
}

/** A whole startup packet, length field included. */
export function writeStartup(version: Version, parameters: Iterable<readonly [string, string]>): Uint8Array {
  const texts = [...parameters].flat()
  const body = Buffer.from([...texts, ''].map((text) => `${text}\0`).join(''))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(head.length + body.length, 0)
  head.writeUInt16BE(version.major, 4)
  head.writeUInt16BE(version.minor, 6)
  return Buffer.concat([head, body])
}

/** A packet that is only a request code, and perhaps a key: SSLRequest, CancelRequest. Length field included. */
export function writeRequest(code: number, key: Uint8Array = new Uint8Array(0)): Uint8Array {
  const packet = Buffer.alloc(8 + key.length)
  packet.writeUInt32BE(packet.length, 0)
  packet.writeUInt32BE(code, 4)
  packet.set(key, 8)
  return packet
}
