import { createHash } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import type { BlobPlace } from './places.ts'
import { isFoundKey, isKey, keyError, type Range, type Store } from './store.ts'
import { attempt, BLOB_LIMITS, type BlobLimits } from './store-blob-attempts.ts'
import { type AppendBlobClient, type ContainerClient, openContainer } from './store-blob-client.ts'
import { refusalOf } from './store-blob-errors.ts'
import { Turns } from './turns.ts'

/** One block: what every version of the service takes. */
const MAX_BLOCK_SIZE = 4 << 20
const LIST_PAGE_SIZE = 5_000

export async function openBlobStore(place: BlobPlace, limits?: Partial<BlobLimits>): Promise<BlobStore> {
  return new BlobStore(await openContainer(place), limits)
}

/**
 * A store in a container of Azure Blob Storage. What is appended to is an append blob, what is put a block blob made in one request:
 * for both, and for reading, the rights `blobs/add/action` and `blobs/read` suffice, with which nothing can be overwritten
 * or deleted. One append is under way per object. An answer that is lost is not guessed: the same append is tried again at the
 * same position, and where the service then says that the object is longer, what stands there is read and compared.
 */
export class BlobStore implements Store {
  readonly #container: ContainerClient
  readonly #limits: BlobLimits
  readonly #turns = new Turns()

  constructor(container: ContainerClient, limits: Partial<BlobLimits> = {}) {
    this.#container = container
    this.#limits = { ...BLOB_LIMITS, ...limits }
  }

