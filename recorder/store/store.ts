import { sep } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'

/** Bytes [from, to); `to` beyond the end means to the end. */
export interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Objects under keys like `tapes/<session>/0000.tape`, written once: no delete, no overwrite (removal is a separate,
 * ledgered act of retention). A key is 1 to 1,024 characters, `/`-separated parts of `A-Z a-z 0-9 . _ -`; no part begins with a dot (those names are the stores' own).
 * A folder or container that others put something into also lists and reads that, under whatever name it has.
 *
 * When a write rejects STORE_FAILED its outcome is open: nothing, a part (append) or all of it may have been done.
 * Whoever retries reads back and compares. Concurrent calls are safe, from any number of processes.
 */
export interface Store {
  /**
   * Adds `bytes` to the object's end; position 0 creates it. Durable when it resolves.
   * Rejects STORE_CONFLICT, having written nothing, when the object's size is not `position`: the compare-and-swap.
   */
  append(key: string, position: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  /** Creates the object whole: no reader ever sees a part. Durable when it resolves. The same bytes again succeed, others reject STORE_CONFLICT. */
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  /** The object, or the part of the range it has (possibly none). Rejects STORE_MISSING where there is no such object. */
  get(key: string, range?: Range, signal?: AbortSignal): Promise<Uint8Array>
  /** Keys that begin with `prefix`, sorted by code unit. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<string>
  /** Size in bytes. Rejects STORE_MISSING. */
  size(key: string, signal?: AbortSignal): Promise<number>
  /** Where objects have one: what the store gave this one when it was written, and no copy of it in another store has. Rejects STORE_MISSING. */
  mark?(key: string, signal?: AbortSignal): Promise<string>
  /** Of a store in a folder: which. */
  readonly folder?: string
}

/** What is read alone: a store, or what lies like one. */
export type MarkedSource = Pick<Store, 'get' | 'list' | 'size' | 'mark' | 'folder'>

/** Longest key: Azure's limit for blob names. */
const MAX_KEY_SIZE = 1024
const KEY_PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/** Whether `key` is one a store takes. */
export function isKey(key: string): boolean {
  return key.length <= MAX_KEY_SIZE && key.split('/').every((part) => KEY_PART.test(part))
}

/** Names a store keeps to itself: locks and unfinished objects begin with a dot, keys never do. */
export const OWN_PREFIX = '.'

/** Whether something may be found and read under this name, though never written: every part is a plain name that is not the store's own, so that a path ends within its folder. */
export function isFoundKey(key: string): boolean {
  return key
    .split('/')
    .every((part) => part !== '' && !part.startsWith(OWN_PREFIX) && !part.includes(sep) && !part.includes('\0'))
}

export function keyError(key: string): ApplianceError {
  return new ApplianceError(
    'STORE_FAILED',
    `'${key.slice(0, 80)}' is not a key: parts of A-Z a-z 0-9 . _ - that do not begin with a dot`,
  )
}
