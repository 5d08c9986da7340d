import type { Frame } from '../../schemas/frame.ts'
import { PART_FACT } from '../../schemas/tape.ts'
import type { VerdictNote } from '../../schemas/verdict.ts'

/**
 * What a blocked or held frame is to whoever counts. One thing that was stopped may leave several frames; one of them counts:
 * - `blocked`: a request that a rule stopped
 * - `cut`: an answer that a rule stopped, whole or from here on
 * - `held`: what waits for a person from here on
 * - `approved`, `refused`: the end of a hold; it went on, or it did not: rejected, too late, withdrawn
 * - `more`: a further frame of one of these: another part of it, the rest of an answer that was cut, what the target said of what was stopped
 */
export type What = 'blocked' | 'cut' | 'held' | 'approved' | 'refused' | 'more'

/** A frame whose message did not simply go on. */
export interface Decision extends Pick<Frame, 'seq' | 'atUs' | 'dir' | 'kind'> {
  readonly verdict: VerdictNote
  readonly what: What
}

/** Tells of one session's frames, which come in the order of the tape, those that were stopped; others may be left out. */
export class Decisions {
  readonly found: Decision[] = []
  /** Requests by approval: held, ended. */
  readonly #held = new Set<string>()
  readonly #ended = new Set<string>()
  /** Answers that were cut: channel, and which request of it they belong to. */
  readonly #cut = new Set<string>()

  add(frame: Frame): void {
    const { seq, atUs, dir, kind, verdict } = frame
    if (verdict?.act !== 'block' && verdict?.act !== 'hold') return
    this.found.push({ seq, atUs, dir, kind, verdict, what: this.#whatOf(frame, verdict) })
  }

  #whatOf({ dir, channel, facts }: Frame, { act, rules, approval }: VerdictNote): What {
    const part = facts[PART_FACT]
    if (part === 'middle' || part === 'last') return 'more'
    if (act === 'hold') {
      if (dir === 'note') return first(this.#ended, approval, 'approved')
      return first(this.#held, approval, 'held')
    }
    if (approval !== undefined) return first(this.#ended, approval, 'refused')
    // Nothing judged it: it answers what was stopped, and the wire keeps it back.
    if (rules.length === 0) return 'more'
    if (dir === 'in') return 'blocked'
    // Every protocol tells requests apart by their channel, or by their number in it.
    return first(this.#cut, `${channel} ${facts['statement'] ?? ''}`, 'cut')
  }
}

/** `what`, the first time that `key` is seen. */
function first<W extends What>(seen: Set<string>, key: string | undefined, what: W): W | 'more' {
  if (key === undefined) return what
  if (seen.has(key)) return 'more'
  seen.add(key)
  return what
}
