import { tokensOf } from '../../recorder/azure/identity.ts'
import { type BlobPlace, openStore, type Store, type StorePlace } from '../../recorder/index.ts'
import type { Finding, Forbidden } from '../../recorder/store/store-blob-rights.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type Check, checked } from './check.ts'

const STORAGE_SCOPE = 'https://storage.azure.com/.default'
/** Beyond this, times on tapes tell another story than the store's own. */
const CLOCK_WARN_MS = 2_000
/** Tokens and signed links are refused around here. */
const CLOCK_FAIL_MS = 60_000
/** Rights that `blobs/read` and `blobs/add/action` leave out, and what each would be good for. */
const EXCESS: Readonly<Record<Forbidden, string>> = {
  overwrite: 'recordings can be overwritten: take `blobs/write` away (Storage Blob Data Contributor has it)',
  delete: 'recordings can be deleted: take `blobs/delete` away',
  'shorten retention': 'retention can be shortened: take `immutableStorage/runAsSuperUser` away',
  hold: 'legal holds can be lifted: take `containers/write` away; holds belong to somebody who does not record',
  'read as nobody': 'anybody who knows the address can read recordings: turn public access off for the account',
  'sign links': 'links that outlive this identity can be signed: take `generateUserDelegationKey` away',
}

/** Whether the store takes what is recorded, gives it back, and takes nothing else. */
export async function checkStore(place: StorePlace, gateway: string, now = new Date()): Promise<readonly Check[]> {
  const store = await openStore(place)
  const log = `doctor/${gateway}-${now.toISOString().slice(0, 7)}.log`
  const token = 'blob' in place && 'identity' in place.blob.access ? [await checkToken(place.blob.access.identity)] : []
  if (token.some(({ status }) => status === 'failed')) return token
  const inFolder = 'folder' in place ? `let the gateway's user read and write ${place.folder}` : undefined
  const append = await checkAppend(store, log, inFolder, `${now.toISOString()} ${gateway} sallyport doctor\n`)
  const list = await checked(
    'store list',
    async () => {
      for await (const _key of store.list('tapes/')) break
      return { status: 'ok', seen: 'can be listed' }
    },
    inFolder ?? missing('`blobs/read`'),
  )
  if ('folder' in place) return [append, list]
  const clock = append.status === 'ok' ? [await checkClock(place.blob, log)] : []
  return [...token, append, list, ...clock, ...(await checkForbidden(store, place.blob, `doctor/${gateway}-canary`))]
}

async function checkToken(identity: Parameters<typeof tokensOf>[0]): Promise<Check> {
  return checked(
    'token',
    async () => {
      const { expiresOnTimestamp } = await (await tokensOf(identity)).getToken(STORAGE_SCOPE)
      const minutes = Math.round((expiresOnTimestamp - Date.now()) / 60_000)
      return { status: 'ok', seen: `for ${STORAGE_SCOPE}, ${minutes} minutes to go` }
    },
    'assign the identity to this machine, and name a user-assigned one by clientId',
  )
}

/** Appends a line to the month's log and reads it back; that line stays, as nothing can be deleted. */
function checkAppend(store: Store, key: string, cure: string | undefined, line: string): Promise<Check> {
  return checked(
    'store append',
    async () => {
      const bytes = Buffer.from(line)
      const size = await sizeOf(store, key)
      const start = performance.now()
      await store.append(key, size, bytes)
      const ms = Math.round(performance.now() - start)
      const have = await store.get(key, { from: size, to: size + bytes.length })
      if (Buffer.compare(have, bytes) !== 0) return { status: 'failed', seen: `${key}: read back other bytes than were appended` }
      return { status: 'ok', seen: `${bytes.length} bytes to ${key} in ${ms} ms, and read back` }
    },
    cure ?? missing('`blobs/read` and `blobs/add/action`'),
  )
}

/** Anything but a refusal is no matter of rights: what was seen says what to do, where that is known. */
function missing(rights: string): (error: unknown) => string | undefined {
  return (error) =>
    error instanceof ApplianceError && error.code === 'STORE_DENIED' ? `give the identity ${rights} on the container` : undefined
}

async function sizeOf(store: Store, key: string): Promise<number> {
  try {
    return await store.size(key)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return 0
    throw error
  }
}

function checkClock(place: BlobPlace, key: string): Promise<Check> {
  return checked('clock', async () => {
    const { clockAheadMs } = await import('../../recorder/store/store-blob-rights.ts')
    const ms = await clockAheadMs(place, key)
    if (ms === undefined) return { status: 'skipped', seen: 'the store tells no time' }
    const seen = `${(Math.abs(ms) / 1000).toFixed(1)} s ${ms < 0 ? 'behind' : 'ahead of'} the store's, to a second or so`
    const off = Math.abs(ms)
    if (off <= CLOCK_WARN_MS) return { status: 'ok', seen }
    return { status: off > CLOCK_FAIL_MS ? 'failed' : 'warning', seen, cure: 'set the clock of this machine (NTP)' }
  })
}

/** Tries what must not go, on an object made for it. With a key instead of an identity everything goes: said once. */
async function checkForbidden(store: Store, place: BlobPlace, canary: string): Promise<readonly Check[]> {
  if ('key' in place.access)
    return [
      {
        what: 'rights',
        status: 'excess',
        seen: 'the account key may do everything',
        cure: 'use an identity; the key is for the emulator',
      },
    ]
  const made = await checked('canary', async () => {
    try {
      await store.put(canary, Buffer.from('made by sallyport doctor to see what is refused'))
    } catch (error) {
      // Of an earlier run under broader rights, which overwrote it.
      if (!(error instanceof ApplianceError && error.code === 'STORE_CONFLICT')) throw error
    }
    return { status: 'ok', seen: `${canary} is there` }
  })
  if (made.status === 'failed') return [made]
  const { probeForbidden } = await import('../../recorder/store/store-blob-rights.ts')
  return [...(await probeForbidden(place, canary))].map(([what, finding]) => checkOf(what, finding))
}

function checkOf(right: Forbidden, { outcome, said }: Finding): Check {
  const what = `rights: ${right}`
  switch (outcome) {
    case 'refused':
      return { what, status: 'ok', seen: `refused (${said})` }
    case 'kept':
      return { what, status: 'ok', seen: `forbidden to everybody by the container's policy (${said})` }
    case 'allowed':
      return { what, status: 'excess', seen: `allowed (${said})`, cure: EXCESS[right] }
    case 'unclear':
      // Every store has an answer to these two. Immutability and links some have never heard of.
      if (right === 'overwrite' || right === 'delete')
        return {
          what,
          status: 'failed',
          seen: `the store does not say (${said})`,
          cure: 'whether it is refused is not known: try again',
        }
      return { what, status: 'skipped', seen: `the store does not say (${said})` }
    default:
      return outcome satisfies never
  }
}
