import { ApplianceError } from '../../../../schemas/errors.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import { SshOutput } from '../output.ts'
import { Reader } from '../reader.ts'
import { SftpMessage } from './messages.ts'
import { LENGTH_SIZE, packet, STATUS_NAMES, TYPE, VERSION } from './packets.ts'
import type { Read } from './reads.ts'

export const LIMITS = 'limits@openssh.com'
const NO_BYTES = new Uint8Array()

export function toServer(channel: number, bytes: Uint8Array, facts?: Facts): SshOutput {
  return new SshOutput(
    'server',
    channel,
    { act: 'data' },
    bytes,
    facts === undefined ? undefined : { kind: 'file-request', facts },
  )
}

function toClient(channel: number): (bytes: Uint8Array) => readonly SshOutput[] {
  return (released) => [new SshOutput('client', channel, { act: 'data' }, released)]
}

/** The version the target speaks, and whether it says how much it gives at once: that is asked for then, by this id. Throws PROTOCOL_UNSUPPORTED. */
export function versionAnswer(channel: number, bytes: Buffer, ask: () => number): SftpMessage {
  const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
  const version = whole(() => reader.uint32())
  if (version !== VERSION)
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', `the target speaks SFTP ${version}; ${VERSION} is understood here`)
  const id = bytes.includes(LIMITS) ? ask() : undefined
  const question = id === undefined ? [] : [toServer(channel, packet(TYPE.extended, id, LIMITS), { extension: LIMITS })]
  return new SftpMessage({
    from: 'server',
    kind: 'file-reply',
    channel,
    bytes,
    // Names of extensions look like addresses of mail.
    redact: () => ({ bytes, masks: null }),
    facts: { version },
    release: (released) => [...toClient(channel)(released), ...question],
  })
}

/** An answer to a question of ours. */
export function toldUs(channel: number, bytes: Buffer, facts: Facts): SftpMessage {
  return new SftpMessage({ from: 'server', kind: 'file-reply', channel, bytes, answersGateway: true, facts, release: () => [] })
}

/** Bytes that a read was not given are asked for by the gateway, by this id. */
export function restQuestion(
  channel: number,
  id: number,
  { handle, file: { statement } }: Read,
  [offset, size]: readonly [offset: number, size: number],
): SftpMessage {
  const asked = packet(TYPE.read, id, Buffer.from(handle, 'latin1'), BigInt(offset), size)
  return new SftpMessage({
    from: 'server',
    kind: 'file-reply',
    channel,
    bytes: NO_BYTES,
    answersGateway: true,
    facts: { statement },
    release: () => [toServer(channel, asked, { statement, offset, size })],
  })
}

/** The target's word in the place of data. */
export function readStatus(channel: number, bytes: Buffer): SftpMessage {
  return new SftpMessage({ from: 'server', kind: 'file-reply', channel, bytes, release: toClient(channel) })
}

/** The answer to an operation; `summary`: in the place of `facts`, where they are complete only when it passes. */
export function operationAnswer(
  channel: number,
  [bytes, type]: readonly [bytes: Buffer, type: number],
  { facts, summary }: { readonly facts: Facts; readonly summary: (() => Facts) | undefined },
): SftpMessage {
  return new SftpMessage({
    from: 'server',
    kind: 'file-reply',
    channel,
    bytes,
    // Handles are the target's own, and attributes are numbers: only words can be masked without breaking them.
    ...(type === TYPE.name || type === TYPE.status || type === TYPE.extendedReply
      ? {}
      : { redact: () => ({ bytes, masks: null }) }),
    facts,
    ...(summary === undefined ? {} : { summary }),
    release: toClient(channel),
  })
}

/** How much the target gives at once; undefined where it does not say. */
export function limitIn(bytes: Buffer): number | undefined {
  if (bytes[LENGTH_SIZE] !== TYPE.extendedReply) return undefined
  const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
  const [, , most] = whole(() => [reader.uint32(), reader.uint64(), reader.uint64()] as const)
  return most > 0n && most <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(most) : undefined
}

export function statusName(code: number): string {
  return STATUS_NAMES[code] ?? String(code)
}

/** What a REALPATH was answered; undefined where that is no path from the root. */
export function pathIn(type: number, reader: Reader): string | undefined {
  if (type !== TYPE.name) return undefined
  whole(() => reader.uint32())
  const path = whole(() => reader.text())
  return path.startsWith('/') ? path : undefined
}

/** Runs what reads; what ends too early is malformed. */
export function whole<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError)
      throw new ApplianceError('PROTOCOL_MALFORMED', 'a packet of SFTP that says more than there is', { cause: error })
    throw error
  }
}
