import type { Duplex } from 'node:stream'
import { COPYING_RELATIONS } from './catalog-system.ts'
import { type MadeOf, madeOf } from './conversions.ts'
import { type Packet, push } from './startup-pull.ts'
import { binaryMessage, readRow, textMessage, untilReady } from './upstream-query.ts'

/** Where a result column comes from, as RowDescription says; attribute 0 is the whole row. */
export interface FieldOrigin {
  readonly oid: number
  readonly attnum: number
}

export interface ViewColumns {
  readonly plain: ReadonlyMap<number, FieldOrigin>
  /** What the definition makes its rows of; undefined: too long to be read here. */
  readonly made: MadeOf | undefined
  /** Relations of the system whose names its definition holds: on some of those no dependency is kept. */
  readonly copying: readonly string[]
}

/** The grammar takes a millisecond for so much; what a longer definition does is not known, which errs on the masked side. */
const MAX_READ_CHARS = 8_192
/** Definitions asked about in one go: enough to hide the round trip, few enough that neither side's buffers fill up. */
const BATCH_SIZE = 32
/** Analysing a view costs the server about 0.1 ms; what is left after this counts as computed, which errs on the masked side. */
const BUDGET_MS = 10_000

/**
 * Asks the server, per view, which columns are another relation's column as it stands: by having the definition analysed
 * (Parse, Describe), never run. A definition that cannot be read or analysed, for a lock or for lack of rights on a schema, has no
 * such columns. Resolves with view oid -> attribute number -> origin.
 */
export async function describeViews(
  socket: Duplex,
  views: readonly number[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, ViewColumns>> {
  const described = new Map<number, ViewColumns>()
  const until = performance.now() + BUDGET_MS
  for (let at = 0; at < views.length && performance.now() < until; at += BATCH_SIZE) {
    const batch = views.slice(at, at + BATCH_SIZE)
    // One Sync each: a view that fails takes no other with it.
    const texts = await pipeline(socket, batch.map(definition), signal, ({ type, body }) =>
      type === 'D' ? readValue(body) : undefined,
    )
    const known = batch.flatMap((oid, index) => {
      const text = texts[index]
      return text === undefined ? [] : [{ oid, text }]
    })
    const made = known.map(({ text }) => (text.length > MAX_READ_CHARS ? undefined : madeOf(text)))
    const requests = known.map(({ text }) => describe(text))
    const columns = await pipeline(socket, requests, signal, ({ type, body }) =>
      type === 'T' ? plainColumns(readOrigins(body)) : undefined,
    )
    for (const [index, { oid, text }] of known.entries()) {
      const copying = COPYING_RELATIONS.filter((name) => text.includes(name))
      described.set(oid, { plain: columns[index] ?? new Map(), made: made[index], copying })
    }
  }
  return described
}

/** Sends all requests, each ending in its own ReadyForQuery; what `read` found in the answer to each, undefined where it failed. */
async function pipeline<T>(
  socket: Duplex,
  requests: readonly Uint8Array[],
  signal: AbortSignal,
  read: (packet: Packet) => T | undefined,
): Promise<readonly (T | undefined)[]> {
  await push(socket, Buffer.concat(requests))
  const found: (T | undefined)[] = []
  for (const [index] of requests.entries()) {
    found[index] = undefined
    await untilReady(socket, signal, (packet) => {
      found[index] ??= read(packet)
      return packet.type === 'E'
    })
  }
  return found
}

function definition(oid: number): Uint8Array {
  return textMessage('Q', `SELECT pg_catalog.pg_get_viewdef(${oid}::pg_catalog.oid)`)
}

function readValue(body: Buffer): string | undefined {
  return readRow(body)[0] ?? undefined
}

function describe(text: string): Uint8Array {
  const parse = binaryMessage('P', Buffer.from(`\0${text}\0\0\0`))
  return Buffer.concat([parse, textMessage('D', 'S'), binaryMessage('S', new Uint8Array(0))])
}

/** A view's columns have the attribute numbers 1, 2, ... in the order of its definition: none can be dropped. */
function plainColumns(origins: readonly FieldOrigin[]): ReadonlyMap<number, FieldOrigin> {
  return new Map(origins.flatMap((origin, at) => (origin.oid !== 0 && origin.attnum > 0 ? [[at + 1, origin] as const] : [])))
}

/** Origins in a RowDescription body (manual, "Message Formats"). A body cut short gives the fields before the cut. */
export function readOrigins(body: Buffer): readonly FieldOrigin[] {
  const origins: FieldOrigin[] = []
  let at = 2
  while (at < body.length) {
    const end = body.indexOf(0, at)
    if (end < 0 || end + 19 > body.length) break
    origins.push({ oid: body.readUInt32BE(end + 1), attnum: body.readInt16BE(end + 5) })
    at = end + 19
  }
  return origins
}
