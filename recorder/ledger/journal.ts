import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf } from '../files.ts'

/** What the local journal of the time before the ledger says of one gateway. */
export interface OldJournal {
  readonly sha256: string
  readonly entries: number
  /** The newest session number it knows. */
  readonly sessions: number
}

/**
 * `<folder>/<gateway>.jsonl`, one line of JSON per entry, each with the newest session number; undefined where there is none. A last line that
 * a crash cut was never acknowledged. Rejects RECORDER_FAILED for one that is not ours: its numbers must not be given again.
 */
export async function readOldJournal(folder: string, gateway: string): Promise<OldJournal | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(join(folder, `${gateway}.jsonl`))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const lines = bytes.toString('utf8').split('\n').slice(0, -1)
  const last = lines.at(-1)
  if (last === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(last)
  } catch {
    // Told below.
  }
  const { sessions } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  if (typeof sessions !== 'number' || !Number.isSafeInteger(sessions) || sessions < 0)
    throw new ApplianceError(
      'RECORDER_FAILED',
      `the last line of ${gateway}.jsonl, the journal before the ledger, is not one of ours`,
    )
  return { sha256: createHash('sha256').update(bytes).digest('hex'), entries: lines.length, sessions }
}
