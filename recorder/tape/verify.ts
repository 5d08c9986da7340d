import type { TapeVerification } from '../../schemas/verification.ts'
import type { TapeTrust, VerifyOptions } from '../../schemas/verify/tape-state.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { verifyTapeWith } from '../../schemas/verify/verify-tape.ts'
import { nodeTools } from './tools.ts'

export type Trust = TapeTrust

/**
 * Verifies one tape as it stands in the store: every byte of it, in constant memory. Goes on behind whatever is wrong.
 * Rejects STORE_MISSING where there is nothing of the session at all; never on what the tape holds.
 */
export async function verifyTape(
  store: ObjectSource,
  id: string,
  trust: Trust,
  options: VerifyOptions = {},
): Promise<TapeVerification> {
  return verifyTapeWith({ source: store, tools: nodeTools }, id, trust, options)
}
