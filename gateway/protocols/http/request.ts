import { createHash } from 'node:crypto'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Message } from '../../message.ts'
import type { Arrived } from './arrived.ts'
import { askedLine } from './asked-line.ts'
import type { BodyMemory } from './body-memory.ts'
import type { Reading } from './dialect.ts'
import { Pieces } from './growing.ts'
import { encodeRequest, endToEnd, type Headers, headerOf, listOf, type RequestHead } from './head.ts'
import { BodyMessage, HttpMessage, type HttpParts } from './http-message.ts'
import type { JsonFields } from './json-body.ts'
import { type Media, mediaOf } from './media.ts'
import { refuseOverride } from './method-override.ts'
import { boundaryOf } from './multipart-body.ts'
import { collect, decodedBody } from './read-body.ts'
import { StreamedBody } from './streamed-body.ts'
import type { Through } from './through.ts'
import type { Visit } from './visit.ts'

/** Bodies up to this size are judged, held and approved with the request; a larger one follows its head in parts. */
const MAX_WHOLE_BYTES = 1024 * 1024
/** In which it has to be there, or its first bytes of that number: 3.5 KB a second; behind them it is silence that ends it. */
const BODY_MS = 5 * 60_000
/** What a body of that size may unpack to. */
const MAX_UNPACKED_BYTES = 16 * 1024 * 1024

/** A part of a body may hold a part of a secret. */
const RANGE = new Set(['range', 'if-range'])

/** The client's own proof, what chooses its target, and what would change how the answer can be read. */
export const OURS = new Set([
  'authorization',
  'x-sallyport-key',
  'x-sallyport-run',
  'host',
  'expect',
  // What is packed would have to be unpacked.
  'accept-encoding',
  ...RANGE,
])

export interface AskedRequest {
  readonly head: RequestHead
  readonly reading: Reading
  readonly message: Message
  /** The part of a representation that is asked for (RFC 9110, 14.2): with it, binary ones may be asked for; of all others the whole is. */
  readonly range: Headers
  /** What to send once the message is through: each part goes through the gate before it goes on. */
  body(through: (message: Message) => Through): Uint8Array | AsyncIterable<Uint8Array> | null
}

/**
 * The request, with its body where that is small. Rejects PROTOCOL_MALFORMED, PROTOCOL_OVERSIZE, PROTOCOL_TIMEOUT or PROTOCOL_UNSUPPORTED for a body
 * that cannot be looked into or another method in a header, and with what ends its stream; the head of the request is on the tape then.
 */
export async function readRequest(
  { request, target }: { readonly request: Arrived; readonly target: string },
  {
    channel,
    visit: { fields: named, dialect, gate },
    memory,
    ours = OURS,
  }: {
    readonly channel: number
    readonly memory: BodyMemory
    readonly visit: Pick<Visit, 'fields' | 'dialect' | 'gate'>
    /** Headers that do not go on, in lower case. */
    readonly ours?: ReadonlySet<string>
  },
): Promise<AskedRequest> {
  const asked: RequestHead = {
    method: request.method,
    target,
    headers: [...endToEnd(request.headers, ours), ['accept-encoding', 'identity']],
  }
  const reading = dialect.read(asked, named)
  const head: RequestHead = { ...asked, headers: reading.headers }
  const { kind, command, fields } = reading
  const media = reading.media ?? mediaOf(head.headers)
  const shown = command === undefined ? {} : { command }
  const boundary = media === 'multipart' ? boundaryOf(head.headers) : undefined
  const partsWith = (body: Uint8Array | undefined, beginning?: Uint8Array): HttpParts => {
    return {
      from: 'client',
      channel,
      facts: reading.facts(body, beginning),
      media,
      boundary,
      fields,
      kind,
      asked: askedLine(head, reading),
      ...shown,
    }
  }
  const encoded = encodeRequest(head)
  let body: RequestBody
  try {
    refuseOverride(head)
    body = request.empty
      ? NO_BODY
      : await readBody(request, { encoding: listOf(head.headers, 'content-encoding'), media, fields, memory })
  } catch (error) {
    // What of its body there may be is in no form in which it could be masked.
    await gate.withhold(new HttpMessage(partsWith(undefined), encoded, { streams: true }))
    throw error
  }
  const length = headerOf(request.headers, 'content-length')
  if ('whole' in body) {
    const { whole, plain } = body
    const bytes = plain.length === 0 ? encoded : Buffer.concat([encoded, plain])
    const parts = partsWith(plain)
    const isPacked = whole !== plain
    return {
      head,
      reading,
      range: rangeOf(head.method, request.headers),
      message: new HttpMessage(isPacked ? { ...parts, facts: { ...parts.facts, ...packedFacts(whole) } } : parts, bytes, {
        exact: isPacked ? Buffer.concat([encoded, whole]) : bytes,
      }),
      body: () => (whole.length === 0 && length === undefined ? null : whole),
    }
  }
  const { beginning, rest } = body
  const parts = partsWith(undefined, beginning)
  const announced: RequestHead = length === undefined ? head : { ...head, headers: [...head.headers, ['content-length', length]] }
  return {
    head: announced,
    reading,
    range: [],
    message: new HttpMessage(parts, encoded, { streams: true }),
    body: (through) =>
      bodyParts(beginning, rest, { parts, streamed: new StreamedBody({ media, fields, answer: false }), through }),
  }
}

