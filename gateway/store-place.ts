import type { BlobPlace, StorePlace } from '../recorder/index.ts'
import type { Retention } from '../recorder/store/store-blob-evidence.ts'
import type { Config } from '../schemas/config.ts'
import type { BlobStoreConfig } from '../schemas/config-evidence.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Problem } from './config-check.ts'
import { readSecret } from './credentials/upstream.ts'
import { isLoopback, isMetadata } from './hosts.ts'
import { placesIn } from './places.ts'

const DEFAULT_CONTAINER = 'live'
const EVIDENCE_CONTAINER = 'evidence'

/**
 * Where the configured store is. Without `env` the emulator's key, if there is one, is left out: for commands that do not open
 * the store.
 */
export async function storePlaceOf(
  { dataDir, store }: Pick<Config, 'dataDir' | 'store'>,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv | undefined,
): Promise<StorePlace> {
  if (store === undefined) return { folder: placesIn(from(dataDir)).store }
  const [problem] = storeProblems({ store })
  if (problem !== undefined) throw new ApplianceError('CONFIG_INVALID', `${problem.at.join('.')}: ${problem.message}`)
  const { blob } = store
  return {
    blob: { url: accountUrl(blob), container: blob.container ?? DEFAULT_CONTAINER, access: await accessOf(blob, from, env) },
  }
}

/** Where ended tapes are kept. */
export interface EvidencePlace {
  readonly place: BlobPlace
  readonly retention: Retention
}

/** Undefined where tapes stay where they are recorded. */
export async function evidencePlaceOf(
  { store }: Pick<Config, 'store'>,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv | undefined,
): Promise<EvidencePlace | undefined> {
  const blob = store?.blob
  if (blob?.evidence === undefined) return undefined
  const { container, identity, clientId, retainDays, mode, legalHold, tags } = blob.evidence
  const own = identity === undefined && clientId === undefined ? blob : { ...blob.evidence }
  return {
    place: {
      url: accountUrl(blob),
      container: container ?? EVIDENCE_CONTAINER,
      access: await accessOf({ ...own, ...keyOf(blob) }, from, env),
    },
    retention: {
      ...(retainDays === undefined ? {} : { days: retainDays }),
      ...(mode === undefined ? {} : { mode }),
      ...(legalHold === undefined ? {} : { legalHold }),
      ...(tags === undefined ? {} : { tags }),
    },
  }
}

function keyOf({ key }: BlobStoreConfig): Pick<BlobStoreConfig, 'key'> {
  return key === undefined ? {} : { key }
}

async function accessOf(
  { identity, clientId, key }: Pick<BlobStoreConfig, 'identity' | 'clientId' | 'key'>,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv | undefined,
): Promise<BlobPlace['access']> {
  if (key !== undefined) return { key: env === undefined ? '' : await readSecret(key, from, env) }
  return { identity: { kind: identity ?? 'managed', ...(clientId === undefined ? {} : { clientId }) } }
}

export interface NamedTapes {
  readonly place: StorePlace
  readonly session?: string
}

/**
 * The container a URL names, or one session in it: `https://<account>.blob.core.windows.net/<container>`, or with the account in the path as the
 * emulator has it; then perhaps `/tapes/<session>`. `default` credentials: whoever reads evidence by URL is a person or a job with a sign-in of its own.
 */
export function tapesOfUrl(text: string): NamedTapes {
  const url = new URL(text)
  const parts = url.pathname.split('/').filter((part) => part !== '')
  const at = parts.indexOf('tapes')
  const [, session] = at < 0 ? [] : parts.splice(at)
  const container = parts.pop()
  if (container === undefined || parts.length > 1 || url.search !== '')
    throw new ApplianceError('STORE_MISSING', `${url.origin}${url.pathname} names no container: https://<account>/<container>`)
  const access = { identity: { kind: 'default' } } as const
  return {
    place: { blob: { url: [url.origin, ...parts].join('/'), container, access } },
    ...(session === undefined ? {} : { session }),
  }
}

/** One address for one container, however it is written. */
export function containerOf(blob: BlobStoreConfig): string {
  return `${accountUrl(blob).toLowerCase()}/${blob.container ?? DEFAULT_CONTAINER}`
}

function accountUrl({ account, url }: BlobStoreConfig): string {
  return url?.replace(/\/$/, '') ?? `https://${account}.blob.core.windows.net`
}

/** What in a well-formed `store` could not work or must not. */
export function storeProblems({ store }: Pick<Config, 'store'>): Problem[] {
  if (store === undefined) return []
  const { account, url, identity, clientId, key, container = DEFAULT_CONTAINER, evidence } = store.blob
  const problems: Problem[] = []
  const add = (at: string[], message: string): void => void problems.push({ at: ['store', 'blob', ...at], message })
  if ((account === undefined) === (url === undefined)) add([], 'give either account or url')
  if (url !== undefined) {
    const { protocol, hostname } = new URL(url)
    if (isMetadata(hostname)) add(['url'], `${hostname} is the platform's own metadata service: no store`)
    if (protocol === 'http:' && !isLoopback(hostname))
      add(['url'], 'evidence and tokens would go in clear: https, or http on loopback for the emulator')
    if (protocol === 'http:' && key === undefined)
      add(['url'], 'tokens are never sent over http: give https, or the key of the emulator')
    if (key !== undefined && !isLoopback(hostname)) add(['key'], KEY_ONLY_FOR_EMULATOR)
  } else if (key !== undefined) add(['key'], KEY_ONLY_FOR_EMULATOR)
  if (key !== undefined && (identity ?? clientId) !== undefined) add(['key'], 'either key or identity: give one')
  if (evidence !== undefined && (evidence.container ?? EVIDENCE_CONTAINER) === container)
    add(['evidence'], `${container} is where sessions are recorded: evidence is another container, with other rights`)
  if (evidence?.mode !== undefined && evidence.retainDays === undefined)
    add(['evidence', 'mode'], 'means nothing without retainDays')
  return problems
}

const KEY_ONLY_FOR_EMULATOR =
  "an account's key may overwrite and delete everything: only for the emulator on loopback; use identity"
