import type { BlobPlace } from './places.ts'
import { type ContainerClient, openAccount, openContainer } from './store-blob-client.ts'
import { refusalOf, storeError } from './store-blob-errors.ts'

/** What whoever records must not be able to do, each tried on an object of its own. */
export const FORBIDDEN = ['overwrite', 'delete', 'shorten retention', 'hold', 'sign links', 'read as nobody'] as const
const ANONYMOUS_TIMEOUT_MS = 15_000
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
    'read as nobody': async () => {
      const answer = await fetch(blob.url, { redirect: 'error', signal: signal ?? AbortSignal.timeout(ANONYMOUS_TIMEOUT_MS) })
      await answer.body?.cancel()
      // Of what may not be seen it is said, too, that it is not there (404), or that the account shows nothing to anybody (409 PublicAccessNotPermitted).
      const refused = [401, 403, 404, 409].includes(answer.status)
      if (!answer.ok) throw Object.assign(new Error('refused'), { statusCode: refused ? 403 : answer.status })
    },
    // Last, as nothing could be tried on what is gone.
    delete: () => blob.delete(abort),
  }
  const findings = new Map<Forbidden, Finding>()
  for (const what of ['overwrite', 'shorten retention', 'hold', 'sign links', 'read as nobody', 'delete'] as const)
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
    if (status === 403 || (status === 401 && code === undefined)) return { outcome: 'refused', said }
    // BlobImmutableDueToPolicy, BlobImmutableDueToLegalHold: another conflict forbids nothing.
    if (status === 409 && code?.startsWith('BlobImmutable') === true) return { outcome: 'kept', said }
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

/** What protects the objects of a container. */
export interface Protection {
  /** Versions are kept, and may have policies and holds: version-level immutability. Undefined where the identity may not ask (`containers/read`). */
  readonly versions: boolean | undefined
  /** A policy or hold of the whole container. */
  readonly whole: boolean
}

/** How a container protects what is in it. Rejects as the SDK does where it cannot be asked. */
export async function protectionOf(place: BlobPlace): Promise<Protection> {
  const container = await openContainer(place)
  try {
    const found = await container.getProperties()
    return {
      versions: found.isImmutableStorageWithVersioningEnabled === true,
      whole: found.hasImmutabilityPolicy === true || found.hasLegalHold === true,
    }
  } catch (error) {
    if (refusalOf(error).status !== 403) throw storeError(error, `looking at the container ${place.container}`)
    return { versions: undefined, whole: false }
  }
}

/** Until when an object is kept, in words; undefined: nothing keeps it. */
export async function keptUntil(place: BlobPlace, key: string): Promise<string | undefined> {
  const { immutabilityPolicyExpiresOn: until, legalHold } = await (await openContainer(place)).getBlobClient(key).getProperties()
  if (legalHold === true) return 'a legal hold ends'
  return until !== undefined && until.getTime() > Date.now() ? until.toISOString() : undefined
}
