import { hexOf } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { type RecoveryStatement, tapeKeys } from '../tape.ts'
import { type TapeVerification, VERIFY_EXITS, worstVerdict } from '../verification.ts'
import type { ChainVerifier } from './chain.ts'
import { TapeState, type TapeTrust, type VerifyHost, type VerifyOptions } from './tape-state.ts'
import { Tally } from './totals.ts'
import { readRecovery, verifyRecovered } from './verify-recovery.ts'
import { verifySegments } from './verify-segments.ts'

/**
 * Verifies one tape as it stands in the store: every byte of it, in constant memory. Goes on behind whatever is wrong.
 * Rejects STORE_MISSING where there is nothing of the session at all; never on what the tape holds.
 */
export async function verifyTapeWith(
  host: VerifyHost,
  id: string,
  trust: TapeTrust,
  options: VerifyOptions = {},
): Promise<TapeVerification> {
  const tape = new TapeState(host, id, trust, options)
  const keys = await tape.readable(tapeKeys.prefix(id), () => keysOf(tape))
  if (keys === undefined) return resultOf(tape, undefined, undefined)
  if (keys.length === 0) throw new ApplianceError('STORE_MISSING', `the store has nothing of ${id}`)
  const recoveredKey = tapeKeys.recovered(id)
  const recovery = keys.includes(recoveredKey) ? await tape.readable(recoveredKey, () => readRecovery(tape)) : undefined
  await verifySegments(tape, keys, recovery)
  const recovered = recovery === undefined ? undefined : await tape.readable(recoveredKey, () => verifyRecovered(tape, recovery))
  if (options.onTotals !== undefined && tape.chain !== undefined) tellTotals(options.onTotals, tape.chain, recovered)
  return resultOf(tape, recovery, recovered)
}

function tellTotals(
  tell: NonNullable<VerifyOptions['onTotals']>,
  { seal, tally }: ChainVerifier,
  recovered: ChainVerifier | undefined,
): void {
  const sums = new Tally()
  sums.join(tally)
  if (recovered !== undefined) sums.join(recovered.tally)
  tell(seal?.totals ?? sums.totals(), seal !== undefined)
}

async function keysOf(tape: TapeState): Promise<string[]> {
  const prefix = tapeKeys.prefix(tape.id)
  const keys: string[] = []
  // What lies further down is foreign, whatever it is called.
  for await (const key of tape.store.list(prefix, tape.signal)) if (!key.includes('/', prefix.length)) keys.push(key)
  return keys
}

function resultOf(
  tape: TapeState,
  recovery: RecoveryStatement | undefined,
  recovered: ChainVerifier | undefined,
): TapeVerification {
  const chain = tape.chain
  const verdict = worstVerdict(tape.verdicts)
  const session = tape.header?.session
  return {
    session: tape.id,
    verdict,
    exit: VERIFY_EXITS[verdict],
    state:
      chain === undefined ? 'unreadable' : chain.seal !== undefined ? 'sealed' : recovery !== undefined ? 'recovered' : 'open',
    frames: (chain?.good ?? 0) + (recovered?.good ?? 0),
    chunks: (chain?.chunks ?? 0) + (recovered?.chunks ?? 0),
    recovered:
      recovery === undefined || recovered === undefined || recovered.good === 0
        ? null
        : {
            first: recovery.frames,
            last: recovery.frames + recovered.good - 1,
            by: recovery.gateway,
            at: recovery.recoveredAt,
          },
    unattested: (chain?.unattested ?? 0) + (recovered?.unattested ?? 0),
    lastGood: recovered?.lastGood ?? chain?.lastGood ?? null,
    durability: session?.durability ?? null,
    lossWindow: tape.header?.lossWindow ?? null,
    signer:
      tape.signer === undefined
        ? null
        : { gateway: tape.signer.gateway, algorithm: tape.signer.algorithm, keyId: tape.signer.keyId },
    root: chain?.seal === undefined ? null : hexOf(chain.seal.root),
    problems: tape.problems,
    problemCount: tape.problemCount,
  }
}
