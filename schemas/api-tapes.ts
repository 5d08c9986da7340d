import { type Static, Type } from 'typebox'
import { SESSION_STATES } from './api-names.ts'
import { Count, closed, oneOf, orNull } from './api-parts.ts'

export const OBJECT_KINDS = ['segment', 'index', 'recovered', 'salt'] as const

/** One stored object of a tape, as docs/tape-format.md names it: `0000.tape`, `0000.idx`, `recovered-0000.tape`, `salt`. */
export const TapeObject = Type.Object({
  name: Type.String(),
  kind: oneOf(OBJECT_KINDS),
  /** Of segments and their indexes. */
  segment: Type.Optional(Count),
  /** Bytes that are durable now; only a last segment grows. */
  size: Count,
  /** Whether it can still grow; only what cannot is cached for good. */
  final: Type.Boolean(),
})
export type TapeObject = Static<typeof TapeObject>

/** Segments in order, then the others. */
export const TapeObjects = Type.Object({
  session: Type.String(),
  state: oneOf(SESSION_STATES),
  objects: Type.Array(TapeObject),
})
export type TapeObjects = Static<typeof TapeObjects>

/** The terminal of a channel, as it was behind a frame. */
export const ScreenQuery = Type.Object({ channel: Count, frame: Count }, closed)
export type ScreenQuery = Static<typeof ScreenQuery>

/**
 * The newest screen the catalog has kept at or before that frame: what comes behind it is read from the tape. Derived, and proved by nobody; null
 * where there is none, and the tape is read from its start.
 */
export const ScreenAnswer = Type.Object({
  keyframe: orNull(
    Type.Object({
      /** The screen is that behind this frame. */
      seq: Count,
      cols: Count,
      rows: Count,
      /** What, written to a new terminal of this size, gives it. Untrusted and masked. */
      init: Type.String(),
      /** Frames before it could not be read: the screen may have been another. */
      torn: Type.Boolean(),
    }),
  ),
})
export type ScreenAnswer = Static<typeof ScreenAnswer>

/** Public keys of this installation's gateways, for verification in the browser. Whoever doubts this server takes them from elsewhere. */
export const Trust = Type.Object({
  keys: Type.Array(
    Type.Object({
      gateway: Type.String(),
      /** `Ed25519` or `ES256`. */
      algorithm: Type.String(),
      keyId: Type.String(),
      /** SubjectPublicKeyInfo, DER, base64. */
      spki: Type.String(),
    }),
  ),
})
export type Trust = Static<typeof Trust>

/** How far a running session is in the store. */
export const SessionProgress = Type.Object({
  session: Type.String(),
  state: oneOf(SESSION_STATES),
  frames: Count,
  durationUs: Count,
  statements: Count,
  rows: Count,
  bytesOut: Count,
  masked: Count,
  verdicts: Type.Object({ allow: Count, mask: Count, block: Count, hold: Count }),
  /** Segment objects with their durable sizes: fetch what lies behind the size you had. Empty in `/events` while nobody follows the session. */
  objects: Type.Array(TapeObject),
})
export type SessionProgress = Static<typeof SessionProgress>
