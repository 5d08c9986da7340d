import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { sameBytes } from '../../schemas/bytes.ts'
import { MAX_RECORD_SIZE, RECORD_HEAD_SIZE, RECORD_MARK, RECORD_TYPES, TAPE_MAGIC, tapeKeys } from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import { appendSurely } from './outbox.ts'
import type { TapeEnd } from './tape-end.ts'

/** `head`, u64 wall clock in ms, random bytes: as many as make a fence unlike anything a recorder would write there. */
const TIME_SIZE = 8
const RANDOM_SIZE = 16
const FENCE_SIZE = RECORD_HEAD_SIZE + TIME_SIZE + RANDOM_SIZE
/** Whoever fenced a tape has ended it by then, or is gone itself. */
const AT_WORK_MS = 60_000

/** The head of a record that was cut: larger than any index. */
const HEAD = Buffer.alloc(RECORD_HEAD_SIZE)
HEAD.set(RECORD_MARK)
HEAD[3] = RECORD_TYPES.index
HEAD.writeUInt32BE(MAX_RECORD_SIZE, 4)
HEAD.writeUInt32BE(crc32(HEAD.subarray(0, 8)), 8)

/**
 * Takes a tape out of the hands of a recorder of which nobody knows for certain that it is dead: bytes are appended where its next
 * append would go, so that this append, and every later one, is refused and its session ends. Readers take them for a record that a crash
 * cut. Rejects STORE_CONFLICT, having written nothing, when somebody else has written there meanwhile: the recorder lives, or another
 * gateway was quicker.
 */
export function fence(store: Store, id: string, { segment, position }: TapeEnd['next'], patienceMs: number): Promise<void> {
  const time = Buffer.alloc(TIME_SIZE)
  time.writeBigUInt64BE(BigInt(Date.now()))
  const magic = TAPE_MAGIC.subarray(Math.min(position, TAPE_MAGIC.length))
  const bytes = Buffer.concat([magic, HEAD, time, randomBytes(RANDOM_SIZE)])
  return appendSurely(store, { key: tapeKeys.segment(id, segment), position, bytes }, patienceMs)
}

/** Whether another gateway has fenced the tape a moment ago, and so is ending it. */
export async function isBeingEnded(store: Store, id: string, { segment, position }: TapeEnd['next']): Promise<boolean> {
  if (position < FENCE_SIZE) return false
  const key = tapeKeys.segment(id, segment)
  const bytes = Buffer.from(await store.get(key, { from: position - FENCE_SIZE, to: position }))
  if (!sameBytes(bytes.subarray(0, RECORD_HEAD_SIZE), HEAD)) return false
  return Math.abs(Date.now() - Number(bytes.readBigUInt64BE(RECORD_HEAD_SIZE))) < AT_WORK_MS
}
