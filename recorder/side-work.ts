import { parentPort } from 'node:worker_threads'
import { type SideAnswer, type SideOrder, type SideTasks, told } from './side-thread.ts'
import { appendToFile } from './store/file-append.ts'
import { type Chain, makeChunk } from './tape/chunk.ts'
import { EpochKey } from './tape/keys.ts'
import { Leaves } from './tape/merkle.ts'

// The recorder's side thread: see side-thread.ts. Tasks run side by side where they wait.

const port = parentPort
if (port === null) throw new Error('side-work.ts runs as a worker thread')

interface Done {
  readonly result: SideAnswer['result']
  readonly moved: readonly ArrayBuffer[]
}

port.on('message', ({ id, kind, task }: SideOrder) => {
  const answer = ({ result, moved }: Done): void => port.postMessage({ id, result } satisfies SideAnswer, moved)
  const failed = (error: unknown): void => port.postMessage({ id, error: told(error) } satisfies SideAnswer)
  // The kind says which task it is.
  const done = kind === 'chunk' ? chunk(task as SideTasks['chunk']['task']) : append(task as SideTasks['append']['task'])
  void done.then(answer).catch(failed)
})

async function chunk({ source, chain: given, saltKey, codec }: SideTasks['chunk']['task']): Promise<Done> {
  const chain: Chain = { n: given.n, head: given.head, key: EpochKey.taken(given.key) }
  const made = await makeChunk(source, chain, new Leaves(saltKey), codec, 0)
  const { n, head } = chain
  const [raw, record] = [source.raw.buffer, made.record.buffer]
  if (!(raw instanceof ArrayBuffer) || !(record instanceof ArrayBuffer)) throw new TypeError('memory that threads share')
  const result = { made: { ...made, header: Uint8Array.from(made.header) }, chain: { n, head, key: chain.key.hand() }, raw }
  return { result, moved: [raw, record] }
}

async function append({ key, path, position, bytes }: SideTasks['append']['task']): Promise<Done> {
  await appendToFile(key, path, position, bytes)
  return { result: undefined, moved: [] }
}
