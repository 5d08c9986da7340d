import { type Frame, isReleased } from '../../schemas/frame.ts'
import type { SessionInfo } from '../../schemas/session.ts'
import { fieldOf, type HttpHead, hasHead, isOfExchange, readHead } from './http-parts.ts'
import { derivedFrom, type Origin } from './origin.ts'

/** Of a body, and of the messages of an exchange together; the recording has it whole. A HAR is read into memory by whatever opens it. */
const MAX_BODY_SIZE = 1 << 20
/** Of one exchange. */
const MAX_TUNNEL_MESSAGES = 1_000
/** Exchanges under way at once whose parts are kept; the oldest is written for the next one. */
const MAX_OPEN = 500
const TEXT_OPCODE = 1
const BINARY_OPCODE = 2

interface Body {
  readonly pieces: Uint8Array[]
  /** As recorded; more than `pieces` have where it was cut. */
  size: number
  kept: number
}

interface Exchange {
  readonly request: HttpHead
  readonly requestBody: Body
  readonly frames: [first: number, last: number]
  readonly startUs: number
  readonly verdicts: string[]
  readonly messages: unknown[]
  /** Of all messages, in bytes. */
  messageSize: number
  /** Messages that had no room. */
  leftOut: number
  /** Messages that were blocked, or only began to wait. */
  unsent: number
  answerUs: number | undefined
  endUs: number
  response: HttpHead | undefined
  readonly responseBody: Body
}

/** Reads a session of HTTP into HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), entry by entry, in the order in which exchanges end. */
export class Har {
  readonly #session: SessionInfo
  readonly #origin: Origin
  readonly #product: string
  readonly #open = new Map<number, Exchange>()
  #isFirst = true

  constructor(session: SessionInfo, origin: Origin, product: string) {
    this.#session = session
    this.#origin = origin
    this.#product = product
  }

