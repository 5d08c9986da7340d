import type { VerdictNote } from './verdict.ts'

/** `in`: client to target. `out`: target to client. `note`: the gateway about the session, sent to nobody. */
export type Dir = 'in' | 'out' | 'note'

/** What policy, search and detectors may look at: small, typed, flat. Values are shown to people, so they are masked like bodies. */
export type Fact = string | number | boolean | null | readonly string[]
export type Facts = Readonly<Record<string, Fact>>

/**
 * Where a body was masked. Packed, because a bulk result may carry thousands of spans.
 * `labels[i]` is `[entity, rule]`, e.g. `['email', 'label:pii.email']`.
 * `spans` holds one 16-byte record per span, in body order, big endian:
 * u32 start in the masked body, u24 length, u8 index into `labels`, u64 keyed fingerprint of the masked value.
 */
export interface Masks {
  readonly labels: readonly (readonly [entity: string, rule: string])[]
  readonly spans: Uint8Array
}
export const MASK_SPAN_SIZE = 16

/**
 * A message on its way to the tape.
 * The bytes a client received are the bodies of its `out` entries whose verdict released them (see `isReleased`),
 * one after the other; the bytes a target received are the `in` ones, as far as no mask changed the recorded copy.
 */
export interface Entry {
  readonly dir: Dir
  /** SSH channel, HTTP/2 stream; 0 where the protocol has one conversation. */
  readonly channel: number
  /** `query`, `reply`, `stdout` ...; the protocol's README lists its kinds. */
  readonly kind: string
  readonly facts: Facts
  /** The bytes as replayed; null where there are none. Of any size: the recorder continues it over frames. */
  readonly body: Uint8Array | null
  readonly masks: Masks | null
  /** null: allowed, and no rule matched. */
  readonly verdict: VerdictNote | null
}

/** An entry as it stands on the tape. The recorder stamps both: order is made where it is kept. */
export interface Frame extends Entry {
  /** From 0, no gaps. */
  readonly seq: number
  /** Microseconds since the session's start, on the monotonic clock. */
  readonly atUs: number
}

declare const masked: unique symbol
/** A value the masker has been over. Only gateway/masking/masker.ts makes one; the recorder takes nothing else. */
export type Masked<T> = T & { readonly [masked]: true }

/** Whether the frame's bytes went on to the other end. A frame that was blocked, or that only announces a hold, did not. */
export function isReleased(frame: Pick<Entry, 'dir' | 'verdict'>): boolean {
  return frame.dir !== 'note' && frame.verdict?.act !== 'block' && frame.verdict?.act !== 'hold'
}
