import { ApplianceError } from '../../../schemas/errors.ts'
import type { Message } from '../../message.ts'
import type { Answer } from './answer.ts'
import { askedLine } from './asked-line.ts'
import { holdsBinary } from './binary.ts'
import type { BodyMemory } from './body-memory.ts'
import { Growing } from './growing.ts'
import { encodeResponse, encodeTrailers, endToEnd, type Headers, headerOf, listOf, type ResponseHead } from './head.ts'
import { BodyMessage, HttpMessage, type HttpParts, TrailersMessage } from './http-message.ts'
import { livePieces } from './live-body.ts'
import { type Place, relocated } from './location.ts'
import { isAmbiguous, isOpaque, type Media, mediaOfType, promisesNothing, typeOf } from './media.ts'
import { boundaryOf } from './multipart-body.ts'
import { collect, decodedAnswer } from './read-body.ts'
import type { AskedRequest } from './request.ts'
import { StreamedBody } from './streamed-body.ts'

/** Bodies up to this size pass in one piece, with what was masked in them taking the room it needs. */
const MAX_WHOLE_BYTES = 1024 * 1024
/** JSON can only be read as a whole. */
const MAX_JSON_BYTES = 16 * 1024 * 1024

/** Of the bytes as they were, which are not those that go on (RFC 9530; RFC 1864), or of parts of them (RFC 9110, 14.3). */
const OF_THE_BYTES = new Set(['content-encoding', 'content-md5', 'digest', 'content-digest', 'repr-digest', 'accept-ranges'])

/** The answer as messages: one, or a head and the parts of its body as they come. Rejects TARGET_REFUSED for one that cannot be read in one way only. */
export async function* readResponse(
  answer: Answer,
  about: {
    readonly channel: number
    readonly asked: Pick<AskedRequest, 'head' | 'reading'>
    readonly place: Place
    readonly memory: BodyMemory
  },
): AsyncGenerator<Message> {
  const { channel, asked, place, memory } = about
  const { method } = asked.head
  const { fields, media: mediaAs } = asked.reading.answer
  const { status } = answer
  const headers = relocated(endToEnd(answer.headers, OF_THE_BYTES), place)
  const head: ResponseHead = { status, headers }
  const type = typeOf(headers)
  const said = mediaAs(mediaOfType(type), type)
  // A part does not begin like the whole.
  const media = status === 206 && said === 'opaque' ? 'unknown' : said
  const partsOf = (size: number | undefined): HttpParts => ({
    from: 'server',
    channel,
    facts: { status, content_type: type, ...(size === undefined ? {} : { size }) },
    media,
    boundary: media === 'multipart' ? boundaryOf(headers) : undefined,
    fields,
    asked: askedLine(asked.head, asked.reading),
  })
  if (method === 'HEAD' || status === 204 || status === 304) {
    yield new HttpMessage(partsOf(0), encodeResponse({ status, headers: [...headers, ...lengthOf(answer, { method, media })] }))
    return
  }
  if (!/^(chunked)?$/i.test(listOf(answer.headers, 'transfer-encoding') ?? ''))
    throw new ApplianceError('TARGET_REFUSED', 'the answer is packed for its way (Transfer-Encoding), which nobody asked for')
  if (isAmbiguous(headers))
    throw new ApplianceError(
      'TARGET_REFUSED',
      'the answer says more than one type of its body: it could be read as what it was not looked at as',
    )
  const body = decodedAnswer(answer.body, listOf(answer.headers, 'content-encoding'))
  const hasLength = headerOf(answer.headers, 'content-length') !== undefined
  const streams = media === 'events' || media === 'live' || !(hasLength || isReadWhole(media, type))
  const max = media === 'json' ? MAX_JSON_BYTES : MAX_WHOLE_BYTES
  const encoded = encodeResponse(head)
  const wasLarge = memory.isLarge
  const collected = streams
    ? { beginning: NOTHING, rest: body[Symbol.asyncIterator]() }
    : await collect(body, max, { head: encoded, memory })
  if ('whole' in collected) {
    const { whole } = collected
    const trailers = trailersOf(answer)
    yield new HttpMessage(partsOf(whole.length - encoded.length), whole, {
      streams: trailers.length > 0,
      head: { head, size: encoded.length },
    })
    if (trailers.length > 0) yield new TrailersMessage(partsOf(undefined), encodeTrailers(trailers))
    return
  }
  if (media === 'json' && fields.labelled)
    throw new ApplianceError(
      'PROTOCOL_OVERSIZE',
      `the answer is JSON of more than ${MAX_JSON_BYTES} bytes, too large to look for labels in`,
    )
  const parts = partsOf(undefined)
  const { rest } = collected
  const narrow = promisesNothing(media) && holdsBinary(collected.beginning)
  // JSON in a text is masked by something longer.
  const grows = fields.labelled && !narrow && !isOpaque(media, collected.beginning)
  const length = grows ? [] : lengthOf(answer, { method, media })
  yield new HttpMessage(parts, length.length === 0 ? encoded : encodeResponse({ status, headers: [...headers, ...length] }), {
    streams: true,
  })
  const streamed = new StreamedBody({ media, fields, answer: true, narrow })
  if (media === 'events') yield* lines(rest, (bytes, last) => new BodyMessage(parts, streamed, bytes, last))
  else if (media === 'live') yield* livePieces(rest, streamed, (bytes, last) => new BodyMessage(parts, streamed, bytes, last))
  else {
    if (collected.beginning.length > 0) yield new BodyMessage(parts, streamed, collected.beginning, false)
    // It has passed; what follows may take for ever, and is held by nobody.
    collected.beginning = NOTHING
    if (!wasLarge) memory.leave()
    yield* pieces(rest, (bytes, last) => new BodyMessage(parts, streamed, bytes, last))
  }
  const trailers = trailersOf(answer)
  if (trailers.length > 0) yield new TrailersMessage(parts, encodeTrailers(trailers))
}

