import type { Field } from '../../message.ts'
import { MAX_NAME_SIZE } from './named.ts'

/** Remembered of one body at most: its sender chooses its keys. */
const MAX_KEYS = 1024

/** A key a body has had: source[from, to). */
export interface KnownKey {
  readonly from: number
  readonly to: number
  /** Nothing in it has to be masked. */
  readonly clean: boolean
  /** Of its value, where it stands in what has the field `inside`; undefined until it was asked for. */
  field: Field | undefined
  inside: Field | undefined
  /** What came behind it the last time. */
  next: KnownKey | undefined
}

/**
 * The keys of one body. Rows repeat a few of them in one order: what is known of a key is looked up once, and found again by comparing it with the one
 * that is due.
 */
export class JsonKeys {
  readonly #source: Uint8Array
  readonly #isClean: (from: number, to: number) => boolean
  readonly #known = new Map<number, KnownKey>()
  #last: KnownKey | undefined

  constructor(source: Uint8Array, isClean: (from: number, to: number) => boolean) {
    this.#source = source
    this.#isClean = isClean
  }

  /** Undefined for one too long to be a name, and for one whose place another has. */
  find(from: number, to: number): KnownKey | undefined {
    if (to - from > MAX_NAME_SIZE) return undefined
    const due = this.#last?.next
    if (due !== undefined && this.#isSame(due, from, to)) {
      this.#last = due
      return due
    }
    const found = this.#lookUp(from, to)
    if (this.#last !== undefined && found !== undefined) this.#last.next = found
    this.#last = found
    return found
  }

  #lookUp(from: number, to: number): KnownKey | undefined {
    const source = this.#source
    let hash = to - from
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (source[i] as number)) | 0 // from <= i < to
    const place = (hash ^ (hash >>> 12)) & (MAX_KEYS - 1)
    const known = this.#known.get(place)
    // Nobody is replaced: what is pointed to as `next` would be kept as well, without a limit.
    if (known !== undefined) return this.#isSame(known, from, to) ? known : undefined
    const made = { from, to, clean: this.#isClean(from, to), field: undefined, inside: undefined, next: undefined }
    this.#known.set(place, made)
    return made
  }

  #isSame(key: KnownKey, from: number, to: number): boolean {
    let at = key.from
    if (key.to - at !== to - from) return false
    const source = this.#source
    for (let i = from; i < to; i++, at++) if (source[i] !== source[at]) return false
    return true
  }
}
