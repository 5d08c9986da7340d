import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { SessionId, SessionInfo } from '../../schemas/session.ts'
import { type Codec, tapeKeys } from '../../schemas/tape.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Recorder } from '../recorder.ts'
import type { Store } from '../store/store.ts'
import { Interims } from './interims.ts'
import { EpochKey } from './keys.ts'
import { RECORDER_LIMITS, type RecorderLimits } from './limits.ts'
import { sha256 } from './merkle.ts'
import { pack } from './msgpack.ts'
import { appendSurely, isTakenOver, recorderFailed } from './outbox.ts'
import { encodeRecord } from './record.ts'
import { type RecoveryReport, recoverSpools } from './recover.ts'
import { recoverOrphans } from './recover-orphans.ts'
import { Segment } from './segment.ts'
import { headerStatement, lossWindowOf, putSurely, sessionIdOf } from './session-beginning.ts'
import { SessionRecorder } from './session-recorder.ts'
import { certify, type GatewaySigner } from './signer.ts'
import { Spool, type SpoolOptions } from './spool.ts'
import { GATEWAY_NAME, RESERVE_FILE, SpoolFolder, spoolsIn } from './spool-folder.ts'
import { Unsealed } from './unsealed.ts'

const SALT_KEY_SIZE = 32

export interface RecorderOptions {
  /** This process's name: lower-case letters, digits, dashes, at most 40. No two live processes on one spool root share it. */
  readonly gateway: string
  readonly store: Store
  readonly signer: GatewaySigner
  /** Root of the spools: one folder in it per process. On a local disk. */
  readonly spoolFolder: string
  readonly ledger: Ledger
  readonly codec?: Codec
  readonly limits?: Partial<RecorderLimits>
  /** Told of each tape of which there is more in the store, or its end. */
  readonly onStored?: (session: SessionId) => void
  /** Faults for tests. */
  readonly spool?: Pick<SpoolOptions, 'write' | 'createFile'>
}

/** What the gateway knows of a session before it begins; the room adds number, id and start. */
export type SessionStart = Omit<SessionInfo, 'id' | 'gateway' | 'number' | 'startedAt'>

export interface OpenSession {
  readonly info: SessionInfo
  readonly recorder: Recorder
}

/** One process's recorder: its spool, its numbers, its open tapes. */
export interface RecorderRoom {
  readonly gateway: string
  /**
   * Numbers the session (gapless for this gateway), tells the ledger `session.open` and writes the tape's header: both durable
   * when it resolves. Rejects RECORDER_FAILED.
   */
  open(start: SessionStart): Promise<OpenSession>
  /**
   * Brings the frames that processes now dead had accepted to their tapes, and ends those. Leaves live processes alone.
   * Call once at start-up, before or beside sessions. Problems with one session are in the report and stay for the next time.
   */
  recover(): Promise<RecoveryReport>
  /**
   * Ends the tapes of gateways that are gone with their machine: `isSilent`, and no spool of it is here; and those of a former process of this
   * name whose spool is gone. Any number of gateways may do so at once.
   */
  recoverOrphans(isSilent: (gateway: string) => boolean, signal?: AbortSignal): Promise<RecoveryReport>
  /** What was released and is not in the store yet, of all open tapes: bytes, and the age of the oldest. */
  waiting(): { readonly bytes: number; readonly oldestMs: number }
  /** Tells the ledger now how far every open tape is in the store; done every 10 s by itself. Never rejects. */
  interim(): Promise<void>
  /** Seals what is still open (`gateway.stop`), and gives the spool back. The ledger stays the caller's. */
  close(): Promise<void>
}

/** Rejects CONFIG_INVALID when the name is taken by a live process, or the system's error when the spool does not fit on the disk. */
export async function openRecorder(options: RecorderOptions): Promise<RecorderRoom> {
  if (!GATEWAY_NAME.test(options.gateway)) {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `gateway name '${options.gateway}': lower-case letters, digits and dashes, at most 40`,
    )
  }
  const limits = { ...RECORDER_LIMITS, ...options.limits }
  const folder = await SpoolFolder.take(options.spoolFolder, options.gateway)
  try {
    const reserve = join(folder.path, RESERVE_FILE)
    await writeReserve(reserve, limits)
    const spool = await Spool.open(folder.path, { gateway: options.gateway, limits, ...options.spool })
    return new Room(options, limits, folder, spool, reserve)
  } catch (error) {
    await folder.discard()
    throw error
  }
}

function writeReserve(path: string, { diskReserveSize }: RecorderLimits): Promise<void> {
  return writeFile(path, Buffer.alloc(diskReserveSize), { mode: 0o600, flush: true })
}

