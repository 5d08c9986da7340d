import type { ApplianceError, ErrorCode } from '../../../schemas/errors.ts'
import { safeText } from '../../../schemas/safe-text.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import { encodeResponse, type Headers } from '../http/head.ts'

/** What waits for a person may be asked again after this many seconds. */
const RETRY_AFTER_S = 10

/** A refusal as clients of Kubernetes read it: `Error from server (Forbidden): ...`. */
export function refusalStatus(refusal: Refusal): Buffer {
  const { why, hint } = refusal
  const said = [reasonOf(refusal), ...(hint === undefined ? [] : [hint])].join('; ')
  const waits = why === 'expired' && refusal.approval !== undefined
  const [code, reason] =
    why === 'failed' || why === 'shutdown' ? ([503, 'ServiceUnavailable'] as const) : ([403, 'Forbidden'] as const)
  return response(code, reason, said, waits ? [['retry-after', String(RETRY_AFTER_S)]] : [])
}

/** What ends exec, attach and port-forward in the middle. */
export function failureStatus(words: Pick<Refusal, 'message' | 'rules'>): Buffer {
  return Buffer.from(JSON.stringify(statusObject(403, 'Forbidden', reasonOf(words))))
}

function reasonOf({ message, rules }: Pick<Refusal, 'message' | 'rules'>): string {
  return rules.length === 0 ? message : `${message} [${rules.join(', ')}]`
}

/** What is said where there is no session to say it in. */
export function errorStatus({ code, message }: ApplianceError): Buffer {
  const [status, reason] = statusOf(code)
  return response(status, reason, `${code}: ${message}`, status === 401 ? [['www-authenticate', 'Bearer realm="sallyport"']] : [])
}

/** Reasons are those of `metav1.StatusReason`: what a client does next follows from them. */
function statusOf(code: ErrorCode): readonly [status: number, reason: string] {
  if (code === 'AUTH_REQUIRED' || code === 'AUTH_DENIED') return [401, 'Unauthorized']
  if (code === 'TARGET_UNKNOWN') return [404, 'NotFound']
  if (code === 'LIMIT_REACHED') return [429, 'TooManyRequests']
  if (code === 'PROTOCOL_OVERSIZE') return [413, 'RequestEntityTooLarge']
  if (code === 'PROTOCOL_TIMEOUT') return [408, 'Timeout']
  if (code.startsWith('PROTOCOL_')) return [400, 'BadRequest']
  if (code.startsWith('TARGET_')) return [502, 'InternalError']
  return [503, 'ServiceUnavailable']
}

function response(code: number, reason: string, message: string, headers: Headers): Buffer {
  const body = statusObject(code, reason, message)
  const head = encodeResponse({ status: code, headers: [['content-type', 'application/json'], ...headers] })
  return Buffer.concat([head, Buffer.from(`${JSON.stringify(body)}\n`)])
}

function statusObject(code: number, reason: string, message: string): object {
  const said = `sallyport: ${safeText(message)}`
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: said, reason, code }
}
