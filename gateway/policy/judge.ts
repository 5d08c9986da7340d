import type { Verdict } from '../../schemas/verdict.ts'
import type { Message } from '../message.ts'

/** One session's judge: the policy, and the counters its thresholds need. Synchronous, no I/O, no clock. */
export interface Judge {
  /** The verdict on the next message of the session. Counts towards thresholds. May throw: the gate then blocks; POLICY_BLOCKED where only the session's end stops it. */
  judge(message: Message): Verdict
  /** The verdict on a message judged before, without counting it again (after a hold). */
  review(message: Message): Verdict
}
