import { ApplianceError, type ErrorCode } from '../../schemas/errors.ts'
import {
  CHUNK_FLAGS,
  CHUNK_RAW_SIZE,
  type Codec,
  FRAME_HEAD_SIZE,
  type RecoveryStatement,
  TAPE_MAGIC,
  TAPE_VERSION,
  tapeKeys,
} from '../../schemas/tape.ts'
import { decodeRecovery, decodeStatement } from '../../schemas/tape-statement.ts'
import { Density } from '../../schemas/verify/density.ts'
import { MerkleStack } from '../../schemas/verify/merkle.ts'
import { recordAt } from '../../schemas/verify/scan.ts'
import { Tally } from '../../schemas/verify/totals.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Store } from '../store/store.ts'
import { type Chain, type FrameBatch, makeChunk } from './chunk.ts'
import { EpochKey } from './keys.ts'
import { Leaves, sha256 } from './merkle.ts'
import { pack } from './msgpack.ts'
import { encodeRecord } from './record.ts'
import { recoverAbsent } from './recover-absent.ts'
import { makeSeal } from './seal.ts'
import { commitmentOf, encodeIndex, Segment } from './segment.ts'
import { certify, type GatewaySigner, keyIdOf } from './signer.ts'
import { claimDead, type DeadSpool, giveBack, keepSpool, removeSpool } from './spool-folder.ts'
import { readSpool, readTail, type SpooledFrame, type SpooledSession, type SpooledTail } from './spool-reader.ts'
import { densityUpTo } from './tape-density.ts'
import { findTapeEnd, type TapeEnd } from './tape-end.ts'
import { openObject } from './tools.ts'

export interface RecoveredSession {
  readonly id: string
  /** Whose spool it stood in. */
  readonly spool: string
  /** `recovered`: ended by a recovery file. `sealed`: its seal had reached the store. `absent`: it had not begun. `already`: an earlier recovery did it. */
  readonly outcome: 'recovered' | 'sealed' | 'absent' | 'already'
  /** Frames on the tape, and frames brought to it. */
  readonly frames: number
  readonly recovered: number
  readonly discardedBytes: number
}

export interface RecoveryProblem {
  /** Whose spool, or the name of what is in the place of one. */
  readonly spool: string
  readonly session?: string
  /** In the spool's folder. */
  readonly file?: string
  /** Under which name the spool stands now, where it is set aside. */
  readonly kept?: string
  readonly code: ErrorCode
  readonly message: string
}

export interface RecoveryReport {
  readonly sessions: readonly RecoveredSession[]
  /** What could not be recovered, or not all of it; its spool stays, for the next start or for a person. */
  readonly problems: readonly RecoveryProblem[]
  /** Names in the spools' root that are no spools, and were left alone; absent where there are none. */
  readonly foreign?: readonly string[]
}

export interface RecoveryParts {
  /** The spools' root. */
  readonly root: string
  /** Who recovers. */
  readonly gateway: string
  readonly store: Store
  readonly signer: GatewaySigner
  readonly ledger: Ledger
  readonly codec: Codec
  /** How long a store that fails is tried. */
  readonly patienceMs: number
}

/**
 * Brings what dead processes had accepted to the store. Doing it twice, or breaking off anywhere, loses and doubles nothing. A spool in which
 * something is damaged is recovered as far as it can be read, and then set aside whole; one that is not certain to be of one process, or of which a session
 * could not be ended, stays and is tried again.
 */
export async function recoverSpools(parts: RecoveryParts): Promise<RecoveryReport> {
  const sessions: RecoveredSession[] = []
  const problems: RecoveryProblem[] = []
  const { spools, unclear, foreign } = await claimDead(parts.root, parts.gateway)
  problems.push(...unclear.map((one) => ({ ...one, code: 'SPOOL_MALFORMED' as const })))
  for (const spool of spools) {
    try {
      await recoverSpool(parts, spool, sessions, problems)
    } catch (error) {
      problems.push(problemOf(spool, error))
    }
  }
  return { sessions, problems, ...(foreign.length === 0 ? {} : { foreign }) }
}

