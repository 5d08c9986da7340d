import type { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings } from '../../config.ts'
import { egressFacts } from '../../policy/http/egress-facts.ts'
import type { Dialect } from '../http/dialect.ts'
import { typeOf } from '../http/media.ts'
import { errorResponse, problem, refusalResponse } from '../http/refusal.ts'
import { WebSocketTunnel } from '../http/websocket-tunnel.ts'

const CHALLENGES = [
  ['proxy-authenticate', 'Basic realm="sallyport"'],
  ['proxy-authenticate', 'Bearer realm="sallyport"'],
] as const

/** A forward proxy: requests name where they go. */
export function egressDialect({ allow }: Pick<EgressSettings, 'allow'>): Dialect {
  return {
    protocol: 'egress',
    read: (head, fields) => ({
      kind: 'request',
      headers: head.headers,
      fields,
      answer: { fields, media: (media) => media },
      facts: (body, beginning) =>
        egressFacts({ method: head.method, target: head.target, contentType: typeOf(head.headers), body, beginning }, allow),
    }),
    refusal: (refusal) => {
      // Most clients show no body of an answer to CONNECT: RFC 9209 has a header for it.
      const details = [refusal.message, ...refusal.rules].join('; ')
      return refusalResponse(refusal, [['proxy-status', `sallyport; error=http_request_denied; details=${quoted(details)}`]])
    },
    error: errorOf,
    proof: () => [],
    upgrades: () => false,
    // Inside of tunnels that are opened; in clear none is asked for.
    codec: ({ channel, fields }) => new WebSocketTunnel({ channel, fields }),
  }
}

/** 407 where the proof is missing: 401 would be the answer of the target. 403 for places nobody may reach. */
export function errorOf(error: ApplianceError): Buffer {
  const { code, message } = error
  const status = `sallyport; error=${code === 'TARGET_DENIED' ? 'destination_ip_prohibited' : 'proxy_internal_response'}; details=${quoted(message)}`
  const headers = [['proxy-status', status]] as const
  if (code === 'AUTH_REQUIRED' || code === 'AUTH_DENIED')
    return problem(407, { code, detail: message }, [...CHALLENGES, ...headers])
  if (code === 'TARGET_DENIED') return problem(403, { code, detail: message }, headers)
  return errorResponse(error, headers)
}

function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
