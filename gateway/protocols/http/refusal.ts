import type { ApplianceError, ErrorCode } from '../../../schemas/errors.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import { encodeResponse, type Headers } from './head.ts'

/** What waits for a person may be asked again after this many seconds. */
const RETRY_AFTER_S = 10

/** A response in problem+json (RFC 9457) that says why, and how to get on. */
export function refusalResponse(refusal: Refusal, more: Headers = []): Buffer {
  const waits = refusal.why === 'expired' && refusal.approval !== undefined
  const about: Problem = {
    why: refusal.why,
    ...(refusal.code === undefined ? {} : { code: refusal.code }),
    detail: refusal.message,
    ...(refusal.rules.length === 0 ? {} : { rules: refusal.rules }),
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    ...(refusal.approval === undefined ? {} : { approval: refusal.approval }),
    ...(waits ? { retryAfter: RETRY_AFTER_S } : {}),
  }
  return problem(STATUS[refusal.why], about, more)
}

/** What is said where there is no session to say it in. */
export function errorResponse(error: ApplianceError, more: Headers = []): Buffer {
  return problem(statusOf(error.code), { code: error.code, detail: error.message }, more)
}

/** 403 also for what waits: a 2xx would be taken for the answer of the target. */
const STATUS = { blocked: 403, rejected: 403, expired: 403, withdrawn: 403, failed: 502, shutdown: 503 } as const
function statusOf(code: ErrorCode): number {
  if (code === 'AUTH_REQUIRED' || code === 'AUTH_DENIED') return 401
  if (code === 'TARGET_UNKNOWN') return 404
  if (code === 'LIMIT_REACHED') return 429
  if (code === 'PROTOCOL_OVERSIZE') return 413
  if (code === 'PROTOCOL_TIMEOUT') return 408
  if (code.startsWith('PROTOCOL_')) return 400
  if (code.startsWith('TARGET_')) return 502
  return 503
}

/** Some clients (git) give a password only when they are asked for one. */
const CHALLENGES = [
  ['www-authenticate', 'Bearer realm="sallyport"'],
  ['www-authenticate', 'Basic realm="sallyport"'],
] as const

interface Problem {
  readonly why?: Refusal['why']
  readonly code?: ErrorCode
  readonly detail: string
  readonly rules?: readonly string[]
  readonly hint?: string
  readonly approval?: string
  readonly retryAfter?: number
}

/** `more`: headers beside those of every problem. */
export function problem(status: number, { retryAfter, ...about }: Problem, more: Headers): Buffer {
  const body = Buffer.from(`${JSON.stringify({ type: 'about:blank', status, title: 'sallyport', ...about })}\n`)
  const head = encodeResponse({
    status,
    headers: [
      ['content-type', 'application/problem+json'],
      ...(status === 401 ? CHALLENGES : []),
      ...(retryAfter === undefined ? [] : ([['retry-after', String(retryAfter)]] as const)),
      ...more,
    ],
  })
  return Buffer.concat([head, body])
}
