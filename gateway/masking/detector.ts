import type { ByteSet } from './bytes.ts'
import type { EntityName } from './rules.ts'

/** The shortest thing any detector finds is `a@b.co`, or `pwd=` and a value of four. */
export const MIN_FIELD_SIZE = 6

/** How far before a trigger's end a detector may look. Longest use: an e-mail address's local part (64) or a key's name. */
export const MAX_LOOK_BACK = 128
/** How far behind a trigger's end a detector may look; longer values go on as a `Tail`. Longest use: a JWT header with certificates. */
export const MAX_LOOK_AHEAD = 2560

/**
 * What follows a recognised head, of any length: masked on and on while bytes are in `set`, through the `stops`-th run
 * of `stopRun` stop bytes (that run included when `takeStop`, else it ends before it).
 */
export interface Tail {
  readonly set: ByteSet
  readonly stop?: number
  readonly stopRun?: number
  readonly stops?: number
  readonly takeStop?: boolean
}

/** Where a detector leaves what it found. One per scanner, used over and over: nothing is allocated per candidate. */
export interface Probe {
  start: number
  end: number
  tail: Tail | null
  /** More precise than the detector's own, where it can tell; null otherwise. */
  entity: EntityName | null
  /** What the bytes found stand for: they are a hit when something is found in that. */
  inside: Uint8Array | null
  /** The furthest byte looked at: what the candidate cost. Set before a long walk ends in `false`. */
  seen: number
  /** Given: the first byte that may be looked at for context, also inside of what was masked before. */
  back: number
  /** Given: what the field is, `row.employee_no`. */
  path: string
}

export interface Detector {
  /** null: whatever is found inside of what it decodes. */
  readonly entity: EntityName | null
  /** Short fixed-length patterns (see `Pattern.text`) of which any value of this entity contains one. */
  readonly triggers: readonly (string | readonly ByteSet[])[]
  readonly ignoreCase?: boolean
  /**
   * Whether a value stands around `at`, the byte after a trigger. Looks at bytes[from, to) only (already cut to the two
   * limits above; a field's own ends look like boundaries), and sets `start` and `end` of the probe when it says yes.
   */
  verify(bytes: Uint8Array, from: number, at: number, to: number, probe: Probe): boolean
}