async function recoverSpool(
  parts: RecoveryParts,
  spool: DeadSpool,
  sessions: RecoveredSession[],
  problems: RecoveryProblem[],
): Promise<void> {
  let failed = false
  const attempt = async (session: string, work: () => Promise<RecoveredSession | undefined>): Promise<void> => {
    try {
      const done = await work()
      if (done !== undefined) sessions.push(done)
    } catch (error) {
      failed = true
      problems.push({ ...problemOf(spool, error), session })
    }
  }
  const read = await readSpool(spool.path, spool.gateway)
  for (const session of read.sessions) await attempt(session.id, () => recoverSession(parts, spool, session))
  // Opened in the ledger, and its process died before the spool knew of it. What the spool knows of is not called absent, whatever became of its tape.
  const known = new Set(read.sessions.map(({ id }) => id))
  const unended = parts.ledger.unended?.((gateway) => gateway === spool.gateway) ?? []
  for (const id of unended.filter((one) => !known.has(one))) await attempt(id, () => recoverAbsent(parts, spool.gateway, id))
  const found = [...read.problems, ...read.strangers.map((file) => ({ file, message: 'is no file of a spool' }))].map(
    (problem) => ({ spool: spool.gateway, ...problem, code: 'SPOOL_MALFORMED' as const }),
  )
  if (failed || read.doubtful) {
    problems.push(...found)
    await giveBack(spool)
  } else if (found.length > 0) {
    const kept = await keepSpool(parts.root, spool)
    problems.push(...found.map((problem) => ({ ...problem, kept })))
  } else await removeSpool(spool)
}

export function problemOf({ gateway }: Pick<DeadSpool, 'gateway'>, error: unknown): RecoveryProblem {
  const code = error instanceof ApplianceError ? error.code : 'RECORDER_FAILED'
  return { spool: gateway, code, message: error instanceof Error ? error.message : String(error) }
}

async function recoverSession(parts: RecoveryParts, spool: DeadSpool, session: SpooledSession): Promise<RecoveredSession> {
  const { id } = session
  const { store } = parts
  const end = await findTapeEnd(store, id)
  const tail = await readTail(session, end?.frames ?? 0)
  const base = {
    id,
    spool: spool.gateway,
    frames: end?.frames ?? 0,
    recovered: tail.frames.length,
    discardedBytes: tail.discardedBytes,
  }
  if (end === undefined) {
    // Frames are accepted only once the header is in the store: a spool that has some for a tape that is not there tells of a loss.
    if (tail.frames.length > 0 || tail.gapAfter !== undefined)
      throw new ApplianceError('STORE_MISSING', `the spool has frames of ${id}, the store has no tape of it`)
    const absent = await recoverAbsent(parts, spool.gateway, id)
    return { ...base, outcome: absent === undefined ? 'already' : 'absent' }
  }
  if (end.seal !== undefined) {
    if (!end.indexed) await putIndex(parts, end)
    return { ...base, outcome: 'sealed' }
  }
  const before = await earlierRecovery(store, id)
  if (before !== undefined) {
    if (before.frames + before.recovered < base.frames + base.recovered) {
      throw new ApplianceError(
        'STORE_CONFLICT',
        `${id} was recovered before, with ${before.recovered} frames; the spool has ${base.recovered}`,
      )
    }
    return { ...base, outcome: 'already', recovered: before.recovered }
  }
  if (tail.gapAfter !== undefined && !tail.damaged)
    throw new ApplianceError('RECORDER_FAILED', `the spool lacks frames of ${id} after ${tail.gapAfter}`)
  await endTape(parts, spool.gateway, end, tail)
  return { ...base, outcome: 'recovered' }
}

/** Who ends tapes of others, and with what. */
export type EndParts = Omit<RecoveryParts, 'root'>

/**
 * Ends a tape whose recorder is gone: tells the ledger, then puts the recovery file, which exists once. `spool`: whose spool the tail
 * is from; empty where there was none. Rejects STORE_CONFLICT when another recovery was quicker.
 */
export async function endTape(parts: EndParts, spool: string, end: TapeEnd, tail: SpooledTail): Promise<void> {
  const { store, ledger, signer } = parts
  const { id } = end.header.session
  const saltKey = await store.get(tapeKeys.salt(id))
  if (!Buffer.from(end.header.salt).equals(commitmentOf(saltKey)))
    throw new ApplianceError('TAPE_MALFORMED', `the salt of ${id} is not the one its header commits to`)
  await ledger.append({
    type: 'session.recover',
    session: id,
    spool,
    outcome: 'recovered',
    head: Buffer.from(end.head).toString('hex'),
    segment: end.segment,
    offset: end.offset,
    chunks: end.chunks,
    frames: end.frames,
    recovered: tail.frames.length,
    discardedBytes: tail.discardedBytes,
    signer: keyIdOf(signer.publicKey),
  })
  await store.put(tapeKeys.recovered(id), await recoveryFile(parts, spool, end, tail, saltKey))
  if (!end.indexed) await putIndex(parts, end)
}

