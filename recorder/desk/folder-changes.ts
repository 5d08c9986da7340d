import { type FSWatcher, watch } from 'node:fs'

/** Watches may be lost (overflow) or not exist (network folders), so everybody waiting also looks again this often. */
const POLL_MS = 500

interface Waiter {
  readonly prefix: string
  readonly wake: () => void
}

/** Wakes whoever waits for files of a folder to appear. Watches only while somebody waits, so that it keeps no process alive. */
export class FolderChanges implements Disposable {
  readonly #folder: string
  readonly #waiters = new Set<Waiter>()
  #watcher: FSWatcher | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Resolves when a file whose name starts with `prefix` changed since the call, after POLL_MS or `maxMs`, or when the signal
   * aborts. Spurious wake-ups happen: look again. Call it before looking, so that nothing is missed in between.
   */
  next(prefix: string, signal: AbortSignal, maxMs = POLL_MS): Promise<void> {
    return new Promise((resolve) => {
      const waiter = { prefix, wake: () => done() }
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#waiters.delete(waiter)
        if (this.#waiters.size === 0) this.#stop()
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, Math.min(maxMs, POLL_MS)))
      signal.addEventListener('abort', done, { once: true })
      this.#waiters.add(waiter)
      if (signal.aborted) done()
      else this.#start()
    })
  }

  [Symbol.dispose](): void {
    for (const { wake } of [...this.#waiters]) wake()
    this.#stop()
  }

  #start(): void {
    if (this.#watcher !== undefined) return
    try {
      this.#watcher = watch(this.#folder, (_event, name) => {
        for (const { prefix, wake } of [...this.#waiters]) if (name?.startsWith(prefix) ?? true) wake()
      })
      this.#watcher.on('error', () => this.#stop())
    } catch {
      // No watches left on this machine (inotify limit): the poll alone is slower, not wrong.
      this.#watcher = undefined
    }
  }

  #stop(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
