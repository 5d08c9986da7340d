import type { EgressSettings } from '../../config.ts'
import { authorityOf, type Place, placeOf } from '../../policy/http/egress-facts.ts'
import { type Asked, askPart, pass, type Way } from '../http/exchange.ts'
import { OURS as OURS_OF_HTTP, readRequest } from '../http/request.ts'
import { outputsOf } from '../http/through.ts'
import { Upstream } from '../http/upstream.ts'
import { dial } from './dial.ts'

/** `Authorization` is between the client and where it goes: the gateway takes its proof from `Proxy-Authorization` alone. */
export const OURS: ReadonlySet<string> = new Set([...OURS_OF_HTTP].filter((name) => name !== 'authorization'))

/** Where one request goes; closed when it is done. */
type Route = AsyncDisposable & { readonly upstream: Pick<Upstream, 'ask'> }

/** The way of a request that names a whole URL: read like any of HTTP, bodies and all. */
export function forwarding(route: (place: Place, signal: AbortSignal) => Route): (asked: Asked, way: Way) => Promise<boolean> {
  return async (asked, way) => {
    const { visit, channel, reply, signal, memory } = way
    const request = await readRequest(asked, { channel, visit, memory, ours: OURS })
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
    await using to = route(place, signal)
    const answer = await askPart(request, (head) =>
      to.upstream.ask({ ...head, target: place.path ?? '/' }, request.body(through), [], signal),
    )
    const about = { prefix: '', authority: authorityOf(place) }
    return await pass(answer, { asked: request, place: about }, way)
  }
}

/** In clear, for this one request: the next to the same name is resolved and checked anew. */
export function inClear(settings: EgressSettings): (place: Place, signal: AbortSignal) => Route {
  return (place, signal) => {
    const upstream = new Upstream(place, { tls: { mode: 'off' } }, (_to, done) => {
      dial(place, settings, signal).then(
        (socket) => done(null, socket),
        (error: Error) => done(error, null),
      )
    })
    return { upstream, [Symbol.asyncDispose]: () => upstream.close() }
  }
}
