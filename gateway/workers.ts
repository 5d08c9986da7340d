import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../schemas/errors.ts'
import type { Settings } from './config.ts'
import type { Log } from './log.ts'
import type { Measured } from './monitoring/server.ts'
import { WorkerCounters } from './monitoring/worker-counters.ts'
import { type ForwardCancel, MAX_WORKER } from './sessions-cancel.ts'
import { recoverTapes } from './tape-room.ts'
import { closeHandedOver } from './workers-handed.ts'
import { Questions, type WorkerMessage, workerMessage } from './workers-messages.ts'

/** A worker that dies at once must not be restarted in a hot loop; one that dies once a day is back before anybody notices. */
const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 10_000
/** A worker that lived this long starts again without back-off. */
const STEADY_AFTER_MS = 60_000
/** A cancel that was not delivered by then has nothing left to cancel. */
export const CANCEL_TIMEOUT_MS = 2_000
/** A worker that does not say by then whether it has the session is too busy to have ended it. */
const KILL_TIMEOUT_MS = 5_000
/** A worker that does not say by then how it is, is not well. */
const MEASURE_TIMEOUT_MS = 3_000
/** Workers get their own bound and this much more before they are killed. */
const KILL_AFTER_MS = 7_000

/** Which worker this process is; set by the primary. */
export const WORKER_ENV = 'SALLYPORT_WORKER'

interface Slot {
  readonly index: number
  worker: Worker | undefined
  startedMs: number
  backOffMs: number
  ready: boolean
  /** How one that served died, or ended with tapes unsealed, where those have not been ended since. */
  lost?: { readonly code: number | null; readonly signal: string | null } | undefined
  /** Waiting to be started again. */
  restart?: NodeJS.Timeout
  readonly counters: WorkerCounters
}

export interface WorkersParts {
  readonly settings: Settings
  /** What the configuration said when they were read: whoever is started later serves by the same, whatever stands there then. */
  readonly config: string
  readonly log: Log
  /** Delivers cancel keys that none of them knows. */
  readonly elsewhere: ForwardCancel
}

/** The primary of several workers: serves nobody itself, starts and restarts those who do, carries cancels between them. */
export class Workers {
  readonly #settings: Settings
  readonly #config: string
  readonly #log: Log
  readonly #slots: readonly Slot[]
  readonly #cancels = new Questions<boolean>(CANCEL_TIMEOUT_MS)
  readonly #elsewhere: ForwardCancel
  readonly #kills = new Questions<boolean>(KILL_TIMEOUT_MS)
  readonly #measures = new Questions<Measured>(MEASURE_TIMEOUT_MS)
  readonly #finished: PromiseWithResolvers<boolean> = Promise.withResolvers()
  readonly #started: PromiseWithResolvers<boolean> = Promise.withResolvers()
  #recovering: Promise<void> = Promise.resolve()
  #everReady = false
  #stopping: string | undefined

