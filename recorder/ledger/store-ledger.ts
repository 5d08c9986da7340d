import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../../schemas/errors.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { END_LINE, isCount, type LedgerLine, ledgerKeys, parseLine } from '../../schemas/verify/ledger-line.ts'
import { MAX_NOTE_SIZE, parseCheckpoint } from '../../schemas/verify/note.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { consistencyProof } from '../../schemas/verify/tree.ts'
import { patiently } from '../store/patiently.ts'
import { sha256 } from '../tape/merkle.ts'
import { AnswerWatch } from './answer-watch.ts'
import { type KnownCheckpoint, originOf, publishCheckpoint } from './checkpoints.ts'
import { entryLine } from './entry-line.ts'
import { isSignedBy } from './entry-signer.ts'
import type { Ledger } from './ledger.ts'
import { LEDGER_LIMITS, type LedgerLimits } from './limits.ts'
import { Presence } from './presence.ts'
import type { StoreLedgerOptions } from './store-ledger-options.ts'
import { TileTree } from './tile-tree.ts'
import { Unended } from './unended.ts'
import { NEWLINE, reject, sizeOf, tried, type Waiting } from './waiting.ts'

const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 1_000
/** Others count as being there for this long after their last entry. */
const OTHERS_MS = 60_000
/** Own lines remembered while reading, so that a forged last one does not hide the real one. */
const OWN_LINES = 64

/**
 * The shared ledger as a writer sees it: one sequence for all gateways on the store, in which an append at a position is the
 * compare-and-swap. Whoever loses reads what the others wrote, and tries again. Everything that waits goes into the next append.
 */
export class StoreLedger implements Ledger {
  readonly origin: string
  readonly presence = new Presence()
  readonly #unended = new Unended()
  readonly #options: StoreLedgerOptions
  readonly #limits: LedgerLimits
  readonly #sequence = new Sequence()
  readonly #tree: TileTree | undefined
  /** First come, first written; the front of it is being written. */
  readonly #queue: Waiting[] = []
  readonly #own: Buffer[] = []
  readonly #answers: AnswerWatch
  #last = { n: 0, sessions: 0 }
  #othersMs = Number.NEGATIVE_INFINITY
  #draining: Promise<void> | undefined
  /** The last who reads or appends: one at a time, each goes on where the one before ended. */
  #turn: Promise<unknown> = Promise.resolve()
  #newest: KnownCheckpoint | undefined
  /** Size of a checkpoint that an entry tells of, newer than the one known. */
  #mentioned = 0
  #checkpointedMs = performance.now()
  #bundledMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #publishing: Promise<void> | undefined
  #ticking = false
  /** The sequence has been read once, and our place in it is known. */
  #numbering = false
  #closing = false

  private constructor(options: StoreLedgerOptions, origin: string) {
    this.#options = options
    this.#limits = { ...LEDGER_LIMITS, ...options.limits }
    const due = (): number | undefined => this.#queue.find(({ told }) => !told)?.deadlineMs
    this.#answers = new AnswerWatch(this.#limits.patienceMs, due, (silence) => this.#giveUp(silence))
    this.#tree = options.publish === false ? undefined : new TileTree()
    this.origin = origin
  }

  /**
   * Reads the whole sequence once. Rejects CONFIG_INVALID where the store has a ledger of another name. A store that fails is asked again
   * for as long as an entry waits for one, unless it is for a command: a gateway serves already when its console and its channels open theirs.
   */
  static async open(options: StoreLedgerOptions): Promise<StoreLedger> {
    const patienceMs = options.publish === false ? 0 : (options.limits?.patienceMs ?? LEDGER_LIMITS.patienceMs)
    const surely = <T>(work: () => Promise<T>): Promise<T> => patiently(work, patienceMs, (error) => options.onProblem?.(error))
    const ledger = new StoreLedger(options, await surely(() => originOf(options.store, options.origin, options.gateway)))
    await surely(() => ledger.catchUp())
    ledger.#takeOwn()
    const { oldJournal } = options
    if (oldJournal !== undefined && ledger.#last.n === 0) {
      ledger.#last.sessions = oldJournal.sessions
      await ledger.append({ type: 'journal.import', ...oldJournal })
    }
    if (options.publish !== false) {
      await ledger.#seek()
      const { checkpointMs } = ledger.#limits
      ledger.#timer = setInterval(() => void ledger.#tick(), Math.max(1, checkpointMs / 10)).unref()
    }
    return ledger
  }

  /** Lines of the sequence, as far as they are known here. */
  get size(): number {
    return this.#sequence.count
  }

  lastSession(): number {
    return this.#last.sessions
  }

  checkpoint(): Uint8Array | undefined {
    return this.#newest?.bytes
  }

  unended(isMeant: (gateway: string) => boolean): readonly string[] {
    return this.#unended.sessions(isMeant, this.#keys())
  }

