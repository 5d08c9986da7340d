import { type Gate, isNow } from '../../gate.ts'
import type { Message, Output } from '../../message.ts'

/** What may be written of one message, in order: at once, as a rule. */
export type Through = Iterable<readonly Output[]> | AsyncIterable<readonly Output[]>

export function outputsOf(gate: Gate, message: Message, signal: AbortSignal): Through {
  const entered = gate.enter([message], signal)
  if (isNow(entered)) return [entered]
  return entered instanceof Promise ? once(entered) : entered
}

async function* once(recorded: Promise<readonly Output[]>): AsyncGenerator<readonly Output[]> {
  yield await recorded
}
