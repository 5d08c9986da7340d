import { createHash } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import type { BlobPlace } from './places.ts'
import type { Store } from './store.ts'
import { BlobStore } from './store-blob.ts'
import { attempt, BLOB_LIMITS, type BlobLimits } from './store-blob-attempts.ts'
import { type ContainerClient, openContainer } from './store-blob-client.ts'
import { refusalOf } from './store-blob-errors.ts'

/** Read, staged and read back at a time: what a copy needs of memory. */
const BLOCK_SIZE = 4 << 20
const DAY_MS = 86_400_000

/** What protects a copy beyond the policy its container may have. */
export interface Retention {
  /** Kept at least until so many days after the copy; needs version-level immutability on the container. */
  readonly days?: number
  /** `locked` can be made longer and never shorter, by nobody. */
  readonly mode?: 'unlocked' | 'locked'
  readonly legalHold?: boolean
  /** Index tags on every copy, to find it by; needs `blobs/tags/write`. */
  readonly tags?: boolean
}

export interface Copied {
  readonly size: number
  /** Of the whole object, hex. */
  readonly sha256: string
}

export interface CopyOptions {
  /** Written with the copy where the retention asks for tags: at most 10, of any text; what a tag cannot hold becomes `_`. */
  readonly tags?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

export async function openEvidence(place: BlobPlace, retention: Retention = {}, limits?: Partial<BlobLimits>): Promise<Evidence> {
  return new Evidence(await openContainer(place), retention, limits)
}

/**
 * A container of finished objects: block blobs, made once and kept. Making them needs `blobs/write` there, retention
 * `immutableStorage/runAsSuperUser`, holds `containers/write`: rights of whoever seals, none of which the recorder has.
 */
export class Evidence {
  /** The same container, for reading: what is put through it nothing keeps. */
  readonly store: BlobStore
  readonly #container: ContainerClient
  readonly #retention: Retention
  readonly #limits: BlobLimits

  constructor(container: ContainerClient, retention: Retention, limits: Partial<BlobLimits> = {}) {
    this.store = new BlobStore(container, limits)
    this.#container = container
    this.#retention = retention
    this.#limits = { ...BLOB_LIMITS, ...limits }
  }

