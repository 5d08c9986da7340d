import { ApplianceError } from '../../schemas/errors.ts'

/**
 * What to do about refusals whose code says it to nobody ("Common REST API error codes", Blob service REST API). A right that is missing is told as
 * AuthorizationPermissionMismatch; AuthorizationFailure is the account's, whatever rights there are.
 */
const CURES: Readonly<Record<string, string>> = {
  ContainerNotFound: 'there is no container of this name in the account: make it with the deployment',
  AuthorizationPermissionMismatch: 'the identity lacks a right on the container; sallyport doctor says which',
  AuthorizationFailure: "the account's firewall keeps this machine out, or the key is not the account's",
  AuthenticationFailed: "a clock that is off, a token of another tenant, or a key that is not the account's",
  InvalidAuthenticationInfo: 'the token has ended, or is of another tenant',
  KeyBasedAuthenticationNotPermitted: 'the account takes no keys: use an identity',
  ENOTFOUND: 'no such account, or its private name is not known here',
}

/** What the service said: its error code (`BlobNotFound` ...) and status; both undefined where no answer came. */
export interface Refusal {
  readonly code: string | undefined
  readonly status: number | undefined
}

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Error)) return { code: undefined, status: undefined }
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined
  return { code: codeOf(error), status }
}

/** Errors of HEAD have no body: their code stands in a header only, which the SDK hands on in `details`. */
function codeOf(error: Error): string | undefined {
  if ('details' in error && typeof error.details === 'object' && error.details !== null && 'errorCode' in error.details) {
    const { errorCode } = error.details
    if (typeof errorCode === 'string' && errorCode !== '') return errorCode
  }
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether trying again may help: no answer, an overload, a timeout, a failure of the service. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof ApplianceError) return false
  const { status } = refusalOf(error)
  if (status === undefined) return error.name === 'RestError' || 'code' in error
  return status === 408 || status === 429 || status >= 500
}

/** The error of a store for what went wrong with `what`, in which `key` stands. */
export function storeError(error: unknown, what: string): unknown {
  if (error instanceof ApplianceError && error.code.startsWith('STORE_')) return error
  if (error instanceof Error && error.name === 'AbortError') return error
  const { code, status } = refusalOf(error)
  const said = error instanceof Error ? firstLine(error.message) : String(error)
  const cure = CURES[code ?? ''] === undefined ? '' : ` (${CURES[code ?? '']})`
  const why = `${status === undefined ? said : `${status} ${code ?? said}`}${cure}`
  if (status === 401 || status === 403)
    return new ApplianceError('STORE_DENIED', `${what} was not allowed: ${why}`, { cause: error })
  return new ApplianceError('STORE_FAILED', `${what} failed: ${why}`, { cause: error })
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 300)
}
