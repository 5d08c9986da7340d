import { type Gate, isNow } from '../../gate.ts'
import type { Message, Output } from '../../message.ts'

/** What may be written of one message, in order: at once, as a rule. */
export type Through = readonly (readonly Output[])[] | AsyncIterable<readonly Output[]>

export function outputsOf(gate: Gate, message: Message, signal: AbortSignal): Through {
  const entered = gate.enter([message], signal)
  if (isNow(entered)) return [entered]
  return entered instanceof Promise ? new Recording(entered) : entered
}

/** Whether all of it is there: walked through at once, it costs none of the turns of the loop that `for await` takes. */
export function isThere(through: Through): through is readonly (readonly Output[])[] {
  return Array.isArray(through)
}

/** Whether more than the recorder is waited for: a person, as a rule. */
export function isHeld(through: Through): boolean {
  return !isThere(through) && !(through instanceof Recording)
}

/** What waits for the recorder alone. */
class Recording implements AsyncIterable<readonly Output[]> {
  readonly #recorded: Promise<readonly Output[]>

  constructor(recorded: Promise<readonly Output[]>) {
    this.#recorded = recorded
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Output[]> {
    yield await this.#recorded
  }
}
