import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings } from '../../config.ts'
import { authorityOf, placeOf } from '../../policy/http/egress-facts.ts'
import type { Session } from '../../protocol.ts'
import type { Asked, Way } from '../http/exchange.ts'
import { encodeRequest, encodeResponse, endToEnd, type RequestHead, without } from '../http/head.ts'
import { HttpMessage } from '../http/http-message.ts'
import { outputsOf } from '../http/through.ts'
import { tunnel } from '../http/tunnel.ts'
import { readAhead, switched } from '../http/upgrade.ts'
import type { Visit } from '../http/visit.ts'
import { dial } from './dial.ts'
import { OURS } from './forward.ts'
import { OpaqueTunnel } from './opaque-tunnel.ts'

/** Nothing in either direction for this long ends a tunnel. */
const SILENT_MS = 15 * 60_000
/** Of one session at once: a browser has some dozens. */
const MAX_TUNNELS = 256

const open = new WeakMap<Visit, number>()

/** The way of CONNECT: through the gate like any request, and then what is encrypted, of which only that it passes is recorded. */
export function connecting(
  socket: Duplex,
  { session, settings }: { readonly session: Session; readonly settings: EgressSettings },
): (asked: Asked, way: Way) => Promise<boolean> {
  const ready = readAhead(socket)
  return async ({ request, target }, way) => {
    const { visit, channel, reply, signal } = way
    const { gate, fields, dialect } = visit
    const place = placeOf('CONNECT', target)
    const authority = authorityOf(place)
    const head: RequestHead = { method: 'CONNECT', target: authority, headers: without(endToEnd(request.headers), OURS) }
    const facts = dialect.read(head, fields).facts(undefined)
    const command = `CONNECT ${authority}`
    const parts = { from: 'client', channel, facts, media: 'unknown', fields, command, binding: Buffer.from(command) } as const
    for await (const outputs of outputsOf(gate, new HttpMessage(parts, encodeRequest(head)), signal)) {
      for (const output of outputs) {
        if (output.own === undefined) continue
        await reply.say(output.bytes)
        return false
      }
    }
    using _ = counted(visit)
    const server = await dial(place, settings, signal)
    const began = performance.now()
    const codec = new OpaqueTunnel(channel)
    try {
      const address = `${server.remoteAddress ?? ''}`
      const answered = new HttpMessage(
        { from: 'server', channel, facts: { status: 200, tunnel: 'opaque', address }, media: 'unknown', fields },
        encodeResponse({ status: 200, headers: [] }),
      )
      if (!(await switched(outputsOf(gate, answered, signal), reply, ready))) return false
      if (socket instanceof Socket) socket.setTimeout(SILENT_MS).setNoDelay(true)
      await tunnel({ ends: { client: socket, server }, codec, gate, channel, session: session.signal })
    } finally {
      server.destroy()
      const ms = Math.round(performance.now() - began)
      await session
        .note('tunnel.closed', { channel, host: place.host, port: place.port, ms, ...codec.closing() })
        .catch(() => session.closing('recording failed'))
    }
    return false
  }
}

/** One more tunnel of this session, until it is disposed. Throws LIMIT_REACHED. */
function counted(visit: Visit): Disposable {
  const now = open.get(visit) ?? 0
  if (now >= MAX_TUNNELS)
    throw new ApplianceError('LIMIT_REACHED', `${MAX_TUNNELS} tunnels of this session are open: close one first`)
  open.set(visit, now + 1)
  return { [Symbol.dispose]: () => void open.set(visit, (open.get(visit) ?? 1) - 1) }
}
