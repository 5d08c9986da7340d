import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../../schemas/errors.ts'
import type { Session, Sessions } from '../../protocol.ts'

/** A connection whose requests may be refused before they belong to a session. */
export interface Refusing {
  readonly sessions: Pick<Sessions, 'refused'>
  /** The session its latest request has joined. */
  latest: Session | undefined
}

/** Whoever proves and finds has told of these already. */
const TOLD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['AUTH_DENIED', 'TARGET_UNKNOWN', 'RECORDER_FAILED'])

/**
 * Tells of a request that belongs to no session: the operator, and the tape of the session the connection had before, if that goes on. `why` is ours
 * or the parser's word, never the client's.
 */
export function tellRefused({ sessions, latest }: Refusing, code: ErrorCode, why: string): void {
  if (TOLD.has(code)) return
  sessions.refused(code, why)
  if (latest !== undefined) noteRefused(latest, code, why)
}

export function noteRefused(session: Session, code: ErrorCode, why: string): void {
  if (session.signal.aborted) return
  session.note('request.refused', { code, why }).catch(() => session.closing('recording failed'))
}

/** Hears what Node's parser refuses, and answers, by itself: nobody else learns of such a request. */
export function onUnparsable(socket: Duplex, tell: (code: ErrorCode, why: string) => void): void {
  socket.on('error', (error) => {
    const refused = refusedBy(error)
    if (refused !== undefined) tell(...refused)
  })
}

/** Undefined for what is no refusal: connections that break, clients that leave in the middle of a request. */
export function refusedBy(error: Error): [code: ErrorCode, why: string] | undefined {
  const why = 'code' in error ? String(error.code) : ''
  if (!/^(HPE|ERR_HTTP2?)_/.test(why) || why === 'HPE_INVALID_EOF_STATE') return undefined
  if (/OVERFLOW/.test(why)) return ['PROTOCOL_OVERSIZE', why]
  return [why === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'PROTOCOL_TIMEOUT' : 'PROTOCOL_MALFORMED', why]
}