  begin(): string {
    const creator = { name: 'Sallyport', version: this.#product }
    const head = JSON.stringify({ version: '1.2', creator, comment: derivedFrom(this.#origin) })
    return `{"log":${head.slice(0, -1)},"entries":[`
  }

  *add(frame: Frame): Generator<string> {
    const { channel, kind, body, seq, atUs, dir } = frame
    const known = this.#open.get(channel)
    if (dir === 'in' && kind === 'request' && hasHead(frame)) {
      if (known !== undefined) {
        // A message that waited for a person is on the tape when it began to wait, and again when it went on.
        if (known.response === undefined && known.verdicts.some((verdict) => verdict.startsWith('hold')))
          this.#open.delete(channel)
        else yield* this.#finish(channel, known)
      }
      const [oldest] = this.#open
      if (oldest !== undefined && this.#open.size >= MAX_OPEN) yield* this.#finish(...oldest)
      this.#open.set(channel, begun(frame))
      return
    }
    if (known === undefined) return
    known.frames[1] = seq
    known.endUs = atUs
    if (kind === 'exchange.aborted') yield* this.#finish(channel, known)
    if (dir === 'note' || body === null) return
    note(known, frame)
    if (kind.startsWith('ws-')) {
      if (!isReleased(frame)) known.unsent += 1
      // Once one has no room, none behind it: what is listed has no holes.
      else if (
        known.leftOut > 0 ||
        known.messages.length >= MAX_TUNNEL_MESSAGES ||
        known.messageSize + body.length > MAX_BODY_SIZE
      )
        known.leftOut += 1
      else {
        known.messages.push(this.#message(frame, body))
        known.messageSize += body.length
      }
    } else if (!isOfExchange(frame) || kind === 'response-trailers') return
    else if (dir === 'in') append(known.requestBody, body)
    else if (hasHead(frame)) {
      known.response = readHead(body)
      known.answerUs = atUs
      append(known.responseBody, body.subarray(known.response.size))
    } else append(known.responseBody, body)
  }

  *end(): Generator<string> {
    for (const [channel, exchange] of [...this.#open]) yield* this.#finish(channel, exchange)
    yield '\n]}}\n'
  }

  *#finish(channel: number, exchange: Exchange): Generator<string> {
    this.#open.delete(channel)
    yield `${this.#isFirst ? '\n' : ',\n'}${JSON.stringify(this.#entry(exchange))}`
    this.#isFirst = false
  }

  #entry(exchange: Exchange): unknown {
    const { request, requestBody, response, responseBody, frames, startUs, endUs, verdicts, messages } = exchange
    const answerUs = exchange.answerUs ?? endUs
    const [method = '', where = ''] = request.start.split(' ')
    const url = this.#url(where)
    const type = fieldOf(request, 'content-type') ?? ''
    const cuts = [requestBody, responseBody].some(({ size, kept }) => kept < size) ? '; a body is cut here' : ''
    const leftOut = exchange.leftOut === 0 ? '' : `; ${counted(exchange.leftOut, 'left out')}`
    const unsent = exchange.unsent === 0 ? '' : `; ${counted(exchange.unsent, 'blocked or held, and not listed')}`
    const judged = verdicts.length === 0 ? '' : `; ${verdicts.join(', ')}`
    const wait = (answerUs - startUs) / 1_000
    const receive = (endUs - answerUs) / 1_000
    return {
      startedDateTime: new Date(Date.parse(this.#session.startedAt) + startUs / 1_000).toISOString(),
      time: wait + receive,
      request: {
        method,
        url: url.href,
        httpVersion: 'HTTP/1.1',
        cookies: [],
        headers: headersOf(request),
        queryString: [...url.searchParams].map(([name, value]) => ({ name, value })),
        headersSize: request.size,
        bodySize: requestBody.size,
        ...(requestBody.size === 0 ? {} : { postData: { mimeType: type, ...textOf(requestBody) } }),
      },
      response: responseOf(response, responseBody),
      cache: {},
      timings: { send: 0, wait, receive },
      comment: `frames ${frames[0]}-${frames[1]} of ${this.#session.id}${judged}${cuts}${unsent}${leftOut}`,
      ...(messages.length === 0 ? {} : { _webSocketMessages: messages }),
    }
  }

  /** The target's own address before what was asked for. */
  #url(where: string): URL {
    const { host, port, protocol } = this.#session.target
    const name = host.includes(':') ? `[${host}]` : host
    const base = `${protocol === 'kubernetes' || port === 443 ? 'https' : 'http'}://${name}:${port}`
    // A path, though it may look like another host's address: `//elsewhere/x` was asked of the target.
    const text = where.startsWith('/') ? base + where : protocol === 'egress' ? absoluteOf(where) : base
    return new URL(URL.canParse(text) ? text : base)
  }

  #message({ dir, atUs, facts }: Frame, body: Uint8Array): unknown {
    const isText = facts['type'] === 'text'
    return {
      type: dir === 'in' ? 'send' : 'receive',
      time: (Date.parse(this.#session.startedAt) + atUs / 1_000) / 1_000,
      opcode: isText ? TEXT_OPCODE : BINARY_OPCODE,
      data: Buffer.from(body).toString(isText ? 'utf8' : 'base64'),
    }
  }
}

/** A proxy is asked for whole URLs, and by CONNECT for host and port. */
function absoluteOf(where: string): string {
  return /^(?:[^/:[\]]+|\[[\da-f:.]+\]):\d+$/i.test(where) ? `https://${where}` : where
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 message is ${what}` : `${count} messages are ${what}`
}

function begun(frame: Frame): Exchange {
  const body = frame.body ?? new Uint8Array(0)
  const request = readHead(body)
  const exchange: Exchange = {
    request,
    requestBody: { pieces: [], size: 0, kept: 0 },
    frames: [frame.seq, frame.seq],
    startUs: frame.atUs,
    verdicts: [],
    messages: [],
    messageSize: 0,
    leftOut: 0,
    unsent: 0,
    answerUs: undefined,
    endUs: frame.atUs,
    response: undefined,
    responseBody: { pieces: [], size: 0, kept: 0 },
  }
  append(exchange.requestBody, body.subarray(request.size))
  note(exchange, frame)
  return exchange
}

function note({ verdicts }: Exchange, frame: Frame): void {
  const { verdict } = frame
  if (verdict === null) return
  const said = `${verdict.act} ${verdict.rules.join(' ')}${isReleased(frame) ? '' : ' (not sent on)'}`
  if (!verdicts.includes(said)) verdicts.push(said)
}

function append(body: Body, bytes: Uint8Array): void {
  body.size += bytes.length
  const kept = bytes.subarray(0, Math.max(0, MAX_BODY_SIZE - body.kept))
  body.kept += kept.length
  if (kept.length > 0) body.pieces.push(kept)
}

function responseOf(head: HttpHead | undefined, body: Body): unknown {
  if (head === undefined)
    return {
      status: 0,
      statusText: '',
      httpVersion: '',
      cookies: [],
      headers: [],
      content: { size: 0, mimeType: '' },
      redirectURL: '',
      headersSize: -1,
      bodySize: -1,
      comment: 'nothing answered it',
    }
  const [, status = '0', ...words] = head.start.split(' ')
  return {
    status: Number(status) || 0,
    statusText: words.join(' '),
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: headersOf(head),
    content: { size: body.size, mimeType: fieldOf(head, 'content-type') ?? '', ...(body.size === 0 ? {} : textOf(body)) },
    redirectURL: fieldOf(head, 'location') ?? '',
    headersSize: head.size,
    bodySize: body.size,
  }
}

function headersOf({ fields }: HttpHead): unknown {
  return fields.map(([name, value]) => ({ name, value }))
}

/** As text where it is UTF-8, in base64 otherwise. */
function textOf({ pieces, size, kept }: Body): {
  readonly text: string
  readonly encoding?: 'base64'
  readonly comment?: string
} {
  const bytes = Buffer.concat(pieces)
  const comment = kept < size ? { comment: `the first ${kept} of ${size} bytes` } : {}
  try {
    // What was cut may end amidst a character.
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: kept < size }), ...comment }
  } catch {
    return { text: bytes.toString('base64'), encoding: 'base64', ...comment }
  }
}