  async append(key: string, position: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    check(key)
    await this.#turns.take(key, async () => {
      signal?.throwIfAborted()
      const blob = this.#container.getAppendBlobClient(key)
      if (position === 0) await this.#create(key, blob, signal)
      // Nothing is not a block: only the position can be right or wrong.
      if (bytes.length === 0 && (await this.#sizeOrNone(key, signal)) !== position) throw moved(key, position)
      for (let at = 0; at < bytes.length; at += MAX_BLOCK_SIZE) {
        try {
          await this.#appendBlock(key, blob, position + at, bytes.subarray(at, at + MAX_BLOCK_SIZE), signal)
        } catch (error) {
          // Some of it is there: that is no conflict, whose promise is that nothing was written.
          if (at > 0 && isConflict(error))
            throw new ApplianceError('STORE_FAILED', `append to ${key} was overtaken after ${at} bytes`, { cause: error })
          throw error
        }
      }
    })
  }

  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    check(key)
    const blob = this.#container.getBlockBlobClient(key)
    const transactionalContentMD5 = md5(bytes)
    const isThere = await this.#attempt(`put of ${key}`, bytes.length, signal, async (abortSignal) => {
      try {
        await blob.upload(bytes, bytes.length, { conditions: { ifNoneMatch: '*' }, transactionalContentMD5, abortSignal })
        return false
      } catch (error) {
        if (await this.#isTaken(key, error, signal)) return true
        throw error
      }
    })
    // One byte more, so that an object that goes on is told apart from one that ends here.
    if (isThere && !equal(await this.get(key, { from: 0, to: bytes.length + 1 }, signal), bytes))
      throw new ApplianceError('STORE_CONFLICT', `${key} was not written: it exists with other content`)
  }

  async get(key: string, range?: Range, signal?: AbortSignal): Promise<Uint8Array> {
    checkFound(key)
    if (range !== undefined && range.from >= range.to) {
      await this.size(key, signal)
      return new Uint8Array(0)
    }
    const size = range === undefined ? 0 : range.to - range.from
    return this.#attempt(`reading of ${key}`, size, signal, async (abortSignal) => {
      try {
        const blob = this.#container.getBlobClient(key)
        const { readableStreamBody } = await blob.download(range?.from, range === undefined ? undefined : size, {
          abortSignal,
          maxRetryRequests: 0,
        })
        const parts: Uint8Array[] = []
        for await (const part of readableStreamBody ?? []) parts.push(typeof part === 'string' ? Buffer.from(part) : part)
        return Buffer.concat(parts)
      } catch (error) {
        const { code, status } = refusalOf(error)
        // The range begins behind the end, which any range of an empty object does.
        if (status === 416) return new Uint8Array(0)
        throw code === 'BlobNotFound' ? missing(key, error) : error
      }
    })
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '' && !isFoundKey(folder.slice(0, -1))) throw keyError(prefix)
    let continuationToken: string | undefined
    do {
      const page = await this.#attempt(`listing of ${prefix}`, 0, signal, async (abortSignal) => {
        const pages = this.#container.listBlobsFlat({ ...(prefix === '' ? {} : { prefix }), abortSignal })
        const { value } = await pages
          .byPage({ maxPageSize: LIST_PAGE_SIZE, ...(continuationToken === undefined ? {} : { continuationToken }) })
          .next()
        return value
      })
      // What others put there is listed under whatever name, as in a folder: a verification must see it.
      for (const { name } of page.segment.blobItems) if (isFoundKey(name)) yield name
      continuationToken = page.continuationToken === '' ? undefined : page.continuationToken
    } while (continuationToken !== undefined)
  }

  async size(key: string, signal?: AbortSignal): Promise<number> {
    return (await this.#properties(key, signal)).contentLength ?? 0
  }

  async mark(key: string, signal?: AbortSignal): Promise<string> {
    const { etag, createdOn, lastModified } = await this.#properties(key, signal)
    return `${etag} ${createdOn?.toISOString()} ${lastModified?.toISOString()}`
  }

  #properties(key: string, signal: AbortSignal | undefined): ReturnType<AppendBlobClient['getProperties']> {
    checkFound(key)
    return this.#attempt(`reading of ${key}`, 0, signal, async (abortSignal) => {
      try {
        return await this.#container.getBlobClient(key).getProperties({ abortSignal })
      } catch (error) {
        throw refusalOf(error).status === 404 ? missing(key, error) : error
      }
    })
  }

  /** An object that is there already is left to the append: it fits, or its position is wrong. */
  async #create(key: string, blob: AppendBlobClient, signal: AbortSignal | undefined): Promise<void> {
    await this.#attempt(`append to ${key}`, 0, signal, async (abortSignal) => {
      try {
        await blob.create({ conditions: { ifNoneMatch: '*' }, abortSignal })
      } catch (error) {
        if (!(await this.#isTaken(key, error, signal))) throw error
      }
    })
  }

  async #appendBlock(
    key: string,
    blob: AppendBlobClient,
    position: number,
    block: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const transactionalContentMD5 = md5(block)
    await this.#attempt(`append to ${key}`, block.length, signal, async (abortSignal, isOpen) => {
      try {
        const conditions = { appendPosition: position }
        await blob.appendBlock(block, block.length, { conditions, transactionalContentMD5, abortSignal })
      } catch (error) {
        const { code } = refusalOf(error)
        if (code === 'AppendPositionConditionNotMet') {
          const range = { from: position, to: position + block.length }
          // Not whether it ends there: somebody may have gone on after us.
          if (isOpen && equal(await this.get(key, range, signal), block)) return
          throw moved(key, position)
        }
        if (code === 'BlobNotFound')
          throw new ApplianceError(
            'STORE_CONFLICT',
            `${key} was not written: it does not exist, and ${position} bytes were expected`,
          )
        // Put whole, or sealed: nothing can be added to it any more.
        if (code === 'InvalidBlobType' || code === 'BlobIsSealed')
          throw new ApplianceError('STORE_CONFLICT', `${key} was not written: it takes no more (${code})`)
        throw error
      }
    })
  }

  /** Whether a refused creation means that the object exists. Who may only add is told 403 instead of 409 in some of the cases. */
  async #isTaken(key: string, error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const { code, status } = refusalOf(error)
    return code === 'BlobAlreadyExists' || (status === 403 && (await this.#sizeOrNone(key, signal)) !== undefined)
  }

  async #sizeOrNone(key: string, signal: AbortSignal | undefined): Promise<number | undefined> {
    try {
      return await this.size(key, signal)
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
      throw error
    }
  }

  #attempt<T>(
    what: string,
    size: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal, isOpen: boolean) => Promise<T>,
  ): Promise<T> {
    return attempt({ what, size, limits: this.#limits, signal }, work)
  }
}

function checkFound(key: string): void {
  if (!isFoundKey(key)) throw keyError(key)
}

function check(key: string): void {
  if (!isKey(key)) throw keyError(key)
}

/** Over the bytes of one request; the service refuses it when they arrive changed. */
function md5(bytes: Uint8Array): Uint8Array {
  return createHash('md5').update(bytes).digest()
}

function equal(have: Uint8Array, bytes: Uint8Array): boolean {
  return have.length === bytes.length && Buffer.compare(have, bytes) === 0
}

function isConflict(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'STORE_CONFLICT'
}

function moved(key: string, position: number): ApplianceError {
  return new ApplianceError('STORE_CONFLICT', `${key} was not written: its size is not ${position}`)
}

function missing(key: string, cause: unknown): ApplianceError {
  return new ApplianceError('STORE_MISSING', `${key} is not in the store`, { cause })
}
