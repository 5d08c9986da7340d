import type { SessionDetail, StatementRow } from '../../schemas/api.ts'
import { csvRecord } from '../../schemas/csv.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { PeriodSession } from '../../schemas/verify/period-log.ts'
import { formatProof, type TlogProof } from '../../schemas/verify/tlog-proof.ts'
import type { Describers } from '../catalog/describe.ts'
import { TapeFollower } from '../catalog/tape-follower.ts'
import type { Store } from '../store/store.ts'
import type { WrittenFile, ZipWriter } from './zip-writer.ts'

/** Objects are copied in pieces: a segment has 256 MiB. */
const PIECE_SIZE = 4 << 20
/** Statements listed beside a recording, as many as the console shows; the tape has all. */
const MAX_STATEMENTS = 20_000
const TAPE_PART = /^(?:\d{4}\.(?:tape|idx)|recovered-0000\.tape|salt)$/

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

/** What the bundle has of one session that was drawn: its tape as it stands in the store, the proofs of its entries, and what a reader needs to find a way in. */
export async function* writeSample(
  zip: ZipWriter,
  parts: { readonly store: Store; readonly describers: Describers },
  session: PeriodSession,
  hasTape: boolean,
  proof: (index: number) => Promise<TlogProof>,
  signal: AbortSignal | undefined,
): AsyncGenerator<WrittenFile> {
  const { session: id, open, end } = session
  yield await zip.add(`sample/${id}/open.tlog-proof`, formatProof(await proof(open)))
  if (end !== null) yield await zip.add(`sample/${id}/end.tlog-proof`, formatProof(await proof(end)))
  if (!hasTape) return
  for await (const key of parts.store.list(tapeKeys.prefix(id), signal)) {
    if (!TAPE_PART.test(key.slice(tapeKeys.prefix(id).length))) continue
    const size = await parts.store.size(key, signal)
    yield await zip.stream(key, async (write) => {
      for (let at = 0; at < size; at += PIECE_SIZE)
        await write(await parts.store.get(key, { from: at, to: Math.min(size, at + PIECE_SIZE) }, signal))
    })
  }
  const read = await digest(parts, id, signal)
  if (read === undefined) return
  yield await zip.add(`sample/${id}/session.json`, `${JSON.stringify(read, null, 1)}\n`)
  const rows = read.statements.map((one) =>
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
    ]),
  )
  yield await zip.add(`sample/${id}/statements.csv`, csvRecord(STATEMENT_COLUMNS) + rows.join(''))
}

/** The session as the console would show it, read from its frames. Undefined where not even its header can be read. */
async function digest(
  { store, describers }: { readonly store: Store; readonly describers: Describers },
  id: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly session: SessionDetail; readonly statements: readonly StatementRow[]; readonly cut: boolean } | undefined> {
  // Sketches of keys are the catalog’s; none leaves with a bundle.
  const follower = new TapeFollower(store, id, { describers, secret: '' })
  const statements = new Map<string, StatementRow>()
  let cut = false
  for (let step = await follower.step(signal); ; step = await follower.step(signal)) {
    for (const row of follower.digest?.takeStatements() ?? []) {
      const key = `${row.frame} ${row.part}`
      if (statements.size < MAX_STATEMENTS || statements.has(key)) statements.set(key, row)
      else cut = true
    }
    if (step !== 'more') break
  }
  if (follower.digest === undefined) return undefined
  const may = { read: true, kill: false }
  const session = { ...follower.digest.row(), ...follower.digest.extra(), may }
  return { session, statements: [...statements.values()].sort((a, b) => a.frame - b.frame || a.part - b.part), cut }
}
