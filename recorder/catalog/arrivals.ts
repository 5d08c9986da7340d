import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderChanges } from '../desk/folder-changes.ts'
import { codeOf } from '../files.ts'
import { openStore } from '../store/open-store.ts'
import type { StorePlace } from '../store/places.ts'
import type { Store } from '../store/store.ts'

/** How often what is looked at; a look at a container is a request that is paid for. */
interface Pace {
  /** Tapes that run. A chunk is closed after 750 ms, so this is what the page is behind on top of that. */
  readonly livePollMs: number
  /** A tape nothing was added to is looked at less and less often, down to this: ten thousand idle sessions must cost little. */
  readonly maxIdlePollMs: number
  /** The list of tapes. */
  readonly discoverMs: number
}

/** Which tapes there are in a store, and when there may be more. */
export interface Arrivals extends Disposable {
  readonly pace: Pace
  /** The ids of all sessions with a tape, in no order. */
  ids(): Promise<readonly string[]>
  /** Waits for new ones, but no longer than `pace.livePollMs`; whether there may be any. */
  wait(stop: AbortSignal): Promise<boolean>
}

export interface TapesAt {
  readonly store: Store
  readonly arrivals: Arrivals
}

export async function openTapes(place: StorePlace): Promise<TapesAt> {
  const store = await openStore(place)
  return { store, arrivals: 'folder' in place ? new FolderArrivals(join(place.folder, 'tapes')) : new StoreArrivals(store) }
}

/** Watches; a watch may be lost, so the folder is also read now and then. */
class FolderArrivals implements Arrivals {
  readonly pace: Pace = { livePollMs: 250, maxIdlePollMs: 2_000, discoverMs: 5_000 }
  readonly #tapes: string
  readonly #changes: FolderChanges
  #changedMs = 0

  constructor(tapes: string) {
    this.#tapes = tapes
    this.#changes = new FolderChanges(tapes)
  }

  async ids(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#tapes)).filter((name) => !name.startsWith('.'))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  async wait(stop: AbortSignal): Promise<boolean> {
    await this.#changes.next('', stop, this.pace.livePollMs)
    if (stop.aborted) return false
    const changedMs = await changedAt(this.#tapes)
    const changed = changedMs !== this.#changedMs
    this.#changedMs = changedMs
    return changed
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]()
  }
}

/** Lists; there is nothing to watch. */
class StoreArrivals implements Arrivals {
  readonly pace: Pace = { livePollMs: 1_000, maxIdlePollMs: 30_000, discoverMs: 10_000 }
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async ids(): Promise<readonly string[]> {
    const ids = new Set<string>()
    for await (const key of this.#store.list('tapes/')) {
      const [, id, name] = key.split('/')
      if (id !== undefined && name !== undefined) ids.add(id)
    }
    return [...ids]
  }

  async wait(stop: AbortSignal): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, this.pace.livePollMs)
      stop.addEventListener('abort', done, { once: true })
      if (stop.aborted) done()
    })
    return false
  }

  [Symbol.dispose](): void {}
}

/** 0 where there is no such folder yet. */
async function changedAt(folder: string): Promise<number> {
  try {
    return (await stat(folder)).mtimeMs
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0
    throw error
  }
}
