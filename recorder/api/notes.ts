import type { Request } from 'express'
import { MAX_PURPOSE_LENGTH, PURPOSE_HEADER } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Identity } from '../../schemas/session.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import type { ApiParts } from './parts.ts'

/** An entry that tells of what somebody did, without who it was. */
type Deed = Extract<LedgerEntry, { readonly actor: string; readonly proof: string }>
type Untold<E> = E extends Deed ? Omit<E, 'actor' | 'proof'> : never

/** Writes down who did what with evidence, before they get any of it. Rejects RECORDER_FAILED: what cannot be noted is not shown. */
export async function note(
  { ledger }: Pick<ApiParts, 'ledger'>,
  { subject, proof }: Pick<Identity, 'subject' | 'proof'>,
  deed: Untold<Deed>,
): Promise<void> {
  await ledger.append({ ...deed, actor: subject, proof })
}

/** Why they look, in their own words. Throws API_INVALID. */
export function purposeOf(request: Request): { readonly purpose?: string } {
  const given = request.get(PURPOSE_HEADER)
  if (given === undefined || given === '') return {}
  try {
    const purpose = decodeURIComponent(given)
    if (purpose.length <= MAX_PURPOSE_LENGTH) return { purpose: purpose.toWellFormed() }
  } catch {
    // Told below, as for one that is too long.
  }
  throw new ApplianceError('API_INVALID', `${PURPOSE_HEADER} is at most ${MAX_PURPOSE_LENGTH} characters, percent-encoded`)
}
