import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { readReport, ServerError } from './startup-error.ts'
import { type Packet, pullPacket, push } from './startup-pull.ts'

/** Values in text format; null is SQL's NULL. */
export type Row = readonly (string | null)[]

/** A row of our own catalog queries: names and a view's definition. PostgreSQL's own limit on a value is 1 GiB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** One message to the server: type, length, texts each with its zero byte. */
export function textMessage(type: string, ...texts: readonly string[]): Uint8Array {
  return binaryMessage(type, Buffer.from(texts.map((text) => `${text}\0`).join('')))
}

export function binaryMessage(type: string, body: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** The server's next message; undefined when it leaves instead. Rejects TARGET_REFUSED for one that is malformed or above `maxBytes`. */
export async function pullAnswer(socket: Duplex, maxBytes: number, signal: AbortSignal): Promise<Packet | undefined> {
  try {
    return await pullPacket(socket, maxBytes, signal)
  } catch (cause) {
    // PROTOCOL_ would blame the client.
    if (cause instanceof ApplianceError && cause.code.startsWith('PROTOCOL_') && cause !== signal.reason) {
      throw new ApplianceError('TARGET_REFUSED', `the target broke the protocol: ${cause.message}`, { cause })
    }
    throw cause
  }
}

/**
 * Runs the gateway's own statements on an idle connection, by the simple protocol, and reads all rows. `parameters`: what the
 * server reported meanwhile. Rejects ServerError after the server is idle again, TARGET_UNREACHABLE when it leaves, or with the
 * signal's reason.
 */
export async function simpleQuery(
  socket: Duplex,
  text: string,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly parameters: ReadonlyMap<string, string> }> {
  await push(socket, textMessage('Q', text))
  const rows: Row[] = []
  const parameters = new Map<string, string>()
  await untilReady(socket, signal, ({ type, body }) => {
    if (type === 'D') rows.push(readRow(body))
    if (type === 'S') {
      const [name = '', value = ''] = body.toString('utf8').split('\0')
      parameters.set(name, value)
    }
  })
  return { rows, parameters }
}

/** Hands every message to `each` until ReadyForQuery; then rejects with the first ErrorResponse, if there was one and `each` did not take it (true). */
export async function untilReady(socket: Duplex, signal: AbortSignal, each: (packet: Packet) => unknown): Promise<void> {
  let failure: ServerError | undefined
  for (;;) {
    const packet = await pullAnswer(socket, MAX_ANSWER_BYTES, signal)
    if (packet === undefined)
      throw failure ?? new ApplianceError('TARGET_UNREACHABLE', 'the target left in the middle of an answer')
    if (packet.type === 'Z') break
    const taken = each(packet) === true
    if (packet.type === 'E' && !taken) failure ??= new ServerError(readReport(packet.body))
  }
  if (failure !== undefined) throw failure
}

/** Values of a DataRow body in text format. Throws TARGET_REFUSED where they do not fit in it. */
export function readRow(body: Buffer): Row {
  if (body.length < 2) throw broken()
  const row: (string | null)[] = []
  let at = 2
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    if (at + 4 > body.length) throw broken()
    const size = body.readInt32BE(at)
    at += 4
    if (size > body.length - at) throw broken()
    row.push(size < 0 ? null : body.toString('utf8', at, at + size))
    at += Math.max(0, size)
  }
  return row
}

function broken(): ApplianceError {
  return new ApplianceError('TARGET_REFUSED', 'the target sent a row whose values do not fit in it')
}
