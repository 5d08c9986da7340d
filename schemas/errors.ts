/**
 * Every code an ApplianceError may carry. The prefix says whose fault it is: `PROTOCOL_` the peer on the wire,
 * `AUTH_` the person, `TARGET_` the upstream, `POLICY_` a rule, `CONFIG_` whoever wrote the configuration, `API_` who asks over HTTP,
 * `RECORDER_`/`SPOOL_`/`STORE_`/`TAPE_`/`LEDGER_` us, `AZURE_` its identity or vault. Listed with causes and cures in docs/errors.md; never renamed.
 */
export const ERROR_CODES = [
  'PROTOCOL_MALFORMED',
  'PROTOCOL_OVERSIZE',
  'PROTOCOL_UNSUPPORTED',
  'PROTOCOL_TIMEOUT',
  'AUTH_REQUIRED',
  'AUTH_DENIED',
  'AUTH_INSECURE',
  'AUTH_UNAVAILABLE',
  'TARGET_UNKNOWN',
  'TARGET_DENIED',
  'TARGET_UNREACHABLE',
  'TARGET_REFUSED',
  'POLICY_INVALID',
  'POLICY_BLOCKED',
  'APPROVAL_UNKNOWN',
  'APPROVAL_CONFLICT',
  'APPROVAL_FORBIDDEN',
  'CONFIG_INVALID',
  'LIMIT_REACHED',
  'API_INVALID',
  'API_FORBIDDEN',
  'API_UNKNOWN',
  'API_CONFLICT',
  'API_RANGE',
  'API_LIMITED',
  'API_UNAVAILABLE',
  'API_FAILED',
  'RECORDER_FAILED',
  'SPOOL_MALFORMED',
  'STORE_CONFLICT',
  'STORE_MISSING',
  'STORE_FAILED',
  'STORE_DENIED',
  'TAPE_MALFORMED',
  'AZURE_FAILED',
  'LEDGER_MALFORMED',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** The one error this product throws on purpose. The message names what happened, the value, the limit and what to do; never a secret. */
export class ApplianceError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApplianceError'
    this.code = code
  }
}
