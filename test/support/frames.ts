import { pack } from '../../recorder/tape/msgpack.ts'
import type { Frame } from '../../schemas/frame.ts'
import type { ProtocolName, SessionId, SessionInfo } from '../../schemas/session.ts'
import { START } from './recording.ts'

/** Frames of a tape that nobody recorded, numbered and a millisecond apart. */
export function framesOf(...parts: readonly Partial<Frame>[]): Frame[] {
  return parts.map((part, seq) => ({
    seq,
    atUs: seq * 1_000,
    dir: 'in',
    channel: 0,
    kind: 'query',
    facts: {},
    body: null,
    masks: null,
    verdict: null,
    ...part,
  }))
}

export function infoOf(protocol: ProtocolName, change: Partial<SessionInfo> = {}): SessionInfo {
  return {
    ...START,
    id: '20261120T105150Z-gw1-00000042' as SessionId, // has its form
    gateway: 'gw1',
    number: 42,
    target: { ...START.target, protocol },
    startedAt: '2026-11-20T10:51:50.123Z',
    ...change,
  }
}

/** A query frame's bytes as they stand in a chunk (docs/tape-format.md). */
export function encodeFrame(seq: number, atUs: number): Uint8Array {
  return pack([seq, atUs, 0, 0, 'query', {}, null, null, null])
}
