import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Frame } from '../../schemas/frame.ts'
import { FRAME_HEAD_SIZE, MAX_FRAME_SIZE } from '../../schemas/tape.ts'
import { decodeFrame } from '../../schemas/tape-frame.ts'
import { RECORDER_LIMITS } from './limits.ts'
import { isSpoolFile, isSpoolName } from './spool-folder.ts'
import { readBegin, type SpoolMark } from './spool-record.ts'
import { isUnbegun, recordsOf } from './spool-scan.ts'

/** Part of a session's stream of frames, where it stands in a spool file. */
interface SpoolPiece {
  readonly path: string
  readonly at: number
  readonly size: number
  readonly beginsFrame: boolean
}

/** A damaged place: bytes of the session that are known to be lost there, and maybe more. */
interface SpoolGap {
  readonly lost: number
}

/** What a spool has of a session that was not dismissed. */
export interface SpooledSession {
  readonly id: string
  readonly pieces: readonly (SpoolPiece | SpoolGap)[]
}

/** A frame out of the spool. `bytes` is the evidence, as it was accepted. */
export interface SpooledFrame {
  readonly frame: Frame
  readonly bytes: Uint8Array
}

export interface SpooledTail {
  /** Without gaps, from the first wanted. */
  readonly frames: readonly SpooledFrame[]
  /** Bytes of a frame that was cut while it was written, so never accepted; and what is damaged, or stands behind that. */
  readonly discardedBytes: number
  /** The number after which some are missing although later ones are there; undefined where there is no gap. */
  readonly gapAfter: number | undefined
  /** A place in the spool was damaged, which explains a gap. */
  readonly damaged: boolean
}

/** A file that does not hold what the spool of that process wrote; nothing of it may be removed. */
interface SpoolFileProblem {
  readonly file: string
  readonly message: string
}

export interface ReadSpool {
  readonly sessions: readonly SpooledSession[]
  readonly problems: readonly SpoolFileProblem[]
  /** Something whole in it is on no tape, as it is not certain where it belongs: for a person. */
  readonly doubtful: boolean
  /** Names in the folder that no spool has. */
  readonly strangers: readonly string[]
}

/**
 * The sessions a dead process's spool tells of; `gateway` is whose it has to be. Reads every file up to where a crash stopped the writing. What
 * stands there otherwise is told, and read as far as it can be. Nothing is taken from files of another spool; nor from any, where two
 * claim the same place. Rejects only where the folder itself cannot be read.
 */
export async function readSpool(folder: string, gateway: string): Promise<ReadSpool> {
  const problems: SpoolFileProblem[] = []
  const strangers: string[] = []
  const files: BegunFile[] = []
  for (const name of (await readdir(folder)).sort()) {
    if (isSpoolFile(name))
      await telling(problems, name, async () => {
        const begun = await beginningOf(join(folder, name), name)
        if (begun.message !== undefined) problems.push({ file: name, message: begun.message })
        if (begun.file !== undefined) files.push(begun.file)
      })
    else if (!isSpoolName(name)) strangers.push(name)
  }
  const damaged = problems.length > 0
  const own = files.filter(({ mark }) => mark.gateway === gateway).sort((one, other) => one.number - other.number)
  for (const { name, mark } of files)
    if (mark.gateway !== gateway)
      problems.push({ file: name, message: `is of the spool of ${mark.gateway.slice(0, MAX_NAME_CHARS)}` })
  const foreign = own.length < files.length
  const rival = rivalIn(own)
  if (rival !== undefined) return { sessions: [], problems: [...problems, rival], doubtful: true, strangers }
  const read: Replay = { sessions: new Map(), problems, damaged }
  for (const file of own) {
    let taken: SpoolFileProblem | undefined
    await telling(problems, file.name, async () => {
      taken = replay(file, (await readUpTo(file.path, RECORDER_LIMITS.walSize)).bytes, read)
    })
    if (taken !== undefined) return { sessions: [], problems: [...problems, taken], doubtful: true, strangers }
  }
  return { sessions: [...read.sessions.values()], problems, doubtful: foreign, strangers }
}

interface MutableSession {
  readonly id: string
  readonly pieces: (SpoolPiece | SpoolGap)[]
}

interface Replay {
  readonly sessions: Map<number, MutableSession>
  readonly problems: SpoolFileProblem[]
  /** Something before this could not be read: what is enrolled from here on may have been before. */
  damaged: boolean
}

interface BegunFile {
  readonly name: string
  readonly path: string
  /** Files are used again under the names they have: their records know in which order. */
  readonly number: number
  readonly mark: SpoolMark
  /** Where its second record begins. */
  readonly from: number
}

/** What cannot be read is told, and the others are read. */
async function telling(problems: SpoolFileProblem[], file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    problems.push({ file, message: `cannot be read: ${error instanceof Error ? error.message : String(error)}` })
  }
}

