/** A moment, on the clock that stands still while the machine does and on the one that goes on. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

export function momentNow(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() }
}

/**
 * After this long without a sign of life another gateway may be about to take this one for dead: half of the shortest time after which one
 * does, so that clocks and listings have the other half.
 */
const DOUBT_AFTER_MS = 25_000

/**
 * Whether one session may still take its tape for its own. Where other machines share the store, one of them ends the tapes of a gateway
 * that was not heard of for a minute (stopped, suspended, cut off); it may live after all. So a session that has neither had an append
 * acknowledged nor been heard of for a while releases nothing before the store has acknowledged it: an ended tape refuses that.
 */
export class Lease {
  readonly #heard: () => Moment
  #renewed = momentNow()

  /** `heard`: when others last heard of this process. */
  constructor(heard: () => Moment) {
    this.#heard = heard
  }

  /** `nowMs`: on the monotonic clock; asked for every append, which has looked at it already. */
  doubtful(nowMs: number): boolean {
    const wallMs = Date.now()
    return isOld(this.#renewed, nowMs, wallMs) && isOld(this.#heard(), nowMs, wallMs)
  }

  /** The store has taken an append of this session. */
  renew(): void {
    this.#renewed = momentNow()
  }
}

/** By either clock; also where the wall clock went back, as it then tells nothing. */
function isOld(moment: Moment, nowMs: number, nowWallMs: number): boolean {
  const wallMs = nowWallMs - moment.wallMs
  return nowMs - moment.monotonicMs > DOUBT_AFTER_MS || wallMs > DOUBT_AFTER_MS || wallMs < -DOUBT_AFTER_MS
}
