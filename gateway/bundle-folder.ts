import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { BundleWorks } from '../recorder/api/parts.ts'
import type { StoreLedger } from '../recorder/index.ts'
import type { BundleAsk, BundleJob } from '../schemas/api.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Identity } from '../schemas/session.ts'
import type { BundleTask, FromBundle, ToBundle } from './bundle-thread.ts'
import type { Where } from './tape-room.ts'

const JOB_ENDING = '.json'

/** What a bundle needs of the console's ledger. */
type BundleLedger = Pick<StoreLedger, 'append' | 'publish'>

/** Audit bundles in a folder: each a file, and what is told of it beside it. One is made at a time, in a thread of its own. */
export class BundleFolder implements BundleWorks, AsyncDisposable {
  readonly #folder: string
  readonly #where: Where
  readonly #ledger: BundleLedger
  readonly #jobs = new Map<string, BundleJob>()
  #worker: Worker | undefined
  #ended: Promise<void> = Promise.resolve()

  private constructor(folder: string, where: Where, ledger: BundleLedger) {
    this.#folder = folder
    this.#where = where
    this.#ledger = ledger
  }

  /** What was being made when a process ended is gone; nothing of it counts. */
  static async open(folder: string, where: Where, ledger: BundleLedger): Promise<BundleFolder> {
    const opened = new BundleFolder(folder, where, ledger)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const names = (await readdir(folder)).sort()
    for (const name of names) {
      if (name.includes('.part-')) await rm(join(folder, name))
      else if (name.endsWith(JOB_ENDING)) {
        const job = JSON.parse(await readFile(join(folder, name), 'utf8')) as BundleJob // written below
        if (names.includes(`${job.id}.zip`)) opened.#jobs.set(job.id, job)
      }
    }
    return opened
  }

  async start(ask: BundleAsk, by: Identity): Promise<BundleJob> {
    const [from, to] = [new Date(ask.from), new Date(ask.to)]
    if (!(from < to)) throw new ApplianceError('API_INVALID', 'the period ends before it begins')
    if (this.#worker !== undefined)
      throw new ApplianceError('API_CONFLICT', 'another bundle is being made; try again when it is done')
    // As of now, and not of the last ten seconds.
    await this.#ledger.publish()
    const id = `${ask.framework}-${ask.from.slice(0, 10)}-${ask.to.slice(0, 10)}-${randomBytes(4).toString('hex')}`
    const seed = ask.seed ?? randomBytes(16).toString('hex')
    const job: BundleJob = {
      id,
      state: 'running',
      by: by.subject,
      startedAt: new Date().toISOString(),
      from: from.toISOString(),
      to: to.toISOString(),
      framework: ask.framework,
      seed,
      phase: null,
      done: 0,
      of: 0,
      size: null,
      sha256: null,
      sessions: 0,
      gaps: 0,
      problem: null,
    }
    const wish = {
      from,
      to,
      framework: ask.framework,
      scope: { target: [], identity: [] },
      seed,
      sampleSize: ask.sample,
      verify: 'all' as const,
      path: this.#path(id),
      by: { actor: by.subject, proof: by.proof, ...(ask.reason === undefined ? {} : { reason: ask.reason }) },
    }
    this.#jobs.set(id, job)
    this.#run(id, { where: this.#where, wish })
    return job
  }

  list(): readonly BundleJob[] {
    return [...this.#jobs.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  }

  file(id: string): { readonly path: string; readonly size: number } | undefined {
    const job = this.#jobs.get(id)
    return job?.state === 'done' && job.size !== null ? { path: this.#path(id), size: job.size } : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate()
    await this.#ended
  }

  #run(id: string, task: BundleTask): void {
    const worker = new Worker(new URL('./bundle-thread.ts', import.meta.url), { workerData: task })
    this.#worker = worker
    worker.on('message', (message: FromBundle) => void this.#heard(id, worker, message))
    worker.on('error', (error) => this.#change(id, { state: 'failed', problem: error.message }))
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#worker = undefined
        if (this.#jobs.get(id)?.state === 'running') this.#change(id, { state: 'failed', problem: 'it was interrupted' })
        resolve()
      })
    })
  }

  async #heard(id: string, worker: Worker, message: FromBundle): Promise<void> {
    switch (message.kind) {
      case 'progress':
        this.#change(id, message.progress)
        return
      case 'tell': {
        const answer = await this.#ledger.append(message.entry).then(
          (): ToBundle => ({ told: true }),
          (error: unknown): ToBundle => ({ told: false, why: error instanceof Error ? error.message : String(error) }),
        )
        worker.postMessage(answer)
        return
      }
      case 'done': {
        const { size, sha256, states } = message.made
        const sessions = Object.values(states).reduce((sum, count) => sum + count, 0)
        const gaps = states.missing + states.damaged + states.live
        this.#change(id, { state: 'done', phase: null, size, sha256, sessions, gaps })
        await writeFile(join(this.#folder, `${id}${JOB_ENDING}`), JSON.stringify(this.#jobs.get(id)), { mode: 0o600 })
        return
      }
      case 'failed':
        this.#change(id, { state: 'failed', phase: null, problem: message.what })
        return
      default:
        message satisfies never
    }
  }

  #change(id: string, change: Partial<BundleJob>): void {
    const job = this.#jobs.get(id)
    if (job !== undefined) this.#jobs.set(id, { ...job, ...change })
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.zip`)
  }
}