async function beginningOf(
  path: string,
  name: string,
): Promise<{ readonly file?: BegunFile | undefined; readonly message?: string | undefined }> {
  const { bytes, size } = await readUpTo(path, BEGIN_ROOM)
  const begin = readBegin(bytes)
  if (begin === undefined) {
    if (isUnbegun((await readUpTo(path, RECORDER_LIMITS.walSize)).bytes)) return {}
    return {
      message:
        'does not begin as a file of this spool format: damaged, or of another version, which was not stopped before the upgrade',
    }
  }
  const file = { name, path, number: begin.file, mark: begin.mark, from: begin.end }
  if (size <= RECORDER_LIMITS.walSize) return { file }
  return { file, message: `is of ${size} bytes; what stands behind ${RECORDER_LIMITS.walSize} was not read` }
}

/** Of one process's files each has its own number. */
function rivalIn(own: readonly BegunFile[]): SpoolFileProblem | undefined {
  for (const [index, { name, number, mark }] of own.entries()) {
    const before = own[index - 1]
    if (before === undefined) continue
    if (before.mark.spool !== mark.spool) return { file: name, message: `is of another spool than ${before.name}` }
    if (before.number === number) return { file: name, message: `says that it is the same file as ${before.name}` }
  }
  return undefined
}

/** Adds what a file has to the sessions. Returns what makes all of the spool doubtful. */
function replay({ name, path, number, mark, from }: BegunFile, bytes: Buffer, read: Replay): SpoolFileProblem | undefined {
  const { sessions, problems } = read
  for (const record of recordsOf(bytes, number, mark, from)) {
    if (record.kind === 'damage') {
      problems.push({ file: name, message: record.message })
      read.damaged = true
      for (const [slot, { pieces }] of sessions) pieces.push({ lost: slot === record.slot ? record.size : 0 })
      continue
    }
    const { slot, kind, payload, beginsFrame, end } = record
    if (kind === 'enrol') {
      const id = Buffer.from(payload).toString('utf8')
      const before = sessions.get(slot)
      if (before === undefined) sessions.set(slot, { id, pieces: read.damaged ? [{ lost: 0 }] : [] })
      else if (before.id !== id) return { file: name, message: `names ${id} where ${before.id} is enrolled` }
    } else if (kind === 'dismiss') sessions.delete(slot)
    else sessions.get(slot)?.pieces.push({ path, at: end - payload.length, size: payload.length, beginsFrame })
  }
  return undefined
}

/** The session's frames from `fromSeq` on. A number written twice counts as written last: the first was taken back. */
export async function readTail(session: SpooledSession, fromSeq: number): Promise<SpooledTail> {
  const frames: SpooledFrame[] = []
  let discardedBytes = 0
  let gapAfter: number | undefined
  let damaged = false
  let rest: Uint8Array | undefined
  for await (const { bytes, beginsFrame, lost } of readPieces(session.pieces)) {
    if (lost !== undefined) {
      // Half a frame in front of it must not be put together with half of another behind.
      discardedBytes += lost + (rest?.length ?? 0)
      rest = undefined
      damaged = true
    } else if (beginsFrame) {
      discardedBytes += rest?.length ?? 0
      rest = bytes
    } else if (rest === undefined) {
      if (damaged) discardedBytes += bytes.length
      continue // The frame this belongs to began in a file that is gone: it is in the store, or damaged.
    } else rest = Buffer.concat([rest, bytes])
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
      if (seq > next) {
        gapAfter ??= next - 1
        discardedBytes += end
      } else if (seq >= fromSeq) {
        frames.length = seq - fromSeq
        frames.push(spooled)
      }
    }
  }
  return { frames, discardedBytes: discardedBytes + (rest?.length ?? 0), gapAfter, damaged }
}

function decoded(bytes: Uint8Array): SpooledFrame | undefined {
  try {
    return { frame: decodeFrame(bytes), bytes }
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

interface ReadPiece {
  readonly bytes: Uint8Array
  readonly beginsFrame: boolean
  readonly lost?: number
}

async function* readPieces(pieces: SpooledSession['pieces']): AsyncGenerator<ReadPiece> {
  let file: Awaited<ReturnType<typeof open>> | undefined
  let openPath = ''
  try {
    for (const piece of pieces) {
      if ('lost' in piece) {
        yield { bytes: NOTHING, beginsFrame: false, lost: piece.lost }
        continue
      }
      const { path, at, size, beginsFrame } = piece
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

const NOTHING = new Uint8Array(0)
/** More than the first record of any file. */
const BEGIN_ROOM = 4096
/** Of a name in a message that is not our own. */
const MAX_NAME_CHARS = 60

/** A file's first bytes. Rejects what is no file: a folder, a link, a pipe. */
async function readUpTo(path: string, most: number): Promise<{ readonly bytes: Buffer; readonly size: number }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new ApplianceError('SPOOL_MALFORMED', 'it is no file')
    const bytes = Buffer.alloc(Math.min(facts.size, most))
    let read = 0
    while (read < bytes.length) {
      const { bytesRead } = await file.read(bytes, read, bytes.length - read, read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    return { bytes: bytes.subarray(0, read), size: facts.size }
  } finally {
    await file.close()
  }
}
