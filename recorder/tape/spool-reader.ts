import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Frame } from '../../schemas/frame.ts'
import { FRAME_HEAD_SIZE, MAX_FRAME_SIZE } from '../../schemas/tape.ts'
import { decodeFrame } from '../../schemas/tape-frame.ts'
import { readSpoolRecord } from './spool-record.ts'

/** Part of a session's stream of frames, where it stands in a spool file. */
interface SpoolPiece {
  readonly path: string
  readonly at: number
  readonly size: number
  readonly beginsFrame: boolean
}

/** What a spool has of a session that was not dismissed. */
export interface SpooledSession {
  readonly id: string
  readonly pieces: readonly SpoolPiece[]
}

/** A frame out of the spool. `bytes` is the evidence, as it was accepted. */
export interface SpooledFrame {
  readonly frame: Frame
  readonly bytes: Uint8Array
}

export interface SpooledTail {
  /** Without gaps, from the first wanted. */
  readonly frames: readonly SpooledFrame[]
  /** Bytes of a frame that was cut while it was written, so never accepted. */
  readonly discardedBytes: number
  /** The number after which some are missing although later ones are there; undefined where there is no gap. */
  readonly gapAfter: number | undefined
}

/** The sessions a dead process's spool tells of. Reads every file up to where a record does not pass its CRC: there the writing stopped. */
export async function readSpool(folder: string): Promise<SpooledSession[]> {
  const files: { readonly number: number; readonly path: string; readonly bytes: () => Promise<Buffer> }[] = []
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.wal')) continue
    const path = join(folder, name)
    // Files are used again under the names they have: their records know in which order.
    const number = readSpoolRecord(await head(path), 0)?.file
    if (number !== undefined) files.push({ number, path, bytes: () => readFile(path) })
  }
  const sessions = new Map<number, { readonly id: string; readonly pieces: SpoolPiece[] }>()
  for (const { number, path, bytes } of files.sort((a, b) => a.number - b.number)) {
    const all = await bytes()
    for (
      let record = readSpoolRecord(all, 0);
      record !== undefined && record.file === number;
      record = readSpoolRecord(all, record.end)
    ) {
      const { slot, kind, payload, beginsFrame, end } = record
      if (kind === 'enrol') {
        if (!sessions.has(slot)) sessions.set(slot, { id: Buffer.from(payload).toString('utf8'), pieces: [] })
      } else if (kind === 'dismiss') sessions.delete(slot)
      else sessions.get(slot)?.pieces.push({ path, at: end - payload.length, size: payload.length, beginsFrame })
    }
  }
  return [...sessions.values()]
}

/** The session's frames from `fromSeq` on. A number written twice counts as written last: the first was taken back. */
export async function readTail(session: SpooledSession, fromSeq: number): Promise<SpooledTail> {
  const frames: SpooledFrame[] = []
  let discardedBytes = 0
  let gapAfter: number | undefined
  let rest: Uint8Array | undefined
  for await (const { bytes, beginsFrame } of readPieces(session.pieces)) {
    if (beginsFrame) {
      discardedBytes += rest?.length ?? 0
      rest = bytes
    } else if (rest === undefined)
      continue // The frame this belongs to began in a file that is gone: it is in the store.
    else rest = Buffer.concat([rest, bytes])
    while (rest !== undefined && rest.length > FRAME_HEAD_SIZE) {
      const size: number = Buffer.from(rest.buffer, rest.byteOffset, FRAME_HEAD_SIZE).readUInt32BE()
      const end: number = FRAME_HEAD_SIZE + size
      if (size > MAX_FRAME_SIZE) {
        discardedBytes += rest.length
        rest = undefined
        break
      }
      if (end > rest.length) break
      const spooled = decoded(rest.subarray(FRAME_HEAD_SIZE, end))
      rest = rest.subarray(end)
      if (spooled === undefined) {
        discardedBytes += end
        continue
      }
      const { seq } = spooled.frame
      const next = fromSeq + frames.length
      if (seq > next) gapAfter ??= next - 1
      else if (seq >= fromSeq) {
        frames.length = seq - fromSeq
        frames.push(spooled)
      }
    }
  }
  return { frames, discardedBytes: discardedBytes + (rest?.length ?? 0), gapAfter }
}

function decoded(bytes: Uint8Array): SpooledFrame | undefined {
  try {
    return { frame: decodeFrame(bytes), bytes }
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

async function* readPieces(
  pieces: readonly SpoolPiece[],
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly beginsFrame: boolean }> {
  let file: Awaited<ReturnType<typeof open>> | undefined
  let openPath = ''
  try {
    for (const { path, at, size, beginsFrame } of pieces) {
      if (file === undefined || path !== openPath) {
        await file?.close()
        file = await open(path, 'r')
        openPath = path
      }
      const bytes = Buffer.alloc(size)
      await file.read(bytes, 0, size, at)
      yield { bytes, beginsFrame }
    }
  } finally {
    await file?.close()
  }
}

/** More than the first record of any file: a session's id. */
const FIRST_RECORD_ROOM = 66_000

async function head(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(FIRST_RECORD_ROOM)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
