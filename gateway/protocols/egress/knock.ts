import { ApplianceError } from '../../../schemas/errors.ts'
import type { Knock } from '../../protocol.ts'
import { type Headers, headerOf } from '../http/head.ts'
import { claimsOf, MAX_RUN_LENGTH, MAX_SECRET_LENGTH, proofOf } from '../http/knock.ts'

/** The target where the client names none. */
const DEFAULT_TARGET = 'egress'

/**
 * Who asks, by `Proxy-Authorization` alone, as `Authorization` is for where the request goes: a key or token as the password of Basic, whose
 * user names the target, or as bearer for the target `egress`. Throws AUTH_REQUIRED, or PROTOCOL_OVERSIZE.
 */
export function knockOf(headers: Headers, client: string): { readonly knock: Knock; readonly run: string } {
  const header = headerOf(headers, 'proxy-authorization')
  const secret = proofOf(header)
  if (secret === undefined || secret === '')
    throw new ApplianceError(
      'AUTH_REQUIRED',
      'say who you are: an access key or token as the password of the proxy (http://target:key@host:port), or as bearer in Proxy-Authorization',
    )
  if (secret.length > MAX_SECRET_LENGTH) throw new ApplianceError('PROTOCOL_OVERSIZE', 'the proof is too long to be one')
  return {
    knock: { protocol: 'egress', client, secret, target: userOf(header) || DEFAULT_TARGET, claims: claimsOf(headers) },
    run: (headerOf(headers, 'x-sallyport-run') ?? '').slice(0, MAX_RUN_LENGTH),
  }
}

function userOf(header = ''): string {
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2)
  if (!/^basic$/i.test(scheme)) return ''
  const pair = Buffer.from(value, 'base64').toString()
  return pair.slice(0, Math.max(0, pair.indexOf(':')))
}