/** What is read by its keys, and by nobody while it is still to come, whether its length was told or not. */
function isReadWhole(media: Media, type: string): boolean {
  return media === 'json' || media === 'form' || type === FORM_IN_PARTS
}

const FORM_IN_PARTS = 'multipart/form-data'

/**
 * How long the body is, where that is known beforehand: clients plan by it. 204 says nothing of any (RFC 9110, 8.6). What is streamed keeps its length, but for lines and where something is labelled; what
 * would come whole may be masked by something longer, so of a HEAD's, which frames nothing, only what is no text counts.
 */
function lengthOf({ status, headers }: Answer, { method, media }: { readonly method: string; readonly media: Media }): Headers {
  const packed = !/^(identity)?$/i.test(listOf(headers, 'content-encoding') ?? '')
  const kept = method === 'HEAD' ? media === 'opaque' || media === 'unknown' : media !== 'events' && media !== 'live'
  return packed || !kept || status === 204 ? [] : headers.filter(([name]) => name.toLowerCase() === 'content-length')
}

function trailersOf({ trailers }: Answer): Headers {
  return trailers === undefined ? [] : endToEnd(trailers(), OF_THE_BYTES)
}

type Make = (bytes: Uint8Array, last: boolean) => Message

const NOTHING = new Uint8Array()

async function* pieces(rest: AsyncIterator<Uint8Array>, make: Make): AsyncGenerator<Message> {
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield make(next.value, false)
  yield make(NOTHING, true)
}

const LF = 0x0a
/** A line that is cut could hide what the cut goes through. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

/** Whole lines, as soon as they are there: whoever waits for an event waits for nothing behind it. */
async function* lines(rest: AsyncIterator<Uint8Array>, make: Make): AsyncGenerator<Message> {
  const held = new Growing()
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    const end = next.value.lastIndexOf(LF) + 1
    const whole = next.value.subarray(0, end)
    if (end > 0 && held.size > 0) {
      held.push(whole)
      yield make(held.take(), false)
    } else if (end > 0) yield make(whole, false)
    held.push(next.value.subarray(end))
    if (held.size > MAX_LINE_BYTES)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `an event has more than ${MAX_LINE_BYTES} bytes`)
  }
  yield make(held.take(), true)
}
