import { Worker } from 'node:worker_threads'
import { ApplianceError, type ErrorCode } from '../schemas/errors.ts'
import type { Codec } from '../schemas/tape.ts'
import { codeOf } from './files.ts'
import { freeLockOf } from './store/file-lock.ts'
import type { ChunkSource, MadeChunk } from './tape/chunk.ts'
import type { HandedKey } from './tape/keys.ts'

/** The running end of a chain, between threads. */
export interface HandedChain {
  readonly n: number
  readonly head: Uint8Array
  readonly key: HandedKey
}

/** What the side thread does, and what it answers with. */
export interface SideTasks {
  /** Makes a chunk; the chain it is given is moved on. `raw` comes back, to be used again. */
  readonly chunk: {
    readonly task: {
      readonly source: ChunkSource
      readonly chain: HandedChain
      readonly saltKey: Uint8Array
      readonly codec: Codec
    }
    readonly result: { readonly made: MadeChunk; readonly chain: HandedChain; readonly raw: ArrayBuffer }
  }
  /** Appends to a file of a store that exists already. */
  readonly append: {
    readonly task: { readonly key: string; readonly path: string; readonly position: number; readonly bytes: Uint8Array }
    readonly result: undefined
  }
}

export type SideKind = keyof SideTasks

export interface SideOrder<Kind extends SideKind = SideKind> {
  readonly id: number
  readonly kind: Kind
  readonly task: SideTasks[Kind]['task']
}

/** An error between threads: what its receiver tells apart, of which a structured clone keeps nothing. */
export interface ToldError {
  readonly message: string
  readonly code: ErrorCode | undefined
  readonly system: string | undefined
}

export interface SideAnswer {
  readonly id: number
  readonly result?: SideTasks[SideKind]['result']
  readonly error?: ToldError
}

interface Waiting {
  /** Of the file whose lock its task may hold. */
  readonly path: string | undefined
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** What a process is told of its own entry (`--input-type`) is not the thread's; and passing its output on would make our own stdout not block. */
const PLAIN = { execArgv: [], stdout: true, stderr: true }

/**
 * Work of the recorder that nothing on the release path waits for, beside the event loop: hashing, signing and compressing of chunks, and
 * the many small system calls of an append to a file. The thread begins with the first task and lives as long as the process, which it does
 * not keep alive. When it dies what was asked of it rejects, and the next task begins another.
 */
export class SideThread {
  readonly #start: () => Worker
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #lastId = 0

  constructor(start: () => Worker = () => new Worker(new URL('./side-work.ts', import.meta.url), PLAIN)) {
    this.#start = start
  }

  /** `moved`: memory that is the thread's from here on. Rejects as the task does, with its ApplianceError or system error. */
  run<Kind extends SideKind>(
    kind: Kind,
    task: SideTasks[Kind]['task'],
    moved: readonly ArrayBuffer[] = [],
  ): Promise<SideTasks[Kind]['result']> {
    const worker = this.#worker ?? this.#begin()
    this.#lastId += 1
    const order: SideOrder<Kind> = { id: this.#lastId, kind, task }
    worker.postMessage(order, moved)
    if (this.#waiting.size === 0) worker.ref()
    return new Promise((resolve, reject) => {
      this.#waiting.set(order.id, { path: 'path' in task ? task.path : undefined, resolve, reject })
    })
  }

  #begin(): Worker {
    const worker = this.#start()
    this.#worker = worker
    const { threadId } = worker
    let left: readonly Waiting[] = []
    const over = (why: unknown): void => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      left = [...this.#waiting.values()]
      this.#waiting.clear()
      for (const { reject } of left) reject(new Error('the recorder’s side thread ended', { cause: why }))
    }
    const ended = (why: unknown): void => {
      over(why)
      for (const { path } of left) if (path !== undefined) freeLockOf(threadId, path)
    }
    worker.on('message', ({ id, result, error }: SideAnswer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) worker.unref()
      if (error === undefined) waiting?.resolve(result as never)
      else waiting?.reject(heard(error))
    })
    worker.on('error', over).on('exit', ended)
    // What cannot be read has an unknown outcome: with the thread it ends as any task does.
    worker.on('messageerror', (error) => {
      over(error)
      void worker.terminate()
    })
    worker.unref()
    return worker
  }
}

export function told(error: unknown): ToldError {
  return {
    message: error instanceof Error ? error.message : String(error),
    code: error instanceof ApplianceError ? error.code : undefined,
    system: codeOf(error),
  }
}

function heard({ message, code, system }: ToldError): Error {
  if (code !== undefined) return new ApplianceError(code, message)
  const error = new Error(message)
  return system === undefined ? error : Object.assign(error, { code: system, syscall: 'append' })
}

/** The one of this process. */
export const sideThread = new SideThread()