  append(entry: LedgerEntry): Promise<void> {
    if (this.#closing) return Promise.reject(new ApplianceError('RECORDER_FAILED', 'the ledger is closed'))
    if (this.#queue.length >= this.#limits.waiting)
      return Promise.reject(
        new ApplianceError('RECORDER_FAILED', `${this.#limits.waiting} entries wait for the ledger, the limit`),
      )
    return new Promise((resolve, rejected) => {
      const deadlineMs = performance.now() + this.#limits.patienceMs
      this.#queue.push({ entry, deadlineMs, resolve, reject: rejected, told: false })
      this.#draining ??= this.#drain()
      this.#answers.watch()
    })
  }

  /** Publishes the tree as it is now, where it has grown. */
  async publish(entries = false): Promise<void> {
    const tree = this.#tree
    if (tree === undefined) return
    await this.#publishing?.catch(() => undefined)
    await this.catchUp()
    if (tree.size === (this.#newest?.size ?? 0)) return
    const { store, signer } = this.#options
    this.#publishing = publishCheckpoint({ store, tree, origin: this.origin, signer }, entries).then((known) => {
      this.#checkpointedMs = performance.now()
      if (known.size > (this.#newest?.size ?? 0)) this.#newest = known
    })
    try {
      await this.#publishing
    } finally {
      this.#publishing = undefined
    }
  }

  /** That the tree of `size` continues that of `before`; both at most what has been published. */
  consistency(before: number, size: number): Promise<Uint8Array[]> {
    const tree = this.#tree
    if (tree === undefined) return Promise.reject(new Error('this process does not keep the tree'))
    return consistencyProof(sha256, (level, index) => tree.node(this.#options.store, level, index), before, size)
  }

  /** Writes what waits, and a last checkpoint. */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    clearInterval(this.#timer)
    await this.#draining
    await this.publish(true).catch((error: unknown) => this.#options.onProblem?.(error))
  }

  async #drain(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (this.#queue.length > 0) {
      try {
        await this.#inTurn(() => this.#appendOnce())
        pauseMs = FIRST_PAUSE_MS
        if (this.#queue.length > 0 && performance.now() - this.#othersMs < OTHERS_MS)
          await delay(this.#limits.courtesyMs * (0.5 + Math.random()))
      } catch (error) {
        const lost = error instanceof ApplianceError && error.code === 'STORE_CONFLICT'
        const caught = await this.catchUp().then(
          () => true,
          () => false,
        )
        this.#giveUp(error)
        if (this.#closing && this.#queue.every(({ told }) => told)) this.#queue.length = 0
        // Who lost has read the others' and goes on at once, with a little chance against meeting the same ones again.
        if (!lost || !caught) {
          await delay(pauseMs * (0.5 + Math.random()))
          pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
        } else await delay(Math.random() * FIRST_PAUSE_MS)
      }
    }
    this.#draining = undefined
  }

  /** One append of what waits, or the end of a full object. Rejects as the store does. */
  async #appendOnce(): Promise<void> {
    const { store } = this.#options
    const { torn } = this.#sequence
    if (this.#sequence.lines >= this.#limits.sequenceLines || this.#sequence.offset >= this.#limits.sequenceSize) {
      const { object, offset } = this.#sequence
      const end = Buffer.from(`${torn ? '\n' : ''}${END_LINE}\n`)
      await store.append(ledgerKeys.sequence(object), offset, end)
      this.#take(end)
      return
    }
    const batch = await this.#compose()
    if (batch.length === 0) return
    const { object, offset } = this.#sequence
    const [first] = batch
    // The line stands there already, only its newline is missing.
    const standing = this.#sequence.torn && first?.line?.equals(this.#sequence.tail) === true
    const parts: Buffer[] = this.#sequence.torn ? [NEWLINE] : []
    for (const { line } of standing ? batch.slice(1) : batch) if (line !== undefined) parts.push(line, NEWLINE)
    const bytes = Buffer.concat(parts)
    const takeBack = tried(batch, { object, offset })
    try {
      await store.append(ledgerKeys.sequence(object), offset, bytes)
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_CONFLICT') takeBack()
      throw error
    }
    this.#take(bytes)
  }

  /** The front of the queue, numbered and signed. */
  async #compose(): Promise<Waiting[]> {
    const { gateway, signer } = this.#options
    const batch: Waiting[] = []
    let [{ n, sessions }, size] = [this.#last, 0]
    const making: Promise<void>[] = []
    for (const item of this.#queue.slice(0, this.#limits.batchEntries)) {
      n += 1
      if (item.entry.type === 'session.open') sessions = Math.max(sessions, item.entry.number)
      if (item.line === undefined || item.n !== n) {
        item.n = n
        const envelope = { gateway, n, at: new Date().toISOString(), sessions }
        making.push(
          entryLine(this.#withCheckpoint(item.entry), envelope, signer).then((line) => {
            item.line = line
          }),
        )
      }
      batch.push(item)
      size += sizeOf(item)
      if (size >= this.#limits.batchSize) break
    }
    const made = await Promise.allSettled(making)
    const failed = made.find((one) => one.status === 'rejected')
    if (failed === undefined) return batch
    // Whatever cannot be written at all must not hold up the rest.
    for (const item of batch.filter(({ line }) => line === undefined)) this.#drop(item, failed.reason)
    throw failed.reason
  }

  /** An interim says which checkpoint its writer has seen: so checkpoints are themselves in what later ones cover. */
  #withCheckpoint(entry: LedgerEntry): LedgerEntry {
    const known = this.#newest
    if (entry.type !== 'gateway.interim' || known === undefined) return entry
    return { ...entry, checkpoint: { size: known.size, root: Buffer.from(known.root).toString('hex') } }
  }

  /** Bytes that stand in the sequence where it was read to. */
  #take(bytes: Uint8Array): void {
    for (const line of this.#sequence.feed(bytes)) this.#saw(line)
  }

  /** Reads what others have written. */
  catchUp(): Promise<void> {
    return this.#inTurn(async () => {
      for await (const line of this.#sequence.read(this.#options.store)) this.#saw(line)
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const asking = (): Promise<void> => this.#answers.during(work)
    const turn = this.#turn.then(asking, asking)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  #saw({ bytes }: LedgerLine): void {
    this.#tree?.push(bytes)
    const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#unended.saw(line)
    const own = line.includes(`"gateway":"${this.#options.gateway}"`)
    const presence = line.includes('"type":"gateway.')
    if (!own) this.#othersMs = performance.now()
    if (!own && !presence) return // as most lines are
    const written = own ? this.#queue.find((item) => item.line?.equals(line) === true) : undefined
    if (written !== undefined) {
      this.#queue.splice(this.#queue.indexOf(written), 1)
      const { entry, n = 0 } = written
      this.#last = {
        n,
        sessions: entry.type === 'session.open' ? Math.max(this.#last.sessions, entry.number) : this.#last.sessions,
      }
      written.resolve()
      return
    }
    const entry = presence ? parseLine(bytes) : undefined
    if (entry !== undefined) {
      this.presence.saw(entry.statement)
      if (entry.statement.type === 'gateway.interim') this.#mention(entry.statement['checkpoint'])
    }
    if (!own) return
    // Parsed when it is asked which is the last that is really ours: a start reads all that there ever were.
    this.#own.push(line)
    if (this.#own.length > OWN_LINES) this.#own.shift()
    // Somebody else under our name: another of our commands.
    if (this.#numbering) this.#takeOwn()
  }

  /** Takes up numbering behind the last line that is really ours. */
  #takeOwn(): void {
    this.#numbering = true
    const keys = this.#keys()
    const entries = this.#own.map(parseLine)
    const last = entries.findLast((entry) => entry?.statement.gateway === this.#options.gateway && isSignedBy(entry, keys))
    this.#own.length = 0
    if (last === undefined) return
    const { n, sessions } = last.statement
    if (n > this.#last.n) this.#last = { n, sessions: Math.max(sessions, this.#last.sessions) }
  }

  #keys(): readonly GatewayKey[] {
    const { gateway, signer, trusted = [] } = this.#options
    return [{ gateway, publicKey: signer.publicKey }, ...trusted]
  }

  #mention(checkpoint: unknown): void {
    if (typeof checkpoint !== 'object' || checkpoint === null || !('size' in checkpoint)) return
    const { size } = checkpoint
    if (!isCount(size) || size > (this.#tree?.size ?? 0) || size <= this.#mentioned) return
    this.#mentioned = size
    this.#checkpointedMs = performance.now()
    this.#tree?.stored(size)
  }

  /** Fetches the checkpoint that was told of. */
  async #seek(): Promise<void> {
    const size = this.#mentioned
    if (size <= (this.#newest?.size ?? 0)) return
    try {
      const bytes = await this.#options.store.get(ledgerKeys.checkpoint(size), { from: 0, to: MAX_NOTE_SIZE })
      const { root } = parseCheckpoint(bytes)
      if (size > (this.#newest?.size ?? 0)) this.#newest = { size, root, bytes }
    } catch (error) {
      this.#options.onProblem?.(error)
    }
  }

  async #tick(): Promise<void> {
    if (this.#ticking || performance.now() - this.#checkpointedMs < this.#limits.checkpointMs) return
    this.#ticking = true
    try {
      // Others may have published meanwhile: their next interim says so.
      await this.catchUp()
      await this.#seek()
      if (performance.now() - this.#checkpointedMs < this.#limits.checkpointMs) return
      this.#checkpointedMs = performance.now()
      const entries = performance.now() - this.#bundledMs >= this.#limits.bundleMs
      await this.publish(entries)
      if (entries) this.#bundledMs = performance.now()
    } catch (error) {
      this.#options.onProblem?.(error)
    } finally {
      this.#ticking = false
    }
  }

  /** Tells those who have waited too long. What may already stand in the store is tried until it surely does. */
  #giveUp(cause: unknown): void {
    const nowMs = performance.now()
    for (const item of [...this.#queue]) {
      const { object, offset } = this.#sequence
      if (item.open !== undefined && (object > item.open.object || offset > item.open.offset)) delete item.open
      if (item.deadlineMs > nowMs) continue
      if (item.open === undefined) this.#drop(item, cause)
      else reject(item, cause)
    }
  }

  #drop(item: Waiting, cause: unknown): void {
    this.#queue.splice(this.#queue.indexOf(item), 1)
    delete item.open
    reject(item, cause)
  }
}