  private constructor(count: number, { settings, config, log, elsewhere }: WorkersParts) {
    this.#elsewhere = elsewhere
    this.#settings = settings
    this.#config = config
    this.#log = log
    this.#slots = Array.from({ length: count }, (_, index) => ({
      index: index + 1,
      worker: undefined,
      startedMs: 0,
      backOffMs: FIRST_BACK_OFF_MS,
      ready: false,
      counters: new WorkerCounters(),
    }))
  }

  /** Throws CONFIG_INVALID for a count nobody has. */
  static start(count: number, parts: WorkersParts): Workers {
    if (count < 1 || count > MAX_WORKER) throw new ApplianceError('CONFIG_INVALID', `--workers ${count}: from 1 to ${MAX_WORKER}`)
    const workers = new Workers(count, parts)
    for (const slot of workers.#slots) workers.#fork(slot)
    return workers
  }

  /** True once every worker serves, false once they are stopped before. Rejects CONFIG_INVALID when the first ones cannot even start (they said why themselves). */
  get started(): Promise<boolean> {
    return this.#started.promise
  }

  /** Resolves when the last worker is gone after `stop`: true where every tape was sealed. */
  get finished(): Promise<boolean> {
    return this.#finished.promise
  }

  stop(why: string): Promise<boolean> {
    if (this.#stopping === undefined) {
      this.#stopping = why
      this.#started.resolve(false)
      for (const { restart } of this.#slots) clearTimeout(restart)
      // Nobody else ends the tapes of one that was to be started again.
      if (this.#unsealed.some(({ worker }) => worker === undefined)) void this.#recover()
      for (const { worker } of this.#slots) this.#send(worker, { sallyport: 'stop', why })
      const kill = setTimeout(
        () => {
          for (const { worker } of this.#slots) worker?.process.kill('SIGKILL')
        },
        this.#settings.limits.drainTimeoutMs + this.#settings.limits.shutdownTimeoutMs + KILL_AFTER_MS,
      )
      this.finished.finally(() => clearTimeout(kill)).catch(() => undefined)
      this.#checkFinished()
    }
    return this.finished
  }

  /** Ends one session in whichever worker has it; false where none has. */
  async kill(session: string, message: string): Promise<boolean> {
    const serving = this.#slots.filter(({ ready }) => ready)
    const found = await Promise.all(
      serving.map(({ worker }) => this.#kills.ask((id) => this.#send(worker, { sallyport: 'kill', id, session, message }))),
    )
    return found.includes(true)
  }

  /** Cancels what the worker named in this key runs; false where it knows the key not. */
  async cancel(key: Uint8Array): Promise<boolean> {
    const to = this.#slots.find((slot) => slot.index === key[0] && slot.ready)?.worker
    if (to === undefined) return false
    const encoded = Buffer.from(key).toString('base64')
    return (await this.#cancels.ask((id) => this.#send(to, { sallyport: 'cancel', id, key: encoded }))) === true
  }

  /** How every worker is; one that is not there or does not answer is a problem. */
  measure(): Promise<readonly Measured[]> {
    return Promise.all(
      this.#slots.map(async ({ worker, ready, index, counters }) => {
        const measured = ready ? await this.#measures.ask((id) => this.#send(worker, { sallyport: 'measure', id })) : undefined
        const metrics = await counters.all(measured?.metrics)
        return measured === undefined ? { metrics, problem: `worker ${index} does not answer` } : { ...measured, metrics }
      }),
    )
  }

  #fork(slot: Slot): void {
    const worker = cluster.fork({ [WORKER_ENV]: String(slot.index) })
    closeHandedOver(worker)
    slot.worker = worker
    slot.ready = false
    slot.startedMs = Date.now()
    this.#log.workerStarted(slot.index, worker.process.pid ?? 0)
    worker.on('message', (value: unknown) => {
      const message = workerMessage(value)
      if (message !== undefined) this.#heard(slot, message)
    })
    // A channel that breaks while it is written to is followed by 'exit', which is where it is dealt with.
    worker.on('error', () => undefined)
    worker.once('exit', (code: number | null, signal: string | null) => this.#died(slot, code, signal))
  }

  #heard(slot: Slot, message: WorkerMessage): void {
    switch (message.sallyport) {
      case 'starting':
        this.#send(slot.worker, { sallyport: 'config', text: this.#config })
        return
      case 'ready':
        slot.ready = true
        this.#everReady = true
        // One that was starting has not heard it.
        if (this.#stopping !== undefined) this.#send(slot.worker, { sallyport: 'stop', why: this.#stopping })
        if (this.#slots.every(({ ready }) => ready)) this.#started.resolve(true)
        return
      case 'cancel':
        void this.#carry(slot, message)
        return
      case 'cancelled':
        this.#cancels.answered(message.id, message.found)
        return
      case 'killed':
        this.#kills.answered(message.id, message.found)
        return
      case 'measured':
        this.#measures.answered(message.id, {
          metrics: message.metrics,
          ...(message.problem === undefined ? {} : { problem: message.problem }),
        })
        return
      case 'config':
      case 'kill':
      case 'measure':
      case 'stop':
        return
      default:
        message satisfies never
    }
  }

  async #carry(from: Slot, { id, key, client = '' }: Extract<WorkerMessage, { sallyport: 'cancel' }>): Promise<void> {
    const bytes = Buffer.from(key, 'base64')
    if (!(await this.cancel(bytes))) await this.#elsewhere(bytes, client)
    this.#send(from.worker, { sallyport: 'cancelled', id })
  }

  #died(slot: Slot, code: number | null, signal: string | null): void {
    if (slot.ready && (this.#stopping === undefined || code !== 0)) slot.lost ??= { code, signal }
    slot.worker = undefined
    slot.ready = false
    slot.counters.died()
    if (this.#stopping !== undefined) {
      this.#checkFinished()
      return
    }
    if (!this.#everReady) {
      this.#started.reject(
        new ApplianceError('CONFIG_INVALID', `worker ${slot.index} could not start; its own messages stand above`),
      )
      void this.stop('start-up failed')
      return
    }
    slot.backOffMs =
      Date.now() - slot.startedMs >= STEADY_AFTER_MS ? FIRST_BACK_OFF_MS : Math.min(MAX_BACK_OFF_MS, slot.backOffMs * 2)
    this.#log.workerDied({ worker: slot.index, code, signal, backOffMs: slot.backOffMs })
    slot.restart = setTimeout(() => void this.#restart(slot), slot.backOffMs)
  }

  /** First ends the tapes of the dead worker: its successor takes the same place. */
  async #restart(slot: Slot): Promise<void> {
    await this.#recover()
    if (this.#stopping === undefined) this.#fork(slot)
  }

  get #unsealed(): readonly Slot[] {
    return this.#slots.filter(({ lost }) => lost !== undefined)
  }

  /** Seals what dead workers left open (tapes of the living are told apart by their owners' marks). One at a time, as recovering needs the primary's own place. */
  #recover(): Promise<void> {
    const dead = this.#unsealed.filter(({ worker }) => worker === undefined)
    this.#recovering = this.#recovering
      .then(() => recoverTapes(this.#settings, this.#log))
      .then((all) => {
        if (all) for (const slot of dead) slot.lost = undefined
      })
      .catch((error: unknown) => this.#log.stray(error))
    return this.#recovering
  }

  #checkFinished(): void {
    if (this.#slots.some(({ worker }) => worker !== undefined)) return
    // A store that is away is not waited for any longer than by a worker.
    const soon = delay(this.#settings.limits.shutdownTimeoutMs, undefined, { ref: false })
    void Promise.race([this.#recovering, soon]).then(() => {
      const unsealed = this.#unsealed
      for (const { index, lost } of unsealed) if (lost !== undefined) this.#log.workerLost({ worker: index, ...lost })
      this.#finished.resolve(unsealed.length === 0)
    })
  }

  #send(worker: Worker | undefined, message: WorkerMessage): void {
    if (worker?.isConnected() !== true) return
    worker.send(message, () => undefined) // a worker that dies meanwhile is dealt with at its exit
  }
}
