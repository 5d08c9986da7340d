import { parentPort, workerData } from 'node:worker_threads'
import { Random } from '../support/random.ts'
import { DECODERS } from './decoders.ts'
import { MAX_INPUT_SIZE, mutated } from './mutate.ts'
import type { FuzzTask, Heard } from './run.ts'

// One decoder, fed in a thread, so that one that never comes back can be noticed and named.

/** More do not find more within minutes. */
const MAX_CORPUS = 3_000
const TELL_EVERY_MS = 1_000
/** An input of 16 KiB that takes this long, over again, costs others: linear time is a millisecond or two. */
const SLOW_MS = 400
const SLOW_TRIES = 3

const { name, seed, seconds, given, shared } = workerData as FuzzTask // made by run.ts
const port = parentPort
const decoder = DECODERS.find((each) => each.name === name)
if (port === null || decoder === undefined) throw new Error(`no decoder ${name}`)
const tell = (heard: Heard): void => port.postMessage(heard)

const counters = new Int32Array(shared, 0, 2)
const current = new Uint8Array(shared, 8, MAX_INPUT_SIZE)
const random = new Random(seed)
const corpus: Uint8Array[] = [...(await decoder.seeds()), ...given]
const words = new Set<string>()
const found: Uint8Array[] = []
let [runs, slowestMs] = [0, 0]
let toldMs = performance.now()

const untilMs = performance.now() + seconds * 1_000
for (const bytes of corpus.slice()) await feed(bytes, false)
while (performance.now() < untilMs) {
  await feed(mutated(corpus, random), true)
  if (performance.now() - toldMs > TELL_EVERY_MS) {
    toldMs = performance.now()
    tell({ kind: 'progress', runs, words: words.size, slowestMs })
  }
}
tell({ kind: 'done', runs, words: words.size, slowestMs, found })

async function feed(bytes: Uint8Array, isNew: boolean): Promise<void> {
  current.set(bytes.subarray(0, MAX_INPUT_SIZE))
  Atomics.store(counters, 1, Math.min(bytes.length, MAX_INPUT_SIZE))
  Atomics.add(counters, 0, 1)
  runs += 1
  try {
    const took = await timed(bytes)
    slowestMs = Math.max(slowestMs, took.ms)
    if (took.ms > SLOW_MS) await isSlow(bytes, took.ms)
    if (words.has(took.word)) return
    words.add(took.word)
    if (!isNew || corpus.length >= MAX_CORPUS) return
    corpus.push(Uint8Array.from(bytes))
    found.push(Uint8Array.from(bytes))
  } catch (error) {
    tell({
      kind: 'crash',
      input: Uint8Array.from(bytes),
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }
}

/** The compiler may have been at it: only what is slow each time is. */
async function isSlow(bytes: Uint8Array, firstMs: number): Promise<void> {
  let leastMs = firstMs
  for (let again = 0; again < SLOW_TRIES; again += 1) leastMs = Math.min(leastMs, (await timed(bytes)).ms)
  if (leastMs > SLOW_MS) tell({ kind: 'crash', input: Uint8Array.from(bytes), error: `slow: ${Math.round(leastMs)} ms` })
}

async function timed(bytes: Uint8Array): Promise<{ readonly word: string; readonly ms: number }> {
  // Of this thread's own: others may have the processor meanwhile.
  const before = process.threadCpuUsage()
  // A copy: what a decoder does to its input is its own.
  const word = await decoder?.feed(Uint8Array.from(bytes))
  return { word: (word ?? '').slice(0, 1_000), ms: process.threadCpuUsage(before).user / 1_000 }
}
