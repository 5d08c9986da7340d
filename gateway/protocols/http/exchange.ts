import { ApplianceError } from '../../../schemas/errors.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import type { Message, Output } from '../../message.ts'
import type { Session } from '../../protocol.ts'
import type { Answer } from './answer.ts'
import type { Arrived } from './arrived.ts'
import { BodyMemory } from './body-memory.ts'
import type { Dialect } from './dialect.ts'
import { parseResponse, type RequestHead } from './head.ts'
import { HttpMessage, TrailersMessage } from './http-message.ts'
import { roomForLarge } from './large-bodies.ts'
import type { Place } from './location.ts'
import { isBinaryPart, mediaOf } from './media.ts'
import { type ClientResponse, isGone, isTaken, Reply } from './reply.ts'
import { type AskedRequest, readRequest } from './request.ts'
import { readResponse } from './response.ts'
import { isHeld, isThere, outputsOf, type Through } from './through.ts'
import { isStale } from './upstream.ts'
import type { Visit } from './visit.ts'

const LEFT = new Error('the client left')

/** One request and its response, through the gate of the session it belongs to. Never rejects for what peers do. */
export async function exchange(
  asked: Asked,
  response: ClientResponse,
  { session, visit }: { readonly session: Session; readonly visit: Visit },
  how: (asked: Asked, way: Way) => Promise<boolean> = forward,
): Promise<void> {
  const channel = visit.nextChannel()
  const stop = new AbortController()
  response.once('close', () => {
    if (!isTaken(response)) stop.abort(LEFT)
  })
  // It may have left while its session was opened, and is not told of again.
  if (isGone(response)) stop.abort(LEFT)
  const { signal } = stop
  const reply = new Reply(response, signal)
  const memory = new BodyMemory(() => roomForLarge(session.identity.subject, signal))
  visit.begun(stop)
  try {
    const passed = await how(asked, { visit, channel, reply, signal, memory, session: session.signal })
    if (!passed) return
    if (await reply.end()) memory.giveBack()
  } catch (error) {
    await fail(error, { visit, session, channel, reply, left: signal.reason === LEFT })
  } finally {
    memory.leave()
    visit.over(stop)
  }
}

export interface Asked {
  readonly request: Arrived
  /** Path and query as the target is to see them. */
  readonly target: string
  /** What stood in front of them. */
  readonly prefix: string
}

export interface Way {
  readonly visit: Visit
  readonly channel: number
  readonly reply: Reply
  /** Aborted when the client has left, and with the session. */
  readonly signal: AbortSignal
  readonly session: AbortSignal
  readonly memory: BodyMemory
}

/** May be sent once more where nobody can tell whether the target has had it (RFC 9110, 9.2.2): they change nothing there. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * False where a refusal was the answer. What is safe, and was let through by no person for once, is sent again where the connection that was kept for it turns out to
 * be closed by now; the tape has that first.
 */
async function forward(asked: Asked, way: Way): Promise<boolean> {
  const { visit, channel, reply, signal, memory } = way
  const request = await readRequest(asked, { channel, visit, memory })
  const through = (message: Message): Through => outputsOf(visit.gate, message, signal)
  const asking = through(request.message)
  const refused = await ownOf(asking)
  if (refused !== undefined) {
    await reply.say(refused.bytes)
    return false
  }
  const upstream = await visit.upstream()
  const credential = await visit.credential()
  const ask = async (head: RequestHead): Promise<Answer> => {
    const body = request.body(through)
    const once = (): Promise<Answer> => upstream.ask(head, body, credential, signal)
    const isWhole = body === null || body instanceof Uint8Array
    if (!SAFE.has(head.method) || !isWhole || isHeld(asking)) return once()
    return once().catch(async (error: unknown) => {
      if (!isStale(error)) throw error
      await visit.repeats(channel)
      return once()
    })
  }
  const answer = await askPart(request, ask)
  const place = { prefix: asked.prefix, authority: upstream.authority, path: upstream.path }
  return pass(answer, { asked: request, place }, way)
}

/** The first that the gateway says itself: a refusal. */
async function ownOf(through: Through): Promise<Output | undefined> {
  if (isThere(through)) {
    for (const outputs of through) for (const output of outputs) if (output.own !== undefined) return output
  } else for await (const outputs of through) for (const output of outputs) if (output.own !== undefined) return output
  return undefined
}

/** A part only where nothing could be hidden by where it is cut: of anything that could be text the whole is asked for, which a server may always send. */
export async function askPart({ head, range }: AskedRequest, ask: (head: RequestHead) => Promise<Answer>): Promise<Answer> {
  if (range.length === 0) return ask(head)
  const part = await ask({ ...head, headers: [...head.headers, ...range] })
  const first = part.status === 206 ? await part.peek?.() : undefined
  if (part.status !== 206 || (first !== undefined && isBinaryPart(mediaOf(part.headers), first))) return part
  part.body.destroy()
  return ask(head)
}

/** The answer, through the gate to the client. False where a refusal was said in its place. */
export async function pass(
  answer: Answer,
  about: { readonly asked: Pick<AskedRequest, 'head' | 'reading'>; readonly place: Place },
  { visit, channel, reply, signal, memory }: Way,
): Promise<boolean> {
  try {
    if (!reply.canSay(answer.status))
      throw new ApplianceError('TARGET_REFUSED', `the target answers with ${answer.status}, which is no status`)
    for await (const message of readResponse(answer, { channel, memory, ...about })) {
      const through = outputsOf(visit.gate, message, signal)
      if (isThere(through)) {
        for (const outputs of through) if (!(await told(reply, message, outputs))) return false
      } else for await (const outputs of through) if (!(await told(reply, message, outputs))) return false
    }
  } finally {
    answer.body.destroy()
  }
  return true
}

/** False where a refusal was said. */
async function told(reply: Reply, message: Message, outputs: readonly Output[]): Promise<boolean> {
  for (const { own, bytes } of outputs) {
    if (own !== undefined) {
      await reply.say(bytes)
      return false
    }
    if (message instanceof HttpMessage) await reply.begin(bytes, message.streams, message.headOf(bytes))
    else if (message instanceof TrailersMessage) reply.trailers(parseResponse(bytes).headers)
    else await reply.more(bytes)
  }
  return true
}

async function fail(
  error: unknown,
  { visit, session, channel, reply, left }: { visit: Visit; session: Session; channel: number; reply: Reply; left: boolean },
): Promise<void> {
  const words = wordsOf(error, session.signal, visit.dialect)
  if (words === undefined && !left) throw error
  if (words === undefined || left) {
    await session.note('exchange.aborted', { channel, begun: reply.begun }).catch(() => session.closing('recording failed'))
    reply.cut()
    return
  }
  // What the client is told is on the tape first, where there still is one to write to.
  const outputs = await visit.gate
    .say([{ to: 'client', bytes: words, own: { kind: 'refusal', channel, facts: {} } }])
    .catch((): readonly Output[] => [{ to: 'client', bytes: words }])
  for (const { bytes } of outputs) await reply.say(bytes)
}

function wordsOf(error: unknown, session: AbortSignal, dialect: Dialect): Buffer | undefined {
  if (session.aborted && isRefusal(session.reason)) return dialect.refusal(session.reason)
  return error instanceof ApplianceError ? dialect.error(error) : undefined
}

function isRefusal(reason: unknown): reason is Refusal {
  return typeof reason === 'object' && reason !== null && 'why' in reason && 'rules' in reason
}
