import type { Duplex } from 'node:stream'
import { ApplianceError, type ErrorCode } from '../../../schemas/errors.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import { ServerError } from './startup-error.ts'

/** What an ErrorResponse or a NoticeResponse says (PostgreSQL manual, "Error and Notice Message Fields"). */
export interface Report {
  readonly severity: 'ERROR' | 'FATAL' | 'WARNING' | 'NOTICE'
  /** SQLSTATE, five characters. */
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

/** Longest text of one field, in characters: a reason is a sentence, and some clients read a message into a fixed buffer of 30,000 bytes. */
const MAX_FIELD_CHARS = 4_096
/** How long a refused peer may take to read the refusal and leave. */
const FAREWELL_MS = 2_000

export function errorResponse(report: Report): Uint8Array {
  return response('E', report)
}

export function noticeResponse(report: Report): Uint8Array {
  return response('N', report)
}

function response(type: 'E' | 'N', report: Report): Uint8Array {
  const fields: [string, string | undefined][] = [
    ['S', report.severity],
    ['V', report.severity],
    ['C', report.code],
    ['M', report.message],
    ['D', report.detail],
    ['H', report.hint],
  ]
  const text = fields.map(([field, value]) => (value === undefined ? '' : `${field}${plain(value)}\0`)).join('')
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** A NUL would end the field early and let the rest be read as fields of its own. */
function plain(text: string): string {
  return text.replaceAll('\0', '\uFFFD').slice(0, MAX_FIELD_CHARS)
}

/** SQLSTATE of each of our codes, for errors that end a connection or stand for a refused message. */
const SQLSTATES: Readonly<Record<string, string>> = {
  PROTOCOL_MALFORMED: '08P01', // protocol_violation
  PROTOCOL_OVERSIZE: '54000', // program_limit_exceeded
  PROTOCOL_UNSUPPORTED: '0A000', // feature_not_supported
  PROTOCOL_TIMEOUT: '57014', // query_canceled: what the server says when authentication_timeout is over
  AUTH_REQUIRED: '28P01', // invalid_password
  AUTH_DENIED: '28P01',
  AUTH_INSECURE: '28000', // invalid_authorization_specification: as for a missing pg_hba.conf line
  TARGET_UNKNOWN: '3D000', // invalid_catalog_name: the target is chosen by the database name
  TARGET_DENIED: '28000',
  TARGET_UNREACHABLE: '08001', // sqlclient_unable_to_establish_sqlconnection
  TARGET_REFUSED: '08004', // sqlserver_rejected_establishment_of_sqlconnection, where the target's own code says no more
  POLICY_BLOCKED: '42501', // insufficient_privilege
  POLICY_INVALID: 'F0000', // config_file_error
  CONFIG_INVALID: 'F0000',
  LIMIT_REACHED: '53300', // too_many_connections
  RECORDER_FAILED: '58030', // io_error. Not 53100: a full disk is only one of the reasons
  STORE_FAILED: '58030',
} satisfies Partial<Record<ErrorCode, string>>

const INTERNAL_ERROR = 'XX000'

const HINTS: Readonly<Record<string, string>> = {
  AUTH_INSECURE: 'connect with sslmode=require (or stronger): an access key is not taken in the clear',
  AUTH_REQUIRED: 'give an access key or a token as the password (PGPASSWORD or .pgpass)',
  RECORDER_FAILED: 'nothing goes through that cannot be recorded; try again later or tell the operator',
} satisfies Partial<Record<ErrorCode, string>>

/** SQLSTATE for an error of ours or of the target. Anything unexpected is `XX000`. */
export function sqlState(error: unknown): string {
  if (!(error instanceof ApplianceError)) return INTERNAL_ERROR
  // The target's own code tells a client whether to try again (53300, 57P03) or which name was wrong (3D000).
  if (
    error.code === 'TARGET_REFUSED' &&
    error.cause instanceof ServerError &&
    /^(?:3D|42|53|57|22|0A)/.test(error.cause.sqlState)
  ) {
    return error.cause.sqlState
  }
  return SQLSTATES[error.code] ?? INTERNAL_ERROR
}

/** The report for an error that ends the connection. What is not ours is not told: its text may carry anything. */
export function reportError(error: unknown): Report {
  const code = sqlState(error)
  if (!(error instanceof ApplianceError))
    return { severity: 'FATAL', code, message: 'internal error of the gateway; the connection is closed' }
  const hint = HINTS[error.code]
  return {
    severity: 'FATAL',
    code,
    message: error.message,
    detail: `sallyport: ${error.code}`,
    ...(hint === undefined ? {} : { hint }),
  }
}

/** A refusal that stands for an error the server would have made itself has that error's SQLSTATE. */
export type OwnRefusal = Refusal & { readonly sqlState?: string }

/** The report for a message that does not go on (`ERROR`), or for a session ended from outside (`FATAL`). */
export function reportRefusal(refusal: OwnRefusal, severity: 'ERROR' | 'FATAL' = 'ERROR'): Report {
  return {
    severity,
    code: severity === 'FATAL' ? farewellState(refusal) : (refusal.sqlState ?? refusalState(refusal)),
    message: refusal.message,
    detail:
      refusal.code !== undefined
        ? `sallyport: ${refusal.code}`
        : `sallyport: ${refusal.why} by ${refusal.rules.length === 0 ? 'the gateway' : refusal.rules.join(', ')}`,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
  }
}

function refusalState(refusal: Refusal): string {
  switch (refusal.why) {
    case 'blocked':
    case 'rejected':
    case 'expired':
    case 'failed':
      return '42501' // insufficient_privilege: tools do not retry it by themselves
    case 'withdrawn':
      return '57014' // query_canceled
    case 'shutdown':
      return '57P01'
    default:
      throw refusal.why satisfies never
  }
}

/** 57P01 (admin_shutdown) is what clients and pools know as "this connection is gone, open another". */
function farewellState(refusal: Refusal): string {
  if (refusal.code !== undefined) return SQLSTATES[refusal.code] ?? INTERNAL_ERROR
  return refusal.why === 'failed' ? '58030' : '57P01'
}

/** Tells the peer and leaves: the report is written, the rest of its bytes are read away, then the connection is closed. Never rejects. */
export function dismiss(client: Duplex, report: Report | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (client.destroyed) return resolve()
    const timer = setTimeout(() => client.destroy(), FAREWELL_MS)
    client.on('error', () => {})
    client.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    // Closing with unread bytes sends a reset, and a reset makes the peer lose the report: read on until it leaves.
    // The stream destroys itself once both directions are over.
    client.resume()
    if (report === undefined) client.end()
    else client.end(errorResponse(report))
  })
}
