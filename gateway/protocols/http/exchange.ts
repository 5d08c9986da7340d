import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import type { Gate } from '../../gate.ts'
import type { Message, Output } from '../../message.ts'
import type { Session } from '../../protocol.ts'
import { HttpMessage } from './http-message.ts'
import type { Place } from './location.ts'
import { errorResponse, refusalResponse } from './refusal.ts'
import { Reply } from './reply.ts'
import { readRequest } from './request.ts'
import { readResponse } from './response.ts'
import type { Answer } from './upstream.ts'
import type { Visit } from './visit.ts'

/** One request and its response, through the gate of the session it belongs to. Never rejects for what peers do. */
export async function exchange(
  asked: Asked,
  response: ServerResponse,
  { session, visit }: { readonly session: Session; readonly visit: Visit },
  how: (asked: Asked, way: Way) => Promise<boolean> = forward,
): Promise<void> {
  const channel = visit.nextChannel()
  const left = new AbortController()
  response.once('close', () => left.abort())
  const signal = AbortSignal.any([session.signal, left.signal])
  const reply = new Reply(response, signal)
  try {
    const passed = await how(asked, { visit, channel, reply, signal, session: session.signal })
    if (!passed) return
    await reply.end()
  } catch (error) {
    await fail(error, { gate: visit.gate, session, channel, reply, left: left.signal })
  }
}

export interface Asked {
  readonly request: IncomingMessage
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
}

/** False where a refusal was the answer. */
async function forward(asked: Asked, way: Way): Promise<boolean> {
  const { visit, channel, reply, signal } = way
  const request = await readRequest(asked, { channel, fields: visit.fields })
  const through = (message: Message): AsyncGenerator<Output> => outputsOf(visit.gate, message, signal)
  for await (const output of through(request.message)) {
    if (output.own === undefined) continue
    await reply.say(output.bytes)
    return false
  }
  const upstream = await visit.upstream()
  const answer = await upstream.ask(request.head, request.body(through), await visit.credential(), signal)
  const place = { prefix: asked.prefix, authority: upstream.authority }
  return pass(answer, { method: request.head.method, place }, way)
}

/** The answer, through the gate to the client. False where a refusal was said in its place. */
export async function pass(
  answer: Answer,
  { method, place }: { readonly method: string; readonly place: Place },
  { visit, channel, reply, signal }: Way,
): Promise<boolean> {
  try {
    for await (const message of readResponse(answer, { channel, fields: visit.fields, method, place })) {
      for await (const output of outputsOf(visit.gate, message, signal)) {
        if (output.own !== undefined) {
          await reply.say(output.bytes)
          return false
        }
        await (message instanceof HttpMessage ? reply.begin(output.bytes, message.streams) : reply.more(output.bytes))
      }
    }
  } finally {
    answer.body.destroy()
  }
  return true
}

/** What may be written of this message, in order. */
export async function* outputsOf(gate: Gate, message: Message, signal: AbortSignal): AsyncGenerator<Output> {
  for await (const outputs of gate.pass([message], signal)) yield* outputs
}

async function fail(
  error: unknown,
  { gate, session, channel, reply, left }: { gate: Gate; session: Session; channel: number; reply: Reply; left: AbortSignal },
): Promise<void> {
  const words = wordsOf(error, session.signal)
  if (words === undefined && !left.aborted) throw error
  if (words === undefined || left.aborted) {
    await session.note('exchange.aborted', { channel, begun: reply.begun }).catch(() => session.closing('recording failed'))
    reply.cut()
    return
  }
  // What the client is told is on the tape first, where there still is one to write to.
  const outputs = await gate
    .say([{ to: 'client', bytes: words, own: { kind: 'refusal', channel, facts: {} } }])
    .catch((): readonly Output[] => [{ to: 'client', bytes: words }])
  for (const { bytes } of outputs) await reply.say(bytes)
}

function wordsOf(error: unknown, session: AbortSignal): Buffer | undefined {
  if (session.aborted && isRefusal(session.reason)) return refusalResponse(session.reason)
  return error instanceof ApplianceError ? errorResponse(error) : undefined
}

function isRefusal(reason: unknown): reason is Refusal {
  return typeof reason === 'object' && reason !== null && 'why' in reason && 'rules' in reason
}
