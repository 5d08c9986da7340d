import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { placesIn } from '../places.ts'
import { tellLedger, type Where } from '../tape-room.ts'
import type { Cli } from './context.ts'
import type { EvidenceHere } from './evidence.ts'
import { callerOf } from './prove-caller.ts'

type Look<T extends LedgerEntry['type']> = Omit<Extract<LedgerEntry, { type: T }>, 'actor' | 'proof'>

/**
 * Tells the ledger who is about to be shown evidence by a command, as the console does: before it is shown; or what their verification of it came to.
 * Who has a copy to read, without the gateway's key or the right to write, is told that nobody will know.
 */
export async function noteView(
  where: EvidenceHere['where'],
  look: Look<'evidence.view'> | Look<'evidence.verify'>,
  { keyFile }: { readonly keyFile?: string },
  cli: Cli,
): Promise<void> {
  const unnoted = (why: string): void => cli.err(`sallyport: this is not noted in the ledger: ${why}\n`)
  if (!maySign(where)) return unnoted('there is no key of its gateway here')
  const by = await callerOf(where, keyFile, cli)
  try {
    await tellLedger(where, { ...look, ...by })
  } catch (error) {
    if (!isDenied(error)) throw error
    unnoted(`you may not write to it (${safeText(error instanceof Error ? error.message : String(error))})`)
  }
}

/** A key that has yet to be made would be one that nobody trusts. */
export function maySign({ signer, dataDir }: Where): boolean {
  return signer !== undefined || existsSync(join(placesIn(dataDir).keys, 'gateway.key'))
}

/** Of whatever the store said, however it was wrapped. */
function isDenied(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ApplianceError && one.code === 'STORE_DENIED') return true
    if ('code' in one && (one.code === 'EACCES' || one.code === 'EPERM' || one.code === 'EROFS')) return true
  }
  return false
}
