import { ApplianceError } from '../../schemas/errors.ts'
import { type LedgerLine, ledgerKeys, parseLine, type SignedEntry, tileNumberOf } from '../../schemas/verify/ledger-line.ts'
import { MAX_NOTE_SIZE } from '../../schemas/verify/note.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { TlogProof } from '../../schemas/verify/tlog-proof.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { inclusionProof, leafHash } from '../../schemas/verify/tree.ts'
import { merkleRoot, sha256 } from '../tape/merkle.ts'

/** A line of the ledger, and where it stands in the tree. */
export interface ReadLine extends LedgerLine {
  readonly index: number
  /** Undefined where the line is no entry. Its signature is not checked. */
  readonly entry: SignedEntry | undefined
}

/** Every line of a ledger, as it stands; verifies nothing. */
export async function* readLines(source: ObjectSource, signal?: AbortSignal): AsyncGenerator<ReadLine> {
  let index = 0
  for await (const line of new Sequence().read(source, signal)) {
    yield { ...line, index, entry: parseLine(line.bytes) }
    index += 1
  }
}

/** The checkpoint of the largest tree; undefined where there is none. */
export async function newestCheckpoint(
  source: ObjectSource,
  signal?: AbortSignal,
): Promise<{ readonly size: number; readonly bytes: Uint8Array } | undefined> {
  let size = 0
  for await (const key of source.list(ledgerKeys.checkpointPrefix, signal))
    size = Math.max(size, tileNumberOf(key.slice(ledgerKeys.checkpointPrefix.length)) ?? 0)
  if (size === 0) return undefined
  return { size, bytes: await source.get(ledgerKeys.checkpoint(size), { from: 0, to: MAX_NOTE_SIZE + 1 }, signal) }
}

/**
 * A proof that the entry is in the tree of the newest checkpoint. `which`: its index, or a session, for which its `session.open` is taken.
 * Rejects STORE_MISSING where there is no such entry, or none that a checkpoint covers.
 */
export async function proofOf(source: ObjectSource, which: number | string, signal?: AbortSignal): Promise<TlogProof> {
  const checkpoint = await newestCheckpoint(source, signal)
  if (checkpoint === undefined) throw new ApplianceError('STORE_MISSING', 'the ledger has no checkpoint yet')
  const { size } = checkpoint
  const hashes: Uint8Array[] = []
  let found: ReadLine | undefined
  for await (const line of readLines(source, signal)) {
    if (line.index >= size && found !== undefined) break
    if (line.index < size) hashes.push(leafHash(sha256, line.bytes))
    if (found === undefined && isMeant(line, which)) found = line
  }
  if (found === undefined)
    throw new ApplianceError('STORE_MISSING', `the ledger has no ${typeof which === 'number' ? 'entry' : 'session'} ${which}`)
  if (found.index >= size)
    throw new ApplianceError(
      'STORE_MISSING',
      `entry ${found.index} is newer than the last checkpoint, of ${size} entries; try again in a few seconds`,
    )
  const node = async (level: number, at: number): Promise<Uint8Array> => {
    const span = 2 ** level
    return merkleRoot(Buffer.concat(hashes.slice(at * span, (at + 1) * span)), span)
  }
  return {
    extra: found.bytes,
    index: found.index,
    hashes: await inclusionProof(sha256, node, found.index, size),
    checkpoint: checkpoint.bytes,
  }
}

function isMeant({ index, entry }: ReadLine, which: number | string): boolean {
  if (typeof which === 'number') return index === which
  return entry?.statement.type === 'session.open' && entry.statement['session'] === which
}
