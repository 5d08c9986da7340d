import type { SessionDetail, StatementRow } from '../../schemas/api.ts'
import { csvRecord } from '../../schemas/csv.ts'
import type { Describers } from '../catalog/describe.ts'
import { TapeFollower } from '../catalog/tape-follower.ts'
import type { Store } from '../store/store.ts'

/** Statements listed beside a recording, as many as the console shows; the tape has all. */
const SHOWN_STATEMENTS = 20_000
/** Records of a table that are handed on at once. */
const PIECE_RECORDS = 1_000
const STATEMENT_COLUMNS = [
  'session',
  'frame',
  'part',
  'at_us',
  'duration_us',
  'last_frame',
  'kind',
  'text',
  'rows',
  'bytes_out',
  'masked',
  'verdict',
  'rules',
  'approval',
  'outcome',
] as const

/** A session and its statements, in the order of the tape; `cut`: there are more than are listed. */
export interface SessionStatements {
  readonly session: SessionDetail
  readonly statements: readonly StatementRow[]
  readonly cut: boolean
}

/** In pieces: a session's may be longer than a string can be. `derived`: a last column with this text, for a table that leaves by itself. */
export function* statementsCsv(statements: readonly StatementRow[], derived?: string): Generator<string> {
  const last = derived === undefined ? [] : [derived]
  yield csvRecord([...STATEMENT_COLUMNS, ...last.map(() => 'derived')])
  for (let at = 0; at < statements.length; at += PIECE_RECORDS)
    yield statements
      .slice(at, at + PIECE_RECORDS)
      .map((one) =>
        csvRecord([
          one.session,
          one.frame,
          one.part,
          one.atUs,
          one.durationUs,
          one.lastFrame,
          one.kind,
          one.text,
          one.rows,
          one.bytesOut,
          one.masked,
          one.verdict,
          one.rules.join(' '),
          one.approval,
          one.outcome,
          ...last,
        ]),
      )
      .join('')
}

/** The session as the console would show it, read from its frames. Undefined where not even its header can be read. */
export async function readSession(
  { store, describers }: { readonly store: Store; readonly describers: Describers },
  id: string,
  signal: AbortSignal | undefined,
  maxStatements = SHOWN_STATEMENTS,
): Promise<SessionStatements | undefined> {
  // Sketches of keys are the catalog’s; none leaves with a bundle.
  const follower = new TapeFollower(store, id, { describers, secret: '' })
  const statements = new Map<string, StatementRow>()
  let cut = false
  for (let step = await follower.step(signal); ; step = await follower.step(signal)) {
    for (const row of follower.digest?.takeStatements() ?? []) {
      const key = `${row.frame} ${row.part}`
      if (statements.size < maxStatements || statements.has(key)) statements.set(key, row)
      else cut = true
    }
    if (step !== 'more') break
  }
  if (follower.digest === undefined) return undefined
  const may = { read: true, kill: false }
  const session = { ...follower.digest.row(), ...follower.digest.extra(), may }
  return { session, statements: [...statements.values()].sort((a, b) => a.frame - b.frame || a.part - b.part), cut }
}
