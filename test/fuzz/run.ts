import { Worker } from 'node:worker_threads'
import { MAX_INPUT_SIZE } from './mutate.ts'

/** An input on which nothing happens for so long never ends; on a busy machine all of it takes longer than it should. */
const HANG_MS = 30_000
const LOOK_MS = 1_000
/** The same mistake comes again and again; a few of its inputs are enough. */
const MAX_CRASHES = 5

export interface FuzzTask {
  readonly name: string
  readonly seed: number
  readonly seconds: number
  /** Beside the decoder's own seeds. */
  readonly given: readonly Uint8Array[]
  /** How many were fed, how long the present one is, and it. */
  readonly shared: SharedArrayBuffer
}

interface Counted {
  readonly runs: number
  /** Different outcomes. */
  readonly words: number
  readonly slowestMs: number
}
export type Heard =
  | ({ readonly kind: 'progress' } & Counted)
  | { readonly kind: 'crash'; readonly input: Uint8Array; readonly error: string }
  | ({ readonly kind: 'done'; readonly found: readonly Uint8Array[] } & Counted)

export interface Fuzzed extends Counted {
  readonly name: string
  readonly crashes: readonly { readonly input: Uint8Array; readonly error: string }[]
  /** Inputs that led somewhere new. */
  readonly found: readonly Uint8Array[]
}

/** Feeds one decoder for so long, in a thread of its own; ends early where it hangs or has been wrong a few times. */
export async function fuzz(
  task: Omit<FuzzTask, 'shared'>,
  onProgress: (counted: Counted) => void = () => undefined,
): Promise<Fuzzed> {
  const shared = new SharedArrayBuffer(8 + MAX_INPUT_SIZE)
  const counters = new Int32Array(shared, 0, 2)
  const crashes: { readonly input: Uint8Array; readonly error: string }[] = []
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { ...task, shared } satisfies FuzzTask })
  let counted: Counted = { runs: 0, words: 0, slowestMs: 0 }
  let found: readonly Uint8Array[] = []
  const ended = Promise.withResolvers<void>()
  worker.on('message', (heard: Heard) => {
    if (heard.kind === 'crash') {
      crashes.push(heard)
      if (crashes.length >= MAX_CRASHES) ended.resolve()
      return
    }
    counted = { runs: heard.runs, words: heard.words, slowestMs: heard.slowestMs }
    if (heard.kind === 'progress') return onProgress(counted)
    found = heard.found
    ended.resolve()
  })
  const present = (): Uint8Array => Uint8Array.from(new Uint8Array(shared, 8, Atomics.load(counters, 1)))
  worker.on('error', (error) => {
    crashes.push({ input: present(), error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    ended.resolve()
  })
  worker.on('exit', () => ended.resolve())
  let [last, sinceMs] = [-1, performance.now()]
  const watch = setInterval(() => {
    const now = Atomics.load(counters, 0)
    if (now !== last) [last, sinceMs] = [now, performance.now()]
    else if (now > 0 && performance.now() - sinceMs > HANG_MS) {
      crashes.push({ input: present(), error: `nothing came of it within ${HANG_MS / 1_000} s` })
      ended.resolve()
    }
  }, LOOK_MS)
  await ended.promise
  clearInterval(watch)
  await worker.terminate()
  return { name: task.name, ...counted, crashes, found }
}