class Room implements RecorderRoom {
  readonly gateway: string
  readonly #options: RecorderOptions
  readonly #limits: RecorderLimits
  readonly #folder: SpoolFolder
  readonly #spool: Spool
  readonly #reserve: string
  readonly #sessions = new Set<SessionRecorder>()
  /** With an open chunk, in the order in which they are due. */
  readonly #busy = new Set<SessionRecorder>()
  /** Ends of tapes, and entries about them, that a store or ledger did not take. */
  readonly #owed: Unsealed
  #spent = false
  #timer: NodeJS.Timeout | undefined
  /** The last session of former processes of this name. */
  readonly #formerNumber: number
  #lastNumber: number
  /** Numbers whose `session.open` was refused: given out again, so that none is missing. */
  readonly #returned: number[] = []
  #closed = false
  readonly #interims: Interims
  readonly #backlog = { size: 0 }

  constructor(options: RecorderOptions, limits: RecorderLimits, folder: SpoolFolder, spool: Spool, reserve: string) {
    this.gateway = options.gateway
    this.#options = options
    this.#limits = limits
    this.#folder = folder
    this.#spool = spool
    this.#reserve = reserve
    this.#owed = new Unsealed(limits.retrySealMs)
    this.#formerNumber = options.ledger.lastSession()
    this.#lastNumber = this.#formerNumber
    this.#interims = new Interims(options.ledger, limits.interimMs)
  }

