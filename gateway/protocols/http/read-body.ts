import { type Duplex, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { BodyMemory } from './body-memory.ts'
import { Pieces } from './growing.ts'
import { LARGE_BYTES } from './large-bodies.ts'

/** The whole of a body behind the head that was given, or its beginning, to be let go of once it has passed, with the rest still to come. */
export type Collected = { readonly whole: Buffer } | { beginning: Uint8Array; readonly rest: AsyncIterator<Uint8Array> }

/** Reads until the end, or until there is more than `max`; `head` stands before what is whole, so that nothing is copied twice. Rejects with the stream's error. */
export async function collect(
  stream: AsyncIterable<Uint8Array>,
  max: number,
  { head, memory }: { readonly head: Uint8Array; readonly memory: Pick<BodyMemory, 'take' | 'large'> } = PLAIN,
): Promise<Collected> {
  const iterator = stream[Symbol.asyncIterator]()
  const chunks = new Pieces()
  for (;;) {
    const next = await iterator.next()
    if (next.done === true) return { whole: joined([head, ...chunks.all()], memory.take(head.length + chunks.size)) }
    chunks.push(next.value)
    if (chunks.size > max) return { beginning: Buffer.concat(chunks.all(), chunks.size), rest: iterator }
    if (chunks.size > LARGE_BYTES) await memory.large()
  }
}

const take = (size: number): Buffer => Buffer.allocUnsafe(size)
const NOTHING = new Uint8Array()
const PLAIN = { head: NOTHING, memory: { take, large: async (): Promise<void> => undefined } }

function joined(parts: readonly Uint8Array[], into: Buffer): Buffer {
  let at = 0
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
  return into
}

/**
 * The body as its sender meant it (RFC 9110, 8.4). Undefined: it is not encoded. Throws PROTOCOL_UNSUPPORTED for what cannot be looked
 * into. Whatever reads the result decides how much of it there may be: a small body may unpack to a large one.
 */
export function decoder(encoding: string | undefined): ReturnType<typeof createGunzip> | undefined {
  const name = encoding?.trim().toLowerCase() ?? 'identity'
  // However often it is said.
  if (name.split(',').every((each) => /^(identity)?$/.test(each.trim()))) return undefined
  const make = DECODERS.get(name)
  if (make === undefined)
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'the body has a content coding that cannot be read here')
  return make()
}

const DECODERS = new Map([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress()],
])

/**
 * Rejects PROTOCOL_MALFORMED where it does not decode, or where something stands behind what was decoded, which some readers go on with: a second frame, or
 * another member behind a NUL. PROTOCOL_OVERSIZE where it is more than `max`.
 */
export async function decodedBody(
  body: Uint8Array,
  encoding: string | undefined,
  max: number,
  memory: Pick<BodyMemory, 'large'> = PLAIN.memory,
): Promise<Uint8Array> {
  const decoding = decoder(encoding)
  // What is empty some send as packed all the same.
  if (decoding === undefined || body.length === 0) return body
  let decodes = true
  const large = async (): Promise<void> => {
    decodes = false
    await memory.large()
    decodes = true
  }
  const reading = collect(decoding, max, { head: NOTHING, memory: { take, large } })
  decoding.end(body)
  try {
    const read = await reading
    if ('whole' in read) {
      if (decoding.bytesWritten < body.length)
        throw new ApplianceError('PROTOCOL_MALFORMED', 'the body goes on behind the end of what its content-encoding says')
      return read.whole
    }
  } catch (cause) {
    if (!decodes || cause instanceof ApplianceError) throw cause
    throw new ApplianceError('PROTOCOL_MALFORMED', `the body is not what its content-encoding says`, { cause })
  } finally {
    decoding.destroy()
  }
  throw new ApplianceError('PROTOCOL_OVERSIZE', `the body unpacks to more than ${max} bytes`)
}

/** The body of an answer, unpacked where it is packed. Rejects TARGET_REFUSED where it breaks off or is not what it says. */
export function decodedAnswer(body: AsyncIterable<Uint8Array>, encoding: string | undefined): AsyncIterable<Uint8Array> {
  const decoding = decoder(encoding)
  if (decoding !== undefined) return told(unpacked(body, decoding))
  return body instanceof Readable ? told(body) : body
}

async function* told(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream
  } catch (cause) {
    if (cause instanceof ApplianceError) throw cause
    throw new ApplianceError('TARGET_REFUSED', 'the target broke off, or its answer is not packed as it says', { cause })
  }
}

async function* unpacked(body: AsyncIterable<Uint8Array>, decoding: Duplex): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  try {
    const first = await pieces.next()
    // What is empty some send as packed all the same.
    if (first.done === true) return
    const packed = Readable.from(behind(first.value, pieces))
    packed.on('error', (error) => decoding.destroy(error))
    packed.pipe(decoding)
    try {
      yield* decoding
    } finally {
      packed.destroy()
    }
  } finally {
    decoding.destroy()
  }
}

async function* behind(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
