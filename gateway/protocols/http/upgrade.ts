import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { Intake } from '../../intake.ts'
import { type Asked, pass, type Way } from './exchange.ts'
import { encodeRequest, encodeResponse, endToEnd, type Headers, headerOf, type RequestHead } from './head.ts'
import { HttpMessage, type HttpParts } from './http-message.ts'
import { refuseOverride } from './method-override.ts'
import { OURS } from './request.ts'
import { isHeld, outputsOf, type Through } from './through.ts'
import { tunnel } from './tunnel.ts'
import type { Upgraded } from './upgrade-upstream.ts'

/** A person who thinks, or a feed without news, is no reason to close: as long as API servers keep idle streams. */
const SILENT_MS = 4 * 3_600_000

/** Compression would hide from the gate what passes, so it is not agreed on (RFC 6455, 9.1: whatever is not accepted is not used). */
const NOT_PASSED = ['sec-websocket-extensions']

/** Asks the target, once the gate has let the request through. */
type AskUpgrade = (head: RequestHead, way: Way) => Promise<Upgraded>

/**
 * The way of a request that asks for a WebSocket: through the gate like any other, and then every message of the connection. `ask`: in place of asking the
 * session's own target.
 */
export function upgrading(
  socket: Duplex,
  { ask = (head, { visit, signal }) => visit.upgrade(head, signal), ours = OURS }: UpgradeHow = {},
): (asked: Asked, way: Way) => Promise<boolean> {
  return async (asked, way) => forwardUpgrade(asked, way, { socket, ready: readAhead(socket), ask, ours })
}

interface UpgradeHow {
  readonly ask?: AskUpgrade
  /** Headers that do not go on, in lower case. */
  readonly ours?: ReadonlySet<string>
}

/** Reads a client's connection ahead, so that one that leaves while its request is held is noticed; what is returned gives back what was read. */
export function readAhead(socket: Duplex): () => void {
  const intake = new Intake(socket)
  const leave = (): void => void socket.destroy()
  intake.left.addEventListener('abort', leave, { once: true })
  return () => {
    intake.left.removeEventListener('abort', leave)
    const unread = intake.close()
    if (unread.length > 0 && !socket.destroyed) socket.unshift(unread)
  }
}

/** Passes on the answer after which a connection is no longer HTTP. False where the gate had its own to say instead. */
export async function switched(answer: Through, reply: Way['reply'], ready: () => void): Promise<boolean> {
  for await (const outputs of answer) {
    for (const output of outputs) {
      if (output.own !== undefined) {
        await reply.say(output.bytes)
        return false
      }
      ready()
      reply.switch(output.bytes)
    }
  }
  return true
}

async function forwardUpgrade(
  asked: Asked,
  way: Way,
  { socket, ready, ask, ours }: Required<UpgradeHow> & { readonly socket: Duplex; readonly ready: () => void },
): Promise<boolean> {
  const { visit, channel, reply, signal, session } = way
  const { fields: named, gate, dialect } = visit
  const plain = headOf(asked, ours)
  const reading = dialect.read(plain, named)
  const head: RequestHead = { ...plain, headers: reading.headers }
  const { kind, command, binding, fields } = reading
  const facts = { ...reading.facts(undefined), upgrade: headerOf(head.headers, 'upgrade') ?? '' }
  const shown = { ...(command === undefined ? {} : { command }), ...(binding === undefined ? {} : { binding }) }
  const parts: HttpParts = { from: 'client', channel, facts, media: 'unknown', fields, kind, ...shown }
  const message = new HttpMessage(parts, encodeRequest(head))
  try {
    refuseOverride(head)
  } catch (error) {
    await gate.withhold(message)
    throw error
  }
  const before = binding === undefined ? undefined : visit.refused.take(binding)
  if (before !== undefined) {
    // It was asked, which the tape has to tell.
    await gate.withhold(message)
    const own = { kind: 'refusal', channel, facts: { repeated: true } } as const
    for (const { bytes } of await gate.say([{ to: 'client', bytes: before, own }])) await reply.say(bytes)
    return false
  }
  const through = outputsOf(gate, message, signal)
  for await (const outputs of through) {
    for (const output of outputs) {
      if (output.own === undefined) continue
      // What had to be waited for was held: a rule's own word costs nobody anything.
      if (binding !== undefined && isHeld(through)) visit.refused.remember(binding, output.bytes)
      await reply.say(output.bytes)
      return false
    }
  }
  const upgraded = await ask(head, way)
  const headers = endToEnd(upgraded.headers)
  if (upgraded.socket === undefined) {
    const place = { prefix: asked.prefix, authority: upgraded.authority }
    return pass(upgraded, { asked: { head, reading }, place }, way)
  }
  try {
    if (headerOf(headers, 'sec-websocket-extensions') !== undefined)
      throw new ApplianceError('TARGET_REFUSED', 'the target uses an extension of WebSocket that was not asked for')
    const codec = dialect.codec({ head, headers, facts, channel, fields })
    const answered = new HttpMessage(
      { from: 'server', channel, facts: { status: upgraded.status, upgrade: facts.upgrade }, media: 'unknown', fields },
      encodeResponse({ status: upgraded.status, headers: [...headers, ['upgrade', facts.upgrade]] }),
    )
    if (!(await switched(outputsOf(gate, answered, signal), reply, ready))) return false
    if (socket instanceof Socket) socket.setTimeout(SILENT_MS, () => socket.destroy()).setNoDelay(true)
    await tunnel({ ends: { client: socket, server: upgraded.socket }, codec, gate, channel, session })
  } finally {
    upgraded.socket.destroy()
  }
  return false
}

function headOf({ request, target }: Asked, ours: ReadonlySet<string>): RequestHead {
  const headers: Headers = [
    ...endToEnd(request.headers, new Set([...ours, ...NOT_PASSED])),
    ['upgrade', headerOf(request.headers, 'upgrade') ?? ''],
  ]
  return { method: request.method, target, headers }
}
