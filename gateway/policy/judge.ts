import type { Masks } from '../../schemas/frame.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { Message } from '../message.ts'

/** One session's judge: the policy, and the counters its thresholds need. Synchronous, no I/O, no clock. */
export interface Judge {
  /** The verdict on the next message of the session. Counts towards thresholds. May throw: the gate then blocks; POLICY_BLOCKED where only the session's end stops it. */
  judge(message: Message): Verdict
  /** What has to be waited for before this message can be judged, if anything: a budget that is agreed on with others. Asked again afterwards; never rejects. */
  waits?(message: Message): Promise<void> | undefined
  /** What was masked in a message of the target as it passed: thresholds may count different values. */
  seen?(message: Message, masks: Masks): void
  /** The verdict on a message judged before, without counting it again (after a hold). */
  review(message: Message): Verdict
}