/** Of what reaches the target as it came: beside the body a coding has room for what no reader of the body sees (the name of a file, a frame to be skipped). */
function packedFacts(packed: Uint8Array): Facts {
  return { packed_size: packed.length, packed_sha256: createHash('sha256').update(packed).digest('hex') }
}

function rangeOf(method: string, headers: Headers): Headers {
  if (method !== 'GET' || headerOf(headers, 'range') === undefined) return []
  return endToEnd(headers).filter(([name]) => RANGE.has(name.toLowerCase()))
}

/** `plain`: as its sender meant it. */
type RequestBody =
  | { readonly whole: Uint8Array; readonly plain: Uint8Array }
  | { readonly beginning: Uint8Array; readonly rest: AsyncIterator<Uint8Array> }

const EMPTY = new Uint8Array()
const NO_BODY: RequestBody = { whole: EMPTY, plain: EMPTY }

async function readBody(
  request: Arrived,
  {
    encoding,
    media,
    fields,
    memory,
  }: { readonly encoding: string | undefined; readonly media: Media; readonly fields: JsonFields; readonly memory: BodyMemory },
): Promise<RequestBody> {
  const collected = await inTime(collect(request.body, MAX_WHOLE_BYTES))
  if ('whole' in collected) {
    const { whole } = collected
    return { whole, plain: await decodedBody(whole, encoding, MAX_UNPACKED_BYTES, memory) }
  }
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      `a packed body may have ${MAX_WHOLE_BYTES} bytes; send a larger one unpacked`,
    )
  if (fields.labelled && (media === 'json' || media === 'form'))
    throw new ApplianceError(
      'PROTOCOL_OVERSIZE',
      `a ${media} body may have ${MAX_WHOLE_BYTES} bytes, as labels are looked for in it`,
    )
  return collected
}

/** Rejects PROTOCOL_TIMEOUT where what is judged with its head takes too long to come. */
export async function inTime<T>(reading: Promise<T>, limitMs = BODY_MS): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(
      new ApplianceError(
        'PROTOCOL_TIMEOUT',
        `the first ${MAX_WHOLE_BYTES} bytes of the body took longer than ${limitMs / 1000} s`,
      ),
    )
  }, limitMs)
  // Nobody hears of what it comes to when it was too late.
  reading.catch(() => undefined)
  try {
    return await Promise.race([reading, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Nothing of it goes on before the tape has it: what is kept back there, until it is known how to mask it, is kept back here as well. */
async function* bodyParts(
  beginning: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
  how: {
    readonly parts: HttpParts
    readonly streamed: StreamedBody
    readonly through: (message: Message) => Through
  },
): AsyncGenerator<Uint8Array> {
  const exact = new Pieces()
  const pass = async function* (bytes: Uint8Array, last: boolean): AsyncGenerator<Uint8Array> {
    for await (const outputs of how.through(new BodyMessage(how.parts, how.streamed, bytes, last))) {
      for (const output of outputs) {
        if (output.own !== undefined) throw new ApplianceError('POLICY_BLOCKED', 'the request was cut in the middle of its body')
        if (output.bytes.length > 0) exact.push(output.bytes)
      }
    }
    yield* exact.take(how.streamed.held)
  }
  let held = beginning
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    yield* pass(held, false)
    held = next.value
  }
  yield* pass(held, true)
}
