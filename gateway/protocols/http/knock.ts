import { ApplianceError } from '../../../schemas/errors.ts'
import type { ProtocolName } from '../../../schemas/session.ts'
import { attributionOf } from '../../identity/attribution.ts'
import type { Knock } from '../../protocol.ts'
import { type Headers, headerOf } from './head.ts'

/** Longer proofs are none of ours; the head's own limit is above. */
export const MAX_SECRET_LENGTH = 32 * 1024
export const MAX_RUN_LENGTH = 128

export interface Knocked {
  readonly knock: Knock
  /** What the client calls this piece of work; empty where it does not say. */
  readonly run: string
  /** The request line's path and query as the target is to see them. */
  readonly target: string
  /** What was taken off the path: what the target says of its own paths has to have it in front again. */
  readonly prefix: string
}

/**
 * Who asks, and for what: `/t/<target>/...`, or the host a target goes by. The proof is a key or token as bearer, as the password of Basic, or
 * in `X-Sallyport-Key` where `Authorization` holds something else. Throws AUTH_REQUIRED, or PROTOCOL_MALFORMED.
 */
export function knockOf({
  headers,
  target,
  client,
  protocol,
}: {
  readonly headers: Headers
  readonly target: string
  readonly client: string
  readonly protocol: ProtocolName
}): Knocked {
  if (!target.startsWith('/'))
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'the request line has to begin with a path: this is no forward proxy')
  const byPath = /^\/t\/([^/?]+)/.exec(target)
  const name = byPath?.[1] ?? hostOf(headers)
  const prefix = byPath?.[0] ?? ''
  const rest = target.slice(prefix.length)
  return {
    knock: {
      protocol,
      client,
      secret: secretOf(headers),
      target: name,
      claims: claimsOf(headers),
    },
    run: (headerOf(headers, 'x-sallyport-run') ?? '').slice(0, MAX_RUN_LENGTH),
    target: rest.startsWith('/') ? rest : `/${rest}`,
    prefix,
  }
}

function secretOf(headers: Headers): string {
  const own = headerOf(headers, 'x-sallyport-key')
  const secret = own ?? proofOf(headerOf(headers, 'proxy-authorization')) ?? proofOf(headerOf(headers, 'authorization'))
  if (secret === undefined || secret === '')
    throw new ApplianceError(
      'AUTH_REQUIRED',
      'say who you are: an access key or token as `Authorization: Bearer ...`, or as the password of Basic',
    )
  if (secret.length > MAX_SECRET_LENGTH) throw new ApplianceError('PROTOCOL_OVERSIZE', 'the proof is too long to be one')
  return secret
}

export function proofOf(header: string | undefined): string | undefined {
  const [scheme = '', value = ''] = header?.trim().split(/\s+/, 2) ?? []
  if (/^bearer$/i.test(scheme)) return value
  if (!/^basic$/i.test(scheme)) return undefined
  const pair = Buffer.from(value, 'base64').toString()
  return pair.slice(pair.indexOf(':') + 1)
}

function hostOf(headers: Headers): string {
  return (headerOf(headers, 'host') ?? '').replace(/:\d+$/, '').toLowerCase()
}

/** What the client says of itself; proves nothing. */
export function claimsOf(headers: Headers): Knock['claims'] {
  const agent = headerOf(headers, 'user-agent')
  return {
    ...(agent === undefined ? {} : { user_agent: agent.slice(0, 256) }),
    ...attributionOf({
      run: headerOf(headers, 'x-sallyport-run'),
      purpose: headerOf(headers, 'x-sallyport-purpose'),
      traceparent: headerOf(headers, 'traceparent'),
    }),
  }
}
