import { Worker } from 'node:worker_threads'
import { GenerationCache } from '../../policy/sql/cache.ts'
import { isUnread, learnFacts, type SqlFacts } from '../../policy/sql/facts.ts'
import type { MadeOf } from './conversions.ts'
import type { CopyPlan } from './copy-plan.ts'

/** Everything anybody asks of a large text: its grammar is run once. */
export interface Reading {
  readonly facts: SqlFacts
  /** See conversions.ts and copy-plan.ts. */
  readonly made: MadeOf
  readonly plan: CopyPlan | undefined
}

/** Two, so that one text that takes its whole time does not keep all others waiting. Each costs about 40 MB once it has read something. */
const MAX_THREADS = 2
/** The largest text takes a third of a second of CPU, the start of a thread another; beyond this the machine, or the text, is not as it should be. */
const TIMEOUT_MS = 30_000
/** Texts that wait, 256 KiB each at most. A session has one at a time. */
const MAX_WAITING = 256

interface Job {
  readonly sql: string
  readonly done: () => void
}

/** What is known of large texts beside their facts. */
const known = new GenerationCache<Omit<Reading, 'facts'>>(512, 32 * 1024 * 1024)

/** Reads large texts in threads of their own. One per process; `thread` is replaced in tests. */
export class SqlThreads {
  readonly #waiting: Job[] = []
  readonly #idle: Worker[] = []
  readonly #thread: () => Worker
  readonly #timeoutMs: number
  #count = 0

  constructor(
    thread: () => Worker = () => new Worker(new URL('./sql-thread.ts', import.meta.url)),
    timeoutMs: number = TIMEOUT_MS,
  ) {
    this.#thread = thread
    this.#timeoutMs = timeoutMs
  }

  /**
   * Resolves once the facts of this text are known to sqlFacts. Never rejects: a text that cannot be read in time, or for which
   * there is no room, is known as unreadable.
   */
  read(sql: string): Promise<void> {
    if (!isUnread(sql)) return Promise.resolve()
    if (this.#waiting.length >= MAX_WAITING) {
      learn(sql, undefined)
      return Promise.resolve()
    }
    return new Promise((done) => {
      this.#waiting.push({ sql, done })
      this.#next()
    })
  }

  #next(): void {
    const job = this.#waiting[0]
    if (job === undefined) return
    let worker = this.#idle.pop()
    if (worker === undefined && this.#count >= MAX_THREADS) return
    this.#waiting.shift()
    if (worker === undefined) {
      worker = this.#thread()
      this.#count++
    }
    this.#run(worker, job)
  }

  #run(worker: Worker, { sql, done }: Job): void {
    const over = (reading: Reading | undefined): void => {
      clearTimeout(timer)
      worker.off('message', over).off('error', failed).off('exit', failed)
      if (reading === undefined) {
        // Whatever it is still at, it is not waited for.
        this.#count--
        worker.on('error', () => undefined)
        void worker.terminate()
      } else {
        worker.unref()
        this.#idle.push(worker)
      }
      learn(sql, reading)
      done()
      this.#next()
    }
    const failed = (): void => over(undefined)
    const timer = setTimeout(failed, this.#timeoutMs)
    worker.on('message', over).on('error', failed).on('exit', failed)
    worker.ref()
    worker.postMessage(sql)
  }
}

function learn(sql: string, reading: Reading | undefined): void {
  learnFacts(sql, reading?.facts)
  if (reading !== undefined) known.set(sql, { made: reading.made, plan: reading.plan })
}

/** What a large text was found to be, besides its facts; undefined where it was not read, or so long ago that it is forgotten. */
export function readingOf(sql: string): Omit<Reading, 'facts'> | undefined {
  return known.get(sql)
}

/** The threads of this process. */
export const sqlThreads = new SqlThreads()