  /**
   * Copies an object that grows no more, and reads the copy back: length and SHA-256 are those of the original when this
   * resolves. One that is there already is compared as well, and keeps the tags it has; rejects STORE_CONFLICT where it is another.
   */
  async copy(from: Store, key: string, { tags, signal }: CopyOptions = {}): Promise<Copied> {
    const blob = this.#container.getBlockBlobClient(key)
    const size = await from.size(key, signal)
    // Nothing can be staged for what is kept already.
    let isThere = await this.#isThere(key, signal)
    const hash = createHash('sha256')
    const ids: string[] = []
    for (let at = 0; at < size; at += BLOCK_SIZE) {
      const block = await from.get(key, { from: at, to: Math.min(at + BLOCK_SIZE, size) }, signal)
      hash.update(block)
      if (isThere) continue
      const id = Buffer.from(String(ids.length).padStart(8, '0')).toString('base64')
      const transactionalContentMD5 = createHash('md5').update(block).digest()
      isThere = await this.#made(key, block.length, signal, (abortSignal) =>
        blob.stageBlock(id, block, block.length, { transactionalContentMD5, abortSignal }),
      )
      ids.push(id)
    }
    const sha256 = hash.digest('hex')
    const conditions = { ifNoneMatch: '*' }
    if (!isThere)
      await this.#made(key, 0, signal, (abortSignal) =>
        blob.commitBlockList(ids, {
          conditions,
          metadata: { sha256 },
          ...this.#protection(),
          ...this.#tagged(tags),
          abortSignal,
        }),
      )
    return this.#compared(key, { size, sha256 }, signal)
  }

  /**
   * Makes an object of these bytes, compared as a copy is, and kept a day longer, so that what is put daily is kept as long as what is copied. One that is there
   * is kept as long as one that is made now.
   */
  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Copied> {
    const blob = this.#container.getBlockBlobClient(key)
    const transactionalContentMD5 = createHash('md5').update(bytes).digest()
    const conditions = { ifNoneMatch: '*' }
    const isThere = await this.#made(key, bytes.length, signal, (abortSignal) =>
      blob.upload(bytes, bytes.length, { conditions, transactionalContentMD5, ...this.#protection(1), abortSignal }),
    )
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const put = await this.#compared(key, { size: bytes.length, sha256 }, signal)
    if (isThere) await this.#extend(key, signal)
    return put
  }

  /** Length and SHA-256 of what is in the container, by reading it. */
  async digest(key: string, signal?: AbortSignal): Promise<Copied> {
    const hash = createHash('sha256')
    const size = await this.store.size(key, signal)
    for (let at = 0; at < size; at += BLOCK_SIZE)
      hash.update(await this.store.get(key, { from: at, to: at + BLOCK_SIZE }, signal))
    return { size, sha256: hash.digest('hex') }
  }

  /** Every copy is under legal hold, whatever the ledger says of its session. */
  get holdsAll(): boolean {
    return this.#retention.legalHold === true
  }

  /** Puts an object under legal hold, or takes it away. */
  async hold(key: string, on: boolean, signal?: AbortSignal): Promise<void> {
    await this.#attempt(`legal hold of ${key}`, 0, signal, (abortSignal) =>
      this.#container.getBlobClient(key).setLegalHold(on, { abortSignal }),
    )
  }

  /** Keeps an object until then; a locked policy is only ever made longer. */
  async retain(key: string, until: Date, mode: 'unlocked' | 'locked', signal?: AbortSignal): Promise<void> {
    await this.#attempt(`retention of ${key}`, 0, signal, (abortSignal) =>
      this.#container
        .getBlobClient(key)
        .setImmutabilityPolicy({ expiriesOn: until, policyMode: POLICY_MODES[mode] }, { abortSignal }),
    )
  }

  async #extend(key: string, signal: AbortSignal | undefined): Promise<void> {
    const { expiriesOn: until } = this.#protection(1).immutabilityPolicy ?? {}
    if (until === undefined) return
    const { immutabilityPolicyExpiresOn: kept } = await this.#attempt(`retention of ${key}`, 0, signal, (abortSignal) =>
      this.#container.getBlobClient(key).getProperties({ abortSignal }),
    )
    if (kept === undefined || kept < until) await this.retain(key, until, this.#retention.mode ?? 'unlocked', signal)
  }

  async #compared(key: string, wanted: Copied, signal: AbortSignal | undefined): Promise<Copied> {
    const have = await this.digest(key, signal)
    if (have.size !== wanted.size || have.sha256 !== wanted.sha256)
      throw new ApplianceError('STORE_CONFLICT', `the copy of ${key} is another: ${have.size} bytes, SHA-256 ${have.sha256}`)
    return have
  }

  async #isThere(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.store.size(key, signal)
      return true
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return false
      throw error
    }
  }

  /** True where the object turns out to be there: somebody's, or ours with its answer lost. What is in it decides. */
  #made(
    key: string,
    size: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    return this.#attempt(`copy of ${key}`, size, signal, async (abortSignal) => {
      try {
        await work(abortSignal)
        return false
      } catch (error) {
        const { code } = refusalOf(error)
        if (code === 'BlobAlreadyExists' || code?.startsWith('BlobImmutable') === true) return true
        throw error
      }
    })
  }

  #protection(moreDays = 0) {
    const { days, mode = 'unlocked', legalHold } = this.#retention
    return {
      ...(days === undefined
        ? {}
        : {
            immutabilityPolicy: { expiriesOn: new Date(Date.now() + (days + moreDays) * DAY_MS), policyMode: POLICY_MODES[mode] },
          }),
      ...(legalHold === true ? { legalHold } : {}),
    }
  }

  #tagged(tags: Readonly<Record<string, string>> | undefined) {
    if (tags === undefined || this.#retention.tags !== true) return {}
    return { tags: Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, tagOf(value)])) }
  }

  #attempt<T>(
    what: string,
    size: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return attempt({ what, size, limits: this.#limits, signal }, work)
  }
}

const POLICY_MODES = { unlocked: 'Unlocked', locked: 'Locked' } as const

/** Letters, digits and `space + - . / : = _`, at most 256: what a tag's value may be. */
function tagOf(text: string): string {
  return text.slice(0, 256).replace(/[^A-Za-z0-9 +\-./:=_]/g, '_')
}
