import type { ErrorRequestHandler, Response } from 'express'
import type { ProblemDetails } from '../../schemas/api.ts'
import { ApplianceError, type ErrorCode } from '../../schemas/errors.ts'

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  AUTH_REQUIRED: 401,
  AUTH_DENIED: 401,
  AUTH_UNAVAILABLE: 503,
  API_INVALID: 400,
  API_FORBIDDEN: 403,
  API_UNKNOWN: 404,
  API_CONFLICT: 409,
  API_RANGE: 416,
  API_LIMITED: 429,
  API_UNAVAILABLE: 503,
  APPROVAL_UNKNOWN: 404,
  APPROVAL_CONFLICT: 409,
  APPROVAL_FORBIDDEN: 403,
  LIMIT_REACHED: 429,
  RECORDER_FAILED: 503,
  STORE_FAILED: 503,
}
const TITLES: Readonly<Record<number, string>> = {
  400: 'Not a question this API has',
  401: 'Sign in first',
  403: 'Not allowed',
  404: 'There is no such thing here',
  409: 'Not as things stand',
  413: 'Too much at once',
  414: 'Too long an address',
  416: 'No such bytes',
  421: 'Asked under a name this server does not go by',
  429: 'Too often',
  500: 'Something failed here',
  503: 'Something here does not answer now',
}

/** Where nothing says it better: what waits for others has as long as a search may take. */
const RETRY_AFTER_S = '5'

/** RFC 9457. */
export function sendProblem(response: Response, code: ErrorCode, detail: string, status = STATUS[code] ?? 500): void {
  if (status === 429 && response.get('retry-after') === undefined) response.set('retry-after', RETRY_AFTER_S)
  const problem: ProblemDetails = { type: `urn:sallyport:error:${code}`, title: TITLES[status] ?? 'Failed', status, detail, code }
  response.status(status).type('application/problem+json').set('cache-control', 'no-store').send(JSON.stringify(problem))
}

/** Answers every error as a problem: ours with their own words, what is the server's fault with none of its inside. */
export function problemHandler(onError: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (response.headersSent) {
      // A body that cannot be finished must not look finished.
      request.socket.destroy()
      onError(error)
      return
    }
    const known = error instanceof ApplianceError ? (STATUS[error.code] ?? 500) : httpStatusOf(error)
    if (known >= 500) onError(error)
    // API_UNAVAILABLE is of somebody else's service, in words that have nothing of our inside.
    if (known >= 500 && !(error instanceof ApplianceError && error.code === 'API_UNAVAILABLE')) {
      const code = error instanceof ApplianceError ? error.code : 'API_FAILED'
      sendProblem(response, code, 'the server failed at this; its log says more, trying again may help', known)
    } else if (error instanceof ApplianceError) {
      sendProblem(response, error.code, error.message, known)
    } else {
      sendProblem(
        response,
        'API_INVALID',
        known === 413
          ? 'the body is longer than anything this API takes'
          : 'the request cannot be read: malformed JSON or a malformed path',
        known,
      )
    }
  }
}

/** What Express and its body parser say of a request they could not read. */
function httpStatusOf(error: unknown): number {
  if (!(error instanceof Error) || !('status' in error)) return 500
  const { status } = error
  return typeof status === 'number' && status >= 400 && status < 500 ? (status === 413 ? 413 : 400) : 500
}
