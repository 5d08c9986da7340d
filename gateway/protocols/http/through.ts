import { type Gate, isNow } from '../../gate.ts'
import type { Message, Output } from '../../message.ts'

/** What may be written of one message, in order: at once, as a rule. */
export type Through = readonly (readonly Output[])[] | AsyncIterable<readonly Output[]>

export function outputsOf(gate: Gate, message: Message, signal: AbortSignal): Through {
  const entered = gate.enter([message], signal)
  if (isNow(entered)) return [entered]
  return entered instanceof Promise ? once(entered) : entered
}

/** Whether all of it is there: walked through at once, it costs none of the turns of the loop that `for await` takes. */
export function isThere(through: Through): through is readonly (readonly Output[])[] {
  return Array.isArray(through)
}

async function* once(recorded: Promise<readonly Output[]>): AsyncGenerator<readonly Output[]> {
  yield await recorded
}
