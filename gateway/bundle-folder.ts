import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { BundleWorks } from '../recorder/api/parts.ts'
import type { Catalog } from '../recorder/catalog/catalog.ts'
import type { StoreLedger } from '../recorder/index.ts'
import type { BundleAsk, BundleJob } from '../schemas/api.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Identity } from '../schemas/session.ts'
import { bundleScope } from './bundle-scope.ts'
import type { BundleTask, FromBundle, ToBundle } from './bundle-thread.ts'
import type { Where } from './tape-room.ts'

const JOB_ENDING = '.json'
/** What a bundle makes is short-lived: left to itself V8 lets it lie in tens of mebibytes before it looks (docs/performance.md). */
const YOUNG_GENERATION_MIB = 12

/** What a bundle needs of the console's ledger. */
type BundleLedger = Pick<StoreLedger, 'append' | 'publish'>

/** What it needs of the console. */
interface ConsoleParts {
  readonly where: Where
  readonly ledger: BundleLedger
  readonly catalog: Pick<Catalog, 'countSessions'>
  readonly targets: Parameters<typeof bundleScope>[1]
}

/** Audit bundles in a folder: each a file, and what is told of it beside it. One is made at a time, in a thread of its own. */
export class BundleFolder implements BundleWorks, AsyncDisposable {
  readonly #folder: string
  readonly #parts: ConsoleParts
  readonly #jobs = new Map<string, BundleJob>()
  #worker: Worker | undefined
  #ended: Promise<void> = Promise.resolve()

  private constructor(folder: string, parts: ConsoleParts) {
    this.#folder = folder
    this.#parts = parts
  }

  /** What was being made when a process ended is gone; nothing of it counts. */
  static async open(folder: string, parts: ConsoleParts): Promise<BundleFolder> {
    const opened = new BundleFolder(folder, parts)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const names = (await readdir(folder)).sort()
    for (const name of names) {
      if (name.includes('.part-')) await rm(join(folder, name))
      else if (name.endsWith(JOB_ENDING)) {
        const kept = JSON.parse(await readFile(join(folder, name), 'utf8')) as BundleJob // written below
        // Those of before there was a scope are of everything.
        const job = { ...kept, scope: kept.scope ?? { target: [], identity: [] } }
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
    const scope = bundleScope(ask.scope ?? {}, this.#parts.targets)
    // As of now, and not of the last ten seconds.
    await this.#parts.ledger.publish()
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
      scope,
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
      scope,
      seed,
      sampleSize: ask.sample,
      knownTargets: this.#parts.targets.map(({ name }) => name),
      small: ask.small === true,
      verify: 'all' as const,
      path: this.#path(id),
      by: { actor: by.subject, proof: by.proof, ...(ask.reason === undefined ? {} : { reason: ask.reason }) },
    }
    this.#jobs.set(id, job)
    this.#run(id, { where: this.#parts.where, wish })
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
    const worker = new Worker(new URL('./bundle-thread.ts', import.meta.url), {
      workerData: task,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    })
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
      case 'tell':
        worker.postMessage(await answered(() => this.#parts.ledger.append(message.entry).then(() => 0)))
        return
      case 'count':
        worker.postMessage(await answered(() => this.#parts.catalog.countSessions(message.sessions)))
        return
      case 'done': {
        const { size, sha256, states, leftOut, timestamps } = message.made
        const without = timestamps.flatMap(({ name, problem: why }) =>
          why === undefined ? [] : [`no timestamp by ${name}: ${why}`],
        )
        const told =
          leftOut.length === 0
            ? without
            : [`without ${leftOut.length} recordings of the sample, for which a small pack has no room`, ...without]
        const sessions = Object.values(states).reduce((sum, count) => sum + count, 0)
        const gaps = states.missing + states.damaged + states.live
        this.#change(id, {
          state: 'done',
          phase: null,
          size,
          sha256,
          sessions,
          gaps,
          problem: told.length === 0 ? null : told.join('; '),
        })
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

async function answered(work: () => Promise<number>): Promise<ToBundle> {
  try {
    return { value: await work() }
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) }
  }
}
