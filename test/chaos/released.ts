import type { Store } from '../../recorder/index.ts'
import { openTape, type TapeFrame } from '../../recorder/tape/reader.ts'
import { verifyTape } from '../../recorder/tape/verify.ts'
import type { TapeVerification } from '../../schemas/verification.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { releasedOut, saidIn } from '../support/tapes.ts'
import type { Account } from './scenario.ts'

/** Both ends of a session as they were given it. */
export interface Given {
  readonly session: string
  readonly client: Buffer
  readonly target: Buffer
  /** Takes out what no tape may have. */
  readonly hide?: (bytes: Buffer) => Buffer
}

export interface Missing {
  /** Of what the client was given: the tape has it up to here. */
  readonly client: number
  readonly target: number
}

/**
 * Compares what both ends were given with the tape: it must begin with exactly that. Bytes missing at the end are returned, everything
 * else wrong is a violation.
 */
export async function compare(
  given: Given,
  store: Store,
  gatewayKeys: readonly GatewayKey[],
  account: Account,
): Promise<{ readonly missing: Missing; readonly result: TapeVerification }> {
  const { session, client, target, hide = (bytes) => bytes } = given
  const at = `run ${account.runs}, ${session}`
  account.sessions += 1
  account.delivered += client.length + target.length
  const result = await verifyTape(store, session, { gatewayKeys })
  if (!['VALID', 'VALID-INCOMPLETE'].includes(result.verdict))
    account.violation(`${at}: ${result.verdict}: ${JSON.stringify(result.problems.slice(0, 3))}`)
  const frames: TapeFrame[] = []
  for await (const frame of (await openTape(store, session)).frames()) {
    if (frame.seq !== frames.length) account.violation(`${at}: frame ${frame.seq} stands where ${frames.length} belongs`)
    frames.push(frame)
  }
  const { taped, said } = withoutFarewell(hide(releasedOut(frames)), hide(client), frames, account)
  const missing = {
    client: beginsWith(taped, said, `${at}, to the client`, account),
    target: beginsWith(saidIn(frames), target, `${at}, to the target`, account),
  }
  return { missing, result }
}

/**
 * What was recorded and could not be released any more stands on the tape in front of the last words, which the client did get: those are
 * compared by themselves.
 */
function withoutFarewell(
  taped: Buffer,
  given: Buffer,
  frames: readonly TapeFrame[],
  account: Account,
): { readonly taped: Buffer; readonly said: Buffer } {
  const last = frames.findLast(({ dir }) => dir === 'out')
  const size = last?.kind === 'farewell' ? (last.body?.length ?? 0) : 0
  const heard = size > 0 && given.length >= size && given.subarray(-size).equals(taped.subarray(-size))
  if (!heard) return { taped, said: given }
  account.recoverable += size
  return { taped: taped.subarray(0, -size), said: given.subarray(0, -size) }
}

/** How many of the bytes given are missing at the tape's end. */
function beginsWith(taped: Buffer, given: Buffer, at: string, account: Account): number {
  const both = Math.min(taped.length, given.length)
  account.recoverable += both
  if (!taped.subarray(0, both).equals(given.subarray(0, both))) {
    let from = 0
    while (taped[from] === given[from]) from += 1
    account.violation(`${at}: ${given.length} bytes were given, ${taped.length} are taped, and they differ at ${from}`)
  }
  return given.length - both
}