  async open(start: SessionStart): Promise<OpenSession> {
    if (this.#closed) throw new ApplianceError('RECORDER_FAILED', 'the recorder is closed')
    const { signer, store, ledger } = this.#options
    await this.#reserved()
    const saltKey = randomBytes(SALT_KEY_SIZE)
    const key = await EpochKey.make()
    const number = this.#returned.shift() ?? this.#nextNumber()
    const startedAt = new Date()
    const bornMs = performance.now()
    const id = sessionIdOf(startedAt, this.gateway, number)
    const info: SessionInfo = { ...start, id, gateway: this.gateway, number, startedAt: startedAt.toISOString() }
    const lossWindow = lossWindowOf(start.durability, this.#limits)
    const checkpoint = ledger.checkpoint?.() ?? null
    const statement = headerStatement({ info, epoch: key.publicKey, saltKey, bornMs, lossWindow, checkpoint })
    let opened = false
    try {
      const head = sha256(statement)
      const certificate = await certify(signer, 'header', statement)
      await this.#open(number, info, head)
      opened = true
      const slot = this.#spool.enrol(id) ?? (await this.#enrolLater(id))
      const segment = new Segment(id, 0, bornMs)
      const { gateway, algorithm, keyId, signature } = certificate
      const header = segment.begin(encodeRecord('header', [pack([statement, [gateway, algorithm, keyId, signature]])]))
      await Promise.all([
        this.#spool.sync(),
        putSurely(store, tapeKeys.salt(id), saltKey, this.#limits.patienceMs),
        appendSurely(store, header, this.#limits.patienceMs),
      ])
      this.#interims.stored(id, { chunks: 0, frames: 0, head })
      this.#options.onStored?.(id)
      const recorder = new SessionRecorder({
        info,
        spool: this.#spool,
        slot,
        store,
        limits: this.#limits,
        backlog: this.#backlog,
        codec: this.#options.codec ?? 'zstd',
        saltKey,
        chain: { n: 0, head, key },
        segment,
        bornMs,
        heard: () => this.#interims.heard,
        onBusy: (busy) => this.#watch(busy),
        onLastTry: () => this.#spend(),
        onFailed: (failed, error) => this.#failed(failed, error),
        onUnsealed: (again) => this.#owed.add(again),
        onStored: (point) => {
          this.#interims.stored(id, point)
          this.#options.onStored?.(id)
        },
        onSealed: async (sealed, seal) => {
          this.#sessions.delete(sealed)
          this.#options.onStored?.(id)
          const { reason, frameCount: frames, chunkCount: chunks, root } = seal
          await this.#interims.close({ type: 'session.close', session: id, number, reason, frames, chunks, root })
        },
      })
      this.#sessions.add(recorder)
      return { info, recorder }
    } catch (error) {
      if (opened) this.#failed({ info, nextSeq: 0 }, recorderFailed(error))
      throw recorderFailed(error)
    }
  }

  recover(): Promise<RecoveryReport> {
    const { store, signer, ledger, spoolFolder, codec } = this.#options
    return recoverSpools({
      root: spoolFolder,
      gateway: this.gateway,
      store,
      signer,
      ledger,
      codec: codec ?? 'zstd',
      patienceMs: this.#limits.patienceMs,
    })
  }

  async recoverOrphans(isSilent: (gateway: string) => boolean, signal?: AbortSignal): Promise<RecoveryReport> {
    const { store, signer, ledger, spoolFolder, codec = 'zstd' } = this.#options
    const { owned, claimed } = await spoolsIn(spoolFolder)
    const isStale = (gateway: string, number: number): boolean => {
      if (claimed.has(gateway)) return false
      return gateway === this.gateway ? number <= this.#formerNumber : !owned.has(gateway) && isSilent(gateway)
    }
    const { patienceMs } = this.#limits
    return recoverOrphans({ gateway: this.gateway, store, signer, ledger, codec, isStale, patienceMs }, signal)
  }

  waiting(): { readonly bytes: number; readonly oldestMs: number } {
    const nowMs = performance.now()
    let [bytes, oldestMs] = [0, 0]
    for (const { waiting } of this.#sessions) {
      bytes += waiting.size
      oldestMs = Math.max(oldestMs, nowMs - (waiting.sinceMs ?? nowMs))
    }
    return { bytes, oldestMs }
  }

  interim(): Promise<void> {
    return this.#interims.tell()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const ended = await Promise.allSettled([...this.#sessions].map((session) => session.seal('gateway.stop')))
    clearTimeout(this.#timer)
    await this.#owed.close()
    await this.#interims.stop()
    await this.#spool.close()
    await rm(this.#reserve, { force: true })
    await this.#folder.release()
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw recorderFailed(failed.reason)
  }

  /** Gives up the reserved bytes, so that what is open can be ended on a full disk. */
  async #spend(): Promise<void> {
    this.#spent = true
    await rm(this.#reserve, { force: true })
  }

  /** No session begins without the bytes for its end. */
  async #reserved(): Promise<void> {
    if (!this.#spent) return
    try {
      await writeReserve(this.#reserve, this.#limits)
      this.#spent = false
    } catch (error) {
      await rm(this.#reserve, { force: true })
      throw recorderFailed(error)
    }
  }

  #failed({ info, nextSeq }: Pick<SessionRecorder, 'info' | 'nextSeq'>, error: ApplianceError): void {
    const why = isTakenOver(error) ? 'another gateway has ended the tape' : error.message.slice(0, MAX_TOLD_CHARS)
    const what = `after ${nextSeq} frames: ${why}`
    const entry = { type: 'recording.failed', session: info.id, number: info.number, frames: nextSeq, what } as const
    const tell = (): Promise<void> => this.#options.ledger.append(entry)
    tell().catch(() => this.#owed.add(tell))
  }

  #nextNumber(): number {
    this.#lastNumber += 1
    return this.#lastNumber
  }

  /** The number is taken once this resolves. */
  async #open(number: number, info: SessionInfo, head: Buffer): Promise<void> {
    try {
      await this.#options.ledger.append({
        type: 'session.open',
        session: info.id,
        number,
        header: head.toString('hex'),
        identity: info.identity.subject,
        kind: info.identity.kind,
        target: info.target.name,
        policy: info.policy,
        durability: info.durability,
      })
    } catch (error) {
      // Where the outcome is open the entry may yet be written: the number is gone, and the session never was.
      if (error instanceof ApplianceError && error.code === 'STORE_FAILED') this.#failed({ info, nextSeq: 0 }, error)
      else this.#returned.push(number)
      throw error
    }
  }

  async #enrolLater(id: SessionId): Promise<ReturnType<Spool['enrol']> & object> {
    for (;;) {
      await this.#spool.room()
      const slot = this.#spool.enrol(id)
      if (slot !== undefined) return slot
    }
  }

  /** One timer for all sessions: chunks are due in the order in which they were begun. Idle sessions have none. */
  #watch(session: SessionRecorder): void {
    this.#busy.delete(session)
    this.#busy.add(session)
    this.#timer ??= this.#wakeIn(this.#limits.chunkAgeMs)
  }

  #wakeIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#closeDue(), ms)
  }

  #closeDue(): void {
    this.#timer = undefined
    const nowMs = performance.now()
    for (const session of [...this.#busy]) {
      const dueMs = session.dueMs
      if (dueMs !== undefined && dueMs > nowMs) {
        this.#timer = this.#wakeIn(Math.max(SHORTEST_WAIT_MS, dueMs - nowMs))
        return
      }
      this.#busy.delete(session)
      session.closeDue(nowMs)
      // Half a frame of it is in the spool: it is due again at once.
      if (session.dueMs !== undefined) this.#busy.add(session)
    }
    if (this.#busy.size > 0) this.#timer = this.#wakeIn(SHORTEST_WAIT_MS)
  }
}

/** Of an error's words in the ledger. */
const MAX_TOLD_CHARS = 300
/** Chunks due within this are closed together. */
const SHORTEST_WAIT_MS = 20
