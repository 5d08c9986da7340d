import { joinBytes } from '../bytes.ts'
import type { Totals } from '../tape.ts'
import { type TapeVerification, VERIFY_EXITS } from '../verification.ts'
import { NO_TAPE } from './ledger-check.ts'
import { expectedState, type PeriodSession } from './period-log.ts'
import type { VerifyTools } from './tools.ts'

/** What the log decides of a row; the rest is the tape's. */
export function isRowOf(row: ReadonlyMap<string, string>, session: PeriodSession): boolean {
  const { state } = expectedState(session)
  const said = row.get('state') ?? ''
  const possible = state === 'tape' ? ['whole', 'recovered', 'missing', 'damaged'].includes(said) : said === state
  return (
    possible &&
    row.get('open_entry') === String(session.open) &&
    row.get('end_entry') === (session.end === null ? '' : String(session.end)) &&
    row.get('opened_at') === session.at &&
    row.get('identity') === session.identity &&
    row.get('target') === session.target &&
    (session.kind === '' || row.get('kind') === session.kind) &&
    (said !== 'whole' || session.closed === undefined || row.get('frames') === String(session.closed.frames))
  )
}

/** What of a row does not say what its recording sums up, in words; undefined where all does. */
export function otherTotals(row: ReadonlyMap<string, string>, totals: Totals, sealed: boolean): string | undefined {
  const { frames, statements, rows, bytesIn, bytesOut, masked } = totals
  // Where no seal is found, as in front of an index that was cut off, chunks tell; they do not count bytes by direction, or masks.
  const bySeal = sealed && !(row.get('state') === 'damaged' && row.get('bytes_in') === '')
  const wanted = { frames, statements, rows, ...(bySeal ? { bytes_in: bytesIn, bytes_out: bytesOut, masked } : {}) }
  for (const [column, value] of Object.entries(wanted))
    if (row.get(column) !== String(value)) return `${column} ${row.get(column) ?? ''}, its recording ${value}`
  return undefined
}

/** RFC 2104 with SHA-256, whose block has 64 bytes. */
export function hmac({ sha256 }: Pick<VerifyTools, 'sha256'>, key: string, message: string): Uint8Array {
  const encoder = new TextEncoder()
  const bytes = encoder.encode(key)
  const block = new Uint8Array(64)
  block.set(bytes.length > 64 ? sha256(bytes) : bytes)
  const inner = sha256(
    joinBytes(
      block.map((byte) => byte ^ 0x36),
      encoder.encode(message),
    ),
  )
  return sha256(
    joinBytes(
      block.map((byte) => byte ^ 0x5c),
      inner,
    ),
  )
}

/** Of a session that was drawn and whose tape is not there. */
export const MISSING_TAPE: Omit<TapeVerification, 'session'> = {
  ...NO_TAPE,
  verdict: 'INVALID',
  exit: VERIFY_EXITS.INVALID,
  state: 'missing',
}

const NEWLINE = 0x0a

/** Lines of a text that comes in pieces, without their newlines. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0)
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : joinBytes(rest, piece)
    let from = 0
    for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, from)) {
      yield bytes.subarray(from, newline)
      from = newline + 1
    }
    rest = bytes.slice(from)
  }
  if (rest.length > 0) yield rest
}
