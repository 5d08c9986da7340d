import type { BlobPlace } from './places.ts'
import { type ContainerClient, openAccount, openContainer } from './store-blob-client.ts'
import { refusalOf } from './store-blob-errors.ts'

/** What whoever records must not be able to do, each tried on an object of its own. */
export const FORBIDDEN = ['overwrite', 'delete', 'shorten retention', 'hold', 'sign links'] as const
export type Forbidden = (typeof FORBIDDEN)[number]

/** `refused`: as it should be. `kept`: a policy of the container forbids it to everybody. `allowed`: too much. `unclear`: no answer that says either. */
export interface Finding {
  readonly outcome: 'refused' | 'kept' | 'allowed' | 'unclear'
  /** The service's words. */
  readonly said: string
}

/** Tries what must be refused, on the object `key`, which is there and which nobody needs. Rejects nothing. */
export async function probeForbidden(
  place: BlobPlace,
  key: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<Forbidden, Finding>> {
  const container = await openContainer(place)
  const abort = signal === undefined ? {} : { abortSignal: signal }
  const blob = container.getBlockBlobClient(key)
  const text = 'overwritten by sallyport doctor'
  const tries: Readonly<Record<Forbidden, () => Promise<unknown>>> = {
    overwrite: () => blob.upload(text, text.length, abort),
    'shorten retention': () => blob.deleteImmutabilityPolicy(abort),
    hold: () => blob.setLegalHold(false, abort),
    'sign links': async () => {
      const account = await openAccount(place)
      await account.getUserDelegationKey(new Date(), new Date(Date.now() + 60_000), abort)
    },
    // Last, as nothing could be tried on what is gone.
    delete: () => blob.delete(abort),
  }
  const findings = new Map<Forbidden, Finding>()
  for (const what of ['overwrite', 'shorten retention', 'hold', 'sign links', 'delete'] as const)
    findings.set(what, await tried(tries[what]))
  return findings
}

async function tried(work: () => Promise<unknown>): Promise<Finding> {
  try {
    await work()
    return { outcome: 'allowed', said: 'done' }
  } catch (error) {
    const { code, status } = refusalOf(error)
    const said = `${status ?? 'no answer'} ${code ?? ''}`.trim()
    if (status === 403) return { outcome: 'refused', said }
    if (status === 409) return { outcome: 'kept', said }
    return { outcome: 'unclear', said }
  }
}

/** By how much this machine's clock is ahead of the service's, ms; its answers tell whole seconds. Undefined where they tell none. */
export async function clockAheadMs(place: BlobPlace, key: string): Promise<number | undefined> {
  const container: ContainerClient = await openContainer(place)
  const before = Date.now()
  const { date } = await container.getBlobClient(key).getProperties()
  const between = (before + Date.now()) / 2
  // The middle of the second that is told.
  return date === undefined ? undefined : Math.round(between - (date.getTime() + 500))
}
