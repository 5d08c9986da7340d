import { ledgerKeys, MAX_LINE_SIZE, parseLine, type SignedEntry } from '../../schemas/verify/ledger-line.ts'
import type { Store } from '../store/store.ts'

/** Read at once: a few thousand entries. */
const WINDOW_SIZE = 1 << 20
const NEWLINE = 0x0a

/** Where a line ends that has been read; what is before it has not. */
export interface Place {
  readonly object: number
  readonly offset: number
}

export interface EntryBack {
  readonly entry: SignedEntry
  /** Where the line begins: to read on from there. */
  readonly place: Place
}

/**
 * Entries of a ledger from the end, or from a place, to its beginning; what is no entry is passed over, and nothing is verified. Windows overlap by
 * the longest line, so that each line is seen whole once.
 */
export async function* entriesBack(
  store: Pick<Store, 'list' | 'get' | 'size'>,
  from?: Place,
  signal?: AbortSignal,
): AsyncGenerator<EntryBack> {
  let object = from?.object ?? (await lastObject(store, signal))
  let end = from?.offset ?? (object < 0 ? 0 : await store.size(ledgerKeys.sequence(object), signal))
  for (; object >= 0; object -= 1) {
    while (end > 0) {
      const begin = Math.max(0, end - WINDOW_SIZE)
      const bytes = await store.get(ledgerKeys.sequence(object), { from: begin, to: end }, signal)
      const first = begin === 0 ? 0 : bytes.indexOf(NEWLINE) + 1
      // No line is that long: what stands there counts for nobody.
      const cut = first === 0 && begin > 0 ? Math.max(0, bytes.length - MAX_LINE_SIZE) : first
      let to = bytes.length
      while (to > cut) {
        const at = bytes.lastIndexOf(NEWLINE, to - 2) + 1
        const start = Math.max(at, cut)
        const entry = parseLine(bytes.subarray(start, bytes[to - 1] === NEWLINE ? to - 1 : to))
        to = start
        if (entry !== undefined) yield { entry, place: { object, offset: begin + start } }
      }
      end = begin + cut
      if (cut >= bytes.length) end = begin
    }
    if (object > 0) end = await store.size(ledgerKeys.sequence(object - 1), signal)
  }
}

async function lastObject(store: Pick<Store, 'list'>, signal: AbortSignal | undefined): Promise<number> {
  let last = -1
  for await (const key of store.list(ledgerKeys.sequencePrefix, signal)) {
    const number = key.slice(ledgerKeys.sequencePrefix.length)
    if (/^\d{4,9}$/.test(number)) last = Math.max(last, Number(number))
  }
  return last
}
