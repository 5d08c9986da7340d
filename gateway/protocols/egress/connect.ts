import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { EgressSettings } from '../../config.ts'
import { authorityOf, type Place, placeOf } from '../../policy/http/egress-facts.ts'
import type { Session } from '../../protocol.ts'
import type { Asked, Way } from '../http/exchange.ts'
import { encodeRequest, encodeResponse, endToEnd, type RequestHead } from '../http/head.ts'
import { HttpMessage } from '../http/http-message.ts'
import { outputsOf } from '../http/through.ts'
import { tunnel } from '../http/tunnel.ts'
import { readAhead, switched } from '../http/upgrade.ts'
import type { Visit } from '../http/visit.ts'
import { dial } from './dial.ts'
import { OURS } from './forward.ts'
import { type Intercepting, intercepted } from './intercepted.ts'
import { isIntercepted } from './interceptor.ts'
import { OpaqueTunnel } from './opaque-tunnel.ts'

/** Nothing in either direction for this long ends a tunnel. */
const SILENT_MS = 15 * 60_000
/** Of one session at once: a browser has some dozens. */
const MAX_TUNNELS = 256

const open = new WeakMap<Visit, number>()

/** What is done with a tunnel once both its ends are there. */
export interface Carrier {
  /** Facts of the answer that opens it. */
  readonly facts: Facts
  /** Before the client is told that it is open: what cannot be connected to is an answer to CONNECT. */
  dial(signal: AbortSignal): Promise<Socket>
  carry(client: Duplex, server: Socket): Promise<void>
  /** Of all that passed, for the tape. */
  closing(): Facts
}

/** The way of CONNECT: through the gate like any request; then what is encrypted, of which only that it passes is recorded, or what is inside of it. */
export function connecting(
  socket: Duplex,
  how: { readonly session: Session; readonly settings: EgressSettings; readonly intercepting: Intercepting | undefined },
): (asked: Asked, way: Way) => Promise<boolean> {
  const { session, settings, intercepting } = how
  const ready = readAhead(socket)
  return async ({ request, target }, way) => {
    const { visit, channel, reply, signal } = way
    const { gate, fields, dialect } = visit
    const place = placeOf('CONNECT', target)
    const authority = authorityOf(place)
    const head: RequestHead = { method: 'CONNECT', target: authority, headers: endToEnd(request.headers, OURS) }
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
    const carrier =
      intercepting !== undefined && isIntercepted(place.host, settings)
        ? intercepted(place, settings, { visit, session, intercepting })
        : sealed(place, settings, way)
    const server = await carrier.dial(signal)
    const began = performance.now()
    try {
      const answered = new HttpMessage(
        {
          from: 'server',
          channel,
          facts: { status: 200, ...carrier.facts, address: `${server.remoteAddress ?? ''}` },
          media: 'unknown',
          fields,
        },
        encodeResponse({ status: 200, headers: [] }),
      )
      if (!(await switched(outputsOf(gate, answered, signal), reply, ready))) return false
      if (socket instanceof Socket) socket.setTimeout(SILENT_MS, () => socket.destroy()).setNoDelay(true)
      await carrier.carry(socket, server)
    } finally {
      server.destroy()
      const ms = Math.round(performance.now() - began)
      await session
        .note('tunnel.closed', { channel, host: place.host, port: place.port, ms, ...carrier.closing() })
        .catch(() => session.closing('recording failed'))
    }
    return false
  }
}

/** Nothing inside of it can be read. */
function sealed(place: Place, settings: EgressSettings, { visit, channel, session }: Way): Carrier {
  const codec = new OpaqueTunnel(channel)
  return {
    facts: { tunnel: 'opaque' },
    dial: (signal) => dial(place, settings, signal),
    carry: (client, server) => tunnel({ ends: { client, server }, codec, gate: visit.gate, channel, session }),
    closing: () => codec.closing(),
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