/** The whole file: statement, chunks, seal, index, footer; the same layout as a segment's. */
async function recoveryFile(
  parts: EndParts,
  spool: string,
  end: TapeEnd,
  tail: SpooledTail,
  saltKey: Uint8Array,
): Promise<Uint8Array> {
  const { id } = end.header.session
  const key = await EpochKey.make()
  const recoveredAt = new Date().toISOString()
  const statement = pack({
    v: TAPE_VERSION,
    id,
    gateway: parts.gateway,
    spool,
    recoveredAt,
    head: end.head,
    segment: end.segment,
    offset: end.offset,
    chunks: end.chunks,
    frames: end.frames,
    recovered: tail.frames.length,
    discardedBytes: tail.discardedBytes,
    salt: commitmentOf(saltKey),
    epoch: key.publicKey,
  } satisfies RecoveryStatement)
  const { gateway, algorithm, keyId, signature } = await certify(parts.signer, 'recovery', statement)
  const segment = new Segment(id, 0, 0)
  const written = [segment.begin(encodeRecord('recovery', [pack([statement, [gateway, algorithm, keyId, signature]])]))]
  const chain: Chain = { n: end.chunks, head: sha256(statement), key }
  const [leaves, tree, tally, density] = [new Leaves(saltKey), new MerkleStack(sha256), new Tally(), new Density()]
  let lastUs = 0
  for (const batch of batches(tail.frames)) {
    const made = await makeChunk(batch, chain, leaves, parts.codec, CHUNK_FLAGS.recovered)
    tree.push(made.header)
    tally.join(batch.tally)
    density.add(batch.times)
    lastUs = batch.times.at(-1) ?? lastUs
    written.push(segment.chunk(made))
  }
  const said = { id, reason: 'recovered', atUs: lastUs, endedAt: recoveredAt, totals: tally.totals() }
  const { record, summary } = makeSeal(chain, tree, said)
  written.push(segment.add(record))
  written.push(await segment.end(density.result(), summary))
  return Buffer.concat(written.map(({ bytes }) => bytes))
}

function* batches(frames: readonly SpooledFrame[]): Generator<FrameBatch> {
  for (let from = 0; from < frames.length; ) {
    const raw: Uint8Array[] = []
    const [ends, times, tally]: [number[], number[], Tally] = [[], [], new Tally()]
    let size = 0
    let next = from
    for (let one = frames[next]; one !== undefined && size < CHUNK_RAW_SIZE; one = frames[next]) {
      const head = Buffer.alloc(FRAME_HEAD_SIZE)
      head.writeUInt32BE(one.bytes.length)
      raw.push(head, one.bytes)
      size += FRAME_HEAD_SIZE + one.bytes.length
      ends.push(size)
      times.push(one.frame.atUs)
      tally.add(one.frame, one.frame.facts, one.frame.body?.length ?? 0, one.frame.masks?.spans.length ?? 0)
      next += 1
    }
    yield { firstSeq: frames[from]?.frame.seq ?? 0, raw: Buffer.concat(raw), ends, times, tally, urgent: false }
    from = next
  }
}

/** The index a segment without a footer lacks, beside it: its bytes stay as the crash left them. */
async function putIndex(parts: EndParts, end: TapeEnd): Promise<void> {
  const { seal, segment, rows } = end
  const summary =
    seal === undefined
      ? null
      : {
          reason: seal.reason,
          chunks: seal.chunks,
          root: Buffer.from(seal.root).toString('hex'),
          endedAt: seal.endedAt,
          durationUs: seal.atUs,
          totals: seal.totals,
        }
  const density = await densityUpTo(parts.store, end)
  const record = await encodeIndex({ v: TAPE_VERSION, segment, chunks: rows, density: density.result(), summary })
  try {
    await parts.store.put(tapeKeys.index(end.header.session.id, segment), record)
  } catch (error) {
    // An earlier recovery has put it, and may have packed it otherwise: either will do.
    if (!(error instanceof ApplianceError) || error.code !== 'STORE_CONFLICT') throw error
  }
}

/** What an earlier recovery has stated. */
export async function earlierRecovery(store: Store, id: string): Promise<RecoveryStatement | undefined> {
  try {
    const record = await recordAt(await openObject(store, tapeKeys.recovered(id)), TAPE_MAGIC.length)
    return record?.type === 'recovery' && record.intact ? decodeRecovery(decodeStatement(record.payload).statement) : undefined
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}
