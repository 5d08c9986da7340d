/** A turn of a loop that has nothing to do takes some 5 us; what is longer has done something else. */
const EMPTY_TURN_MS = 0.02
/** How much was polled until it is asked whether that is worth its processor time. */
const SPELL_MS = 50
/** It is while this share of the time there was nothing to do, as with two or three who ask in turn, not with eight; and the thread had this share of its core. */
const LEAST_WAITED = 0.12
const LEAST_USED = 0.7
/** Until the next try, where it was not; twice as long each time in turn, and at most the other. */
const REST_MS = 100
const MAX_REST_MS = 8_000
/** Behind so long without a message another conversation begins, of which nothing is known yet. */
const PAUSE_MS = 250
/** Once in vain, every message is waited behind again; twice, two are let pass before; then six, up to 62. */
const MAX_IN_VAIN = 6

/** The event loop, as far as this knows it. */
export interface Loop {
  /** By `performance.now`. */
  readonly nowMs: () => number
  /** Processor time of its thread. */
  readonly usedMs: () => number
  /** Calls once the sockets were asked, without waiting for them. */
  readonly next: (turn: () => void) => void
}

const OWN_LOOP: Loop = {
  nowMs: () => performance.now(),
  usedMs() {
    // The kernel brings the thread's time up to date when the whole process's is asked for; by itself it is as old as the last tick.
    process.cpuUsage()
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  },
  next: setImmediate,
}

/**
 * Busy polling: for a moment behind each message the loop asks its sockets again instead of going to sleep, as the answer, or the next question, is
 * often on its way, and a core that was halted takes longer to wake up than all that is done with the message. Stops by itself where nothing comes
 * in time, where the loop is busy anyway, and where others want the core.
 */
export class BusyPoll {
  readonly #windowMs: number
  readonly #loop: Loop
  #polling = false
  #untilMs = 0
  #lastMs = 0
  /** When this polling began, and the thread's processor time before. */
  #beganMs = 0
  #usedBeforeMs = 0
  /** Of the spell, which may be many short ones: how long it is, how long nothing was to do in it, and the processor time it had. */
  #spellMs = 0
  #waitedMs = 0
  #usedMs = 0
  /** Whether a message came since the last turn, and the turns since one did. */
  #came = false
  #turns = 0
  #inVain = 0
  /** Messages that are let pass, and until when all are. */
  #rest = 0
  #restUntilMs = 0
  #restMs = REST_MS
  /** The last message. */
  #cameMs = 0

  /** `windowMs`: how long behind a message; 0 never polls. */
  constructor(windowMs: number, loop = OWN_LOOP) {
    this.#windowMs = windowMs
    this.#loop = loop
  }

  /** A message was recorded; `nowMs` by `performance.now`. */
  came(nowMs: number): void {
    if (nowMs - this.#cameMs > PAUSE_MS) {
      this.#inVain = 0
      this.#rest = 0
      this.#restUntilMs = 0
      this.#restMs = REST_MS
      this.#spellMs = 0
      this.#waitedMs = 0
      this.#usedMs = 0
    }
    this.#cameMs = nowMs
    if (this.#polling) this.#came = true
    else if (this.#rest > 0) this.#rest--
    else if (this.#windowMs > 0 && nowMs >= this.#restUntilMs) {
      this.#polling = true
      this.#came = true
      this.#turns = 0
      this.#begin(nowMs)
      this.#loop.next(this.#turn)
    }
  }

  #begin(nowMs: number): void {
    this.#beganMs = nowMs
    this.#lastMs = nowMs
    this.#usedBeforeMs = this.#loop.usedMs()
  }

  readonly #turn = (): void => {
    const nowMs = this.#loop.nowMs()
    if (this.#came) {
      if (this.#turns > 0) this.#inVain = 0
      this.#came = false
      this.#turns = 0
      this.#untilMs = nowMs + this.#windowMs
    } else {
      this.#turns++
      this.#waitedMs += Math.min(nowMs - this.#lastMs, EMPTY_TURN_MS)
    }
    this.#lastMs = nowMs
    const inVain = nowMs > this.#untilMs
    if (!inVain && this.#spellMs + nowMs - this.#beganMs < SPELL_MS) {
      this.#loop.next(this.#turn)
      return
    }
    this.#spellMs += nowMs - this.#beganMs
    this.#usedMs += this.#loop.usedMs() - this.#usedBeforeMs
    if (this.#spellMs >= SPELL_MS && !this.#isWorth()) {
      this.#polling = false
      this.#restUntilMs = nowMs + this.#restMs
      this.#restMs = Math.min(this.#restMs * 2, MAX_REST_MS)
    } else if (inVain) {
      this.#polling = false
      this.#inVain = Math.min(this.#inVain + 1, MAX_IN_VAIN)
      this.#rest = 2 ** this.#inVain - 2
    } else {
      this.#begin(nowMs)
      this.#loop.next(this.#turn)
    }
  }

  /** Ends the spell. Not where there was work all the time, nor where the kernel gave the core to somebody else. */
  #isWorth(): boolean {
    const worth = this.#waitedMs > this.#spellMs * LEAST_WAITED && this.#usedMs > this.#spellMs * LEAST_USED
    if (worth) this.#restMs = REST_MS
    this.#spellMs = 0
    this.#waitedMs = 0
    this.#usedMs = 0
    return worth
  }
}
