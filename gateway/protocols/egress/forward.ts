import type { EgressSettings } from '../../config.ts'
import { authorityOf, placeOf } from '../../policy/http/egress-facts.ts'
import { type Asked, pass, type Way } from '../http/exchange.ts'
import type { RequestHead } from '../http/head.ts'
import { OURS as OURS_OF_HTTP, readRequest } from '../http/request.ts'
import { outputsOf } from '../http/through.ts'
import { Upstream } from '../http/upstream.ts'
import { dial } from './dial.ts'

/** `Authorization` is between the client and where it goes: the gateway takes its proof from `Proxy-Authorization` alone. */
export const OURS: ReadonlySet<string> = new Set([...OURS_OF_HTTP].filter((name) => name !== 'authorization'))

/** The way of a request for a whole `http://` URL: read like any of HTTP, bodies and all. */
export function forwarding(settings: EgressSettings): (asked: Asked, way: Way) => Promise<boolean> {
  return async (asked, way) => {
    const { visit, channel, reply, signal } = way
    const request = await readRequest(asked, { channel, fields: visit.fields, dialect: visit.dialect, ours: OURS })
    const through = (message: Parameters<typeof outputsOf>[1]): ReturnType<typeof outputsOf> =>
      outputsOf(visit.gate, message, signal)
    for await (const outputs of through(request.message)) {
      for (const output of outputs) {
        if (output.own === undefined) continue
        await reply.say(output.bytes)
        return false
      }
    }
    const place = placeOf(request.head.method, asked.target)
    const socket = await dial(place, settings, signal)
    // For this one request: the next to the same name is resolved and checked anew.
    const upstream = new Upstream(place, { tls: { mode: 'off' } }, (_to, done) => setImmediate(done, null, socket))
    try {
      const head: RequestHead = { ...request.head, target: place.path ?? '/' }
      const answer = await upstream.ask(head, request.body(through), [], signal)
      const about = { prefix: '', authority: authorityOf(place) }
      return await pass(answer, { method: head.method, place: about, reading: request.reading.answer }, way)
    } finally {
      await upstream.close()
      socket.destroy()
    }
  }
}
