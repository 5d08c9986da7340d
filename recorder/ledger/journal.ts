import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { syncFolder, writeFully } from '../files.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'

/** Read at a time from the end, when looking for the last line. */
const TAIL_SIZE = 64 << 10
const NEWLINE = 0x0a
const FIRST_PREV = '0'.repeat(64)

interface Line {
  readonly n: number
  readonly hash: string
  readonly sessions: number
  readonly gateway: string
}

interface Waiting {
  readonly entry: LedgerEntry
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The ledger as a local file of JSON lines, one per gateway: `{n, prev, at, gateway, sessions, type, ...}`. `n` counts from 1
 * without gaps, `prev` is the SHA-256 (hex) of the line before, `sessions` the newest session number. Synced before an append
 * resolves; appends that come meanwhile share the next sync. Tamper-evident only as far as its end is known elsewhere.
 */
export class Journal implements Ledger {
  readonly #file: FileHandle
  readonly #gateway: string
  #size: number
  #last: Line
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #broken: ApplianceError | undefined

  private constructor(file: FileHandle, gateway: string, size: number, last: Line) {
    this.#file = file
    this.#gateway = gateway
    this.#size = size
    this.#last = last
  }

  /** `<folder>/<gateway>.jsonl`; only one process at a time (the spool's lock sees to that). Cuts off a line a crash left unfinished. */
  static async open(folder: string, gateway: string): Promise<Journal> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = await open(join(folder, `${gateway}.jsonl`), 'a+', 0o600)
    try {
      await syncFolder(folder)
      const { size } = await file.stat()
      const { line, end } = await lastLine(file, size)
      if (end < size) {
        await file.truncate(end)
        await file.datasync()
      }
      return new Journal(file, gateway, end, line === undefined ? { n: 0, hash: FIRST_PREV, sessions: 0, gateway } : parse(line))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  lastSession(): number {
    return this.#last.sessions
  }

  append(entry: LedgerEntry): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#write(batch.map(({ entry }) => entry))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        const failure = new ApplianceError(
          'RECORDER_FAILED',
          `the journal cannot be written: ${error instanceof Error ? error.message : String(error)}`,
          {
            cause: error,
          },
        )
        await this.#cutBack(failure)
        for (const { reject } of batch) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async #write(entries: readonly LedgerEntry[]): Promise<void> {
    let last = this.#last
    const lines: Buffer[] = []
    for (const entry of entries) {
      const number = entry.type === 'session.open' && typeof entry['number'] === 'number' ? entry['number'] : last.sessions
      const sessions = Math.max(last.sessions, number)
      const at = new Date().toISOString()
      const line = Buffer.from(JSON.stringify({ n: last.n + 1, prev: last.hash, at, gateway: this.#gateway, sessions, ...entry }))
      lines.push(line, Buffer.of(NEWLINE))
      last = { n: last.n + 1, hash: sha256(line), sessions, gateway: this.#gateway }
    }
    const bytes = Buffer.concat(lines)
    await writeFully(this.#file, bytes, this.#size)
    await this.#file.datasync()
    this.#size += bytes.length
    this.#last = last
  }

  /** A line that was refused must not be found later; where not even that can be done, nothing more is written. */
  async #cutBack(failure: ApplianceError): Promise<void> {
    try {
      await this.#file.truncate(this.#size)
      await this.#file.datasync()
    } catch {
      this.#broken = failure
      for (const { reject } of this.#waiting) reject(failure)
      this.#waiting = []
    }
  }
}

/** The last whole line and where it ends. Reads backwards, as a journal grows without limit. */
async function lastLine(file: FileHandle, size: number): Promise<{ readonly line: Buffer | undefined; readonly end: number }> {
  let tail = Buffer.alloc(0)
  let from = size
  for (;;) {
    const end = tail.lastIndexOf(NEWLINE)
    const begin = end <= 0 ? -1 : tail.lastIndexOf(NEWLINE, end - 1)
    if (end >= 0 && (begin >= 0 || from === 0)) return { line: tail.subarray(begin + 1, end), end: from + end + 1 }
    if (from === 0) return { line: undefined, end: 0 }
    const piece = Buffer.alloc(Math.min(TAIL_SIZE, from))
    from -= piece.length
    const { bytesRead } = await file.read(piece, 0, piece.length, from)
    tail = Buffer.concat([piece.subarray(0, bytesRead), tail])
  }
}

function parse(line: Buffer): Line {
  const value: unknown = JSON.parse(line.toString('utf8'))
  if (typeof value === 'object' && value !== null) {
    const { n, sessions, gateway } = value as Record<string, unknown>
    if (typeof n === 'number' && typeof sessions === 'number' && typeof gateway === 'string')
      return { n, sessions, gateway, hash: sha256(line) }
  }
  throw new ApplianceError('RECORDER_FAILED', 'the last line of the journal is not one of ours')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
