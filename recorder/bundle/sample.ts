import { createHash, createHmac } from 'node:crypto'
import { drawSample } from '../../schemas/bundle.ts'
import type { PeriodSession } from '../../schemas/verify/period-log.ts'
import { formatProof, type TlogProof } from '../../schemas/verify/tlog-proof.ts'
import type { Describers } from '../catalog/describe.ts'
import type { Store } from '../store/store.ts'
import { tapeParts } from '../tape/tape-parts.ts'
import { readSession, statementsCsv } from './session-statements.ts'
import type { WrittenFile, ZipWriter } from './zip-writer.ts'

/** Objects are copied in pieces: a segment has 256 MiB. */
const PIECE_SIZE = 4 << 20

/** What is drawn, from what, and how: whoever has the population draws it again. */
export function selectionOf(ids: readonly string[], seed: string, size: number) {
  const chosen = drawSample(ids, size, (id) => createHmac('sha256', seed).update(id).digest('hex'))
  const sha256 = createHash('sha256')
    .update(ids.map((id) => `${id}\n`).join(''))
    .digest('hex')
  const algorithm = 'the population in the order of HMAC-SHA-256(key: seed, message: session), lower hex; the first `size` of it'
  return { algorithm, seed, size, population: { count: ids.length, sha256 }, chosen }
}

/** What the bundle has of one session that was drawn, beside its recording: the proofs of its entries, and what a reader needs to find a way in. */
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
  const read = await readSession(parts, id, signal)
  if (read === undefined) return
  yield await zip.add(`sample/${id}/session.json`, `${JSON.stringify(read, null, 1)}\n`)
  yield await zip.stream(`sample/${id}/statements.csv`, async (write) => {
    for (const piece of statementsCsv(read.statements)) await write(Buffer.from(piece))
  })
}

/** A tape as it stands in the store. */
export async function* writeTape(
  zip: ZipWriter,
  store: Store,
  id: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<WrittenFile> {
  for await (const key of tapeParts(store, id, signal)) {
    const size = await store.size(key, signal)
    yield await zip.stream(key, async (write) => {
      for (let at = 0; at < size; at += PIECE_SIZE)
        await write(await store.get(key, { from: at, to: Math.min(size, at + PIECE_SIZE) }, signal))
    })
  }
}
