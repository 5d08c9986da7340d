import { Worker } from 'node:worker_threads'
import type { Database, Queries } from './database.ts'
import { endedInTime } from './timed.ts'

/** `values` as PGlite takes them; without them several statements, of which nothing is told. */
export interface FilesQuestion {
  readonly id: number
  /** Statements that go before it; where one fails it is not asked. */
  readonly behind?: string | undefined
  readonly sql: string
  readonly values: readonly unknown[] | undefined
}

export interface FilesThreadData {
  readonly folder: string
  /** One byte: 1 while nobody waits for what runs. Memory of both threads, as a statement that runs hears no message. */
  readonly left: SharedArrayBuffer
}

export type FromFiles =
  | { readonly kind: 'open' }
  | { readonly kind: 'rows'; readonly id: number; readonly rows: readonly unknown[] }
  | { readonly kind: 'failure'; readonly id: number; readonly error: FilesFailure }

/** Of PostgreSQL's error what its receiver tells apart. */
export interface FilesFailure {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
}

/** Never an id of a question. */
export const CLOSE = 0

/** Of one question: a week looked through for findings, a month dropped or a checkpoint in between take minutes. On a full disk PGlite never answers. */
const MAX_ANSWER_MS = 900_000

interface Waiting {
  readonly clock: NodeJS.Timeout | undefined
  readonly resolve: (rows: readonly unknown[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * PGlite, in a thread of its own: while it writes what was read, the next is read and described. It does one thing at a time, in the order
 * in which it is asked; a transaction is one thing. Where the thread dies, whoever opened it does; from `limitAnswers` on it does where a question
 * is not answered for a quarter of an hour.
 */
export async function openFiles(folder: string): Promise<Database & { limitAnswers(): void }> {
  const left = new SharedArrayBuffer(1)
  const thread = await FilesThread.open({ folder, left })
  const asking = (behind?: () => string | undefined): Queries => ({
    // As the statement selects: whoever asks says what that is.
    query: async <T>(sql: string, values: unknown[] = []) => ({ rows: (await thread.ask(sql, values, behind?.())) as T[] }),
    exec: (sql) => thread.ask(sql, undefined, behind?.()),
  })
  const outside = asking()
  const transaction: Database['transaction'] = (work, settings = '') =>
    thread.alone(async () => {
      // It begins with its first question: each word between the threads is a wait for both.
      let begin: string | undefined = `begin; ${settings}`
      const inside = asking(() => {
        const first = begin
        begin = undefined
        return first
      })
      try {
        const result = await work(inside)
        if (begin === undefined) await outside.exec('commit')
        return result
      } catch (error) {
        if (begin === undefined) await outside.exec('rollback').catch(() => undefined)
        throw error
      }
    })
  return {
    query: (sql, values) => thread.alone(() => outside.query(sql, values)),
    exec: (sql) => thread.alone(() => outside.exec(sql)),
    transaction,
    timed: (ms, work, { gone, settings } = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof work>>>()
      transaction(async (each) => {
        gone?.throwIfAborted()
        const flag = new Uint8Array(left)
        const leave = (): void => void Atomics.store(flag, 0, 1)
        gone?.addEventListener('abort', leave, { once: true })
        try {
          const until = Date.now() + ms
          // What was read is told before the transaction's end is.
          resolve(await work(each, (column) => `pg_temp.in_time(${until}, ${column})`))
        } finally {
          gone?.removeEventListener('abort', leave)
          Atomics.store(flag, 0, 0)
        }
      }, settings).catch(reject)
      return endedInTime(promise, gone)
    },
    close: () => thread.alone(() => thread.close()),
    limitAnswers: () => thread.limitAnswers(),
  }
}

class FilesThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #last = CLOSE
  /** Resolves once the thread has nothing more to do that was asked before; never rejects. */
  #free: Promise<unknown> = Promise.resolve()
  #closed = false
  #limited = false
  /** Why the thread ended, where it said so. */
  #cause: unknown

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Rejects what PGlite rejects: the files cannot be opened. */
  static async open(data: FilesThreadData): Promise<FilesThread> {
    const worker = new Worker(new URL('./database-files-thread.ts', import.meta.url), { workerData: data })
    const opened = Promise.withResolvers<void>()
    worker.once('error', opened.reject).once('exit', () => opened.reject(new Error('the thread of the files ended')))
    worker.once('message', () => opened.resolve())
    await opened.promise
    const thread = new FilesThread(worker)
    worker
      .on('message', (message: FromFiles) => thread.#heard(message))
      .once('error', (error) => {
        thread.#cause = error
      })
      .once('exit', () => thread.#over())
    return thread
  }

  /** Runs when nothing else does. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#free.then(work)
    this.#free = done.catch(() => undefined)
    return done
  }

  ask(sql: string, values: readonly unknown[] | undefined, behind: string | undefined): Promise<readonly unknown[]> {
    this.#last += 1
    return this.#ask({ id: this.#last, behind, sql, values })
  }

  limitAnswers(): void {
    this.#limited = true
  }

  async close(): Promise<void> {
    if (this.#closed) return
    try {
      await this.#ask({ id: CLOSE, sql: '', values: undefined })
    } finally {
      this.#closed = true
      await this.#worker.terminate()
    }
  }

  #ask(question: FilesQuestion): Promise<readonly unknown[]> {
    if (this.#closed) return Promise.reject(new Error('the files are closed'))
    return new Promise((resolve, reject) => {
      const clock = this.#limited ? setTimeout(() => this.#giveUp(), MAX_ANSWER_MS).unref() : undefined
      this.#waiting.set(question.id, { resolve, reject, clock })
      this.#worker.postMessage(question)
    })
  }

  #heard(message: FromFiles): void {
    if (message.kind === 'open') return
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    clearTimeout(waiting?.clock)
    if (message.kind === 'rows') waiting?.resolve(message.rows)
    else {
      const { message: what, name, code } = message.error
      waiting?.reject(Object.assign(new Error(what), { name, code }))
    }
  }

  #giveUp(): void {
    this.#cause = Object.assign(new Error('a question was not answered'), { code: 'ETIMEDOUT' })
    void this.#worker.terminate()
  }

  #over(): void {
    const closed = this.#closed
    this.#closed = true
    const ended = new Error('the thread of the files ended', { cause: this.#cause })
    for (const { reject, clock } of this.#waiting.values()) {
      clearTimeout(clock)
      reject(ended)
    }
    this.#waiting.clear()
    // As an error nobody handles: this thread ends with it, and both are started again.
    if (!closed) throw ended
  }
}
