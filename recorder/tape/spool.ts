import { randomBytes } from 'node:crypto'
import { writeSync, writevSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ApplianceError } from '../../schemas/errors.ts'
import { syncFolder } from '../files.ts'
import type { FrameEncoder } from './frame-encoder.ts'
import { GroupSync } from './group-sync.ts'
import type { RecorderLimits } from './limits.ts'
import { SpoolFile } from './spool-file.ts'
import {
  beginRecord,
  CRC_SIZE,
  SPOOL_HEAD_SIZE,
  type SpoolKind,
  type SpoolMark,
  spoolSeed,
  writeSpoolHead,
} from './spool-record.ts'
import { type SpoolClaim, SpoolSlot } from './spool-slot.ts'

/** The one system call of the release path; tests put faults here. Returns the bytes written. */
export type WriteNow = (fd: number, buffers: readonly Uint8Array[], position: number) => number

export interface SpoolOptions {
  /** Whose it is: every file says so. */
  readonly gateway: string
  readonly limits: Pick<RecorderLimits, 'walSize' | 'walReserveSize' | 'walCount' | 'patienceMs'>
  readonly write?: WriteNow
  readonly createFile?: typeof SpoolFile.create
}

/**
 * The durable local queue between gate and store: one write-ahead log per process, shared by its sessions so that one sync serves
 * all that wait. What is written survives the process; what is synced survives the machine's power. Files whose frames are all in
 * the store are used again.
 */
export class Spool {
  readonly #folder: string
  readonly #limits: SpoolOptions['limits']
  readonly #write: WriteNow
  readonly #createFile: typeof SpoolFile.create
  /** Small records are put together here: one buffer is quicker to write than two. */
  readonly #record = Buffer.alloc(SPOOL_HEAD_SIZE + JOINED_SIZE)
  readonly #head = this.#record.subarray(0, SPOOL_HEAD_SIZE)
  readonly #headChecked = this.#record.subarray(CRC_SIZE, SPOOL_HEAD_SIZE)
  /** Views of the first bytes of `#record`, by their number: those of one session's records repeat, and a view costs as much as the copy. */
  readonly #views: (RecordView | undefined)[] = []
  readonly #mark: Pick<SpoolMark, 'gateway' | 'spool'>
  readonly #seed: number
  readonly #slots = new Set<SpoolSlot>()
  readonly #full: SpoolFile[] = []
  #current: SpoolFile
  #next: SpoolFile | undefined
  /** Kept from removal for the file after the next: making one writes as many bytes again as it will hold. */
  #spare: SpoolFile | undefined
  #preparing: Promise<void> | undefined
  #lastFile = 0
  /** For names; a file keeps its name, and gets a new number in each life. */
  #lastName = 1
  #lastSlot = 0
  readonly #syncs = new GroupSync(() => this.#syncDirty())
  #broken: ApplianceError | undefined
  #closed = false
  #wakers: (() => void)[] = []

  private constructor(folder: string, options: SpoolOptions, first: SpoolFile) {
    this.#folder = folder
    this.#limits = options.limits
    this.#write = options.write ?? writeNow
    this.#createFile = options.createFile ?? SpoolFile.create
    this.#mark = { gateway: options.gateway, spool: randomBytes(SPOOL_ID_SIZE).toString('hex') }
    this.#seed = spoolSeed({ ...this.#mark, reused: false })
    this.#current = first
    this.#begin(first)
  }

  /** `folder` must exist and be ours alone. Rejects with the system's error when the first file does not fit on the disk. */
  static async open(folder: string, options: SpoolOptions): Promise<Spool> {
    const first = await (options.createFile ?? SpoolFile.create)(fileName(folder, 1), options.limits.walSize)
    await syncFolder(folder)
    let spool: Spool
    try {
      spool = new Spool(folder, options, first)
    } catch (error) {
      await first.remove()
      throw error
    }
    void spool.#prepare()
    return spool
  }

  /** Names a session; false when there is no room right now. */
  enrol(session: string): SpoolSlot | undefined {
    this.#lastSlot += 1
    const slot = new SpoolSlot(this.#lastSlot, session)
    if (!this.#put(slot, 'enrol', Buffer.from(session), false, false)) return undefined
    this.#slots.add(slot)
    return slot
  }

  /**
   * Writes at most SPOOL_PIECE_SIZE bytes of the session's stream of frames; in the file when it returns true.
   * False: no room; wait for `room()`. `lastWords` may use the reserve. Throws RECORDER_FAILED when the disk does not take it.
   */
  frames(slot: SpoolSlot, piece: Uint8Array, beginsFrame: boolean, lastWords = false): boolean {
    if (!this.#put(slot, 'frames', piece, beginsFrame, lastWords)) return false
    slot.count(this.#current, piece.length)
    this.#current.pending += piece.length
    return true
  }

  /** As `frames`, what an encoder has written from `from` on. */
  encoded(slot: SpoolSlot, encoder: FrameEncoder, from: number): boolean {
    const size = encoder.size - from
    if (size > JOINED_SIZE) return this.frames(slot, encoder.slice(from, encoder.size), true)
    const file = this.#fileFor(SPOOL_HEAD_SIZE + size, false)
    if (file === undefined) return false
    encoder.copyTo(this.#record, SPOOL_HEAD_SIZE, from)
    this.#putJoined(file, slot, 'frames', true, size)
    slot.count(file, size)
    file.pending += size
    return true
  }

  /** The session is sealed and in the store. */
  dismiss(slot: SpoolSlot): void {
    this.#slots.delete(slot)
    // Without room this is left out: recovery then finds a sealed tape and nothing to do.
    this.#put(slot, 'dismiss', new Uint8Array(0), false, true)
  }

  /** Resolves when everything written before the call is on the disk. One sync serves all who wait. */
  sync(): Promise<void> {
    return this.#broken === undefined ? this.#syncs.wait() : Promise.reject(this.#broken)
  }

  /** Resolves when there is room again; rejects RECORDER_FAILED after the limits' patience. */
  async room(): Promise<void> {
    const deadline = performance.now() + this.#limits.patienceMs
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken
      if (this.#next !== undefined) return
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) throw this.#fullError()
      const preparing = this.#prepare()
      if (preparing !== undefined) await preparing
      if (this.#next === undefined) await this.#released(leftMs)
    }
  }

  /** These frames are in the store. */
  release(claim: SpoolClaim): void {
    for (const [file, size] of claim) {
      file.pending -= size
      if (file.pending === 0 && file !== this.#current) this.#recycle(file)
    }
  }

  /** Closes and removes the files; only when nothing in them is needed any more. Otherwise they stay for recovery. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#preparing
    await this.#syncs.idle()
    const files = [...this.#full, this.#current, this.#next, this.#spare].filter((file) => file !== undefined)
    if (this.#slots.size === 0 && files.every((file) => file.pending === 0)) for (const file of files) await file.remove()
  }

  #put(slot: SpoolSlot, kind: SpoolKind, payload: Uint8Array, beginsFrame: boolean, lastWords: boolean): boolean {
    const size = SPOOL_HEAD_SIZE + payload.length
    const file = this.#fileFor(size, lastWords)
    if (file === undefined) return false
    if (payload.length <= JOINED_SIZE) {
      this.#record.set(payload, SPOOL_HEAD_SIZE)
      this.#putJoined(file, slot, kind, beginsFrame, payload.length)
      return true
    }
    writeSpoolHead(this.#head, file.number, slot.number, kind, beginsFrame, payload.length)
    this.#head.writeUInt32BE(crc32(payload, crc32(this.#headChecked, this.#seed)), 0)
    this.#writeFully(file, [this.#head, payload], size)
    this.#wrote(file, size)
    return true
  }

  /** The file with room for so much; undefined where there is none now. */
  #fileFor(size: number, lastWords: boolean): SpoolFile | undefined {
    if (this.#broken !== undefined) throw this.#broken
    const reserve = lastWords ? 0 : this.#limits.walReserveSize
    if (this.#current.position + size > this.#current.size - reserve) {
      if (this.#next === undefined) {
        void this.#prepare()
        return undefined
      }
      this.#roll(this.#next)
      if (this.#current.position + size > this.#current.size - reserve)
        throw new ApplianceError('RECORDER_FAILED', `a spool file of ${this.#current.size} bytes has no room for ${size}`)
    }
    return this.#current
  }

  /** The payload stands in `#record` already. */
  #putJoined(file: SpoolFile, slot: SpoolSlot, kind: SpoolKind, beginsFrame: boolean, payloadSize: number): void {
    const record = this.#record
    const size = SPOOL_HEAD_SIZE + payloadSize
    writeSpoolHead(record, file.number, slot.number, kind, beginsFrame, payloadSize)
    const view = this.#viewOf(size)
    record.writeUInt32BE(crc32(view.checked, this.#seed), 0)
    this.#writeFully(file, view.whole, size)
    this.#wrote(file, size)
  }

  #viewOf(size: number): RecordView {
    const known = this.#views[size]
    if (known !== undefined) return known
    const view = { whole: [this.#record.subarray(0, size)], checked: this.#record.subarray(CRC_SIZE, size) }
    if (size <= MAX_VIEW_SIZE) this.#views[size] = view
    return view
  }

  #wrote(file: SpoolFile, size: number): void {
    // In bulk a full file is back from the store long before the current one is half full: then none has to be made.
    const half = file.size >> 1
    if (file.position <= half && file.position + size > half) void this.#prepare()
    file.position += size
    file.dirty = true
  }

  /** On failure the position stays: what was half written is written over, and meanwhile does not pass its CRC. */
  #writeFully(file: SpoolFile, buffers: readonly Uint8Array[], size: number, position = file.position): void {
    try {
      let written = this.#write(file.fd, buffers, position)
      if (written === size) return
      const rest = Buffer.concat(buffers)
      while (written < size) {
        const more = this.#write(file.fd, [rest.subarray(written)], position + written)
        if (more <= 0) throw new Error(`only ${written} of ${size} bytes were written`)
        written += more
      }
    } catch (error) {
      this.#blank(file, position, size)
      throw new ApplianceError('RECORDER_FAILED', `the spool cannot be written: ${messageOf(error)}`, { cause: error })
    }
  }

  /** What is half there would look like damage once something shorter is written over it. */
  #blank(file: SpoolFile, position: number, size: number): void {
    try {
      this.#write(file.fd, [Buffer.alloc(size)], position)
    } catch (error) {
      // The disk takes nothing at all: recovery will say what it finds.
      this.#lastProblem = messageOf(error)
    }
  }

  /** A new life of the file; where its first bytes cannot be written it is as before. */
  #begin(file: SpoolFile): void {
    const record = beginRecord(this.#lastFile + 1, { ...this.#mark, reused: file.number > 0 })
    this.#writeFully(file, [record], record.length, 0)
    this.#lastFile += 1
    file.begin(this.#lastFile, record.length)
  }

  #roll(next: SpoolFile): void {
    const old = this.#current
    this.#begin(next)
    this.#current = next
    this.#next = this.#spare
    this.#spare = undefined
    if (old.pending === 0) this.#recycle(old)
    else this.#full.push(old)
    // Each file names the sessions alive, so that old files can go.
    for (const slot of this.#slots) this.#put(slot, 'enrol', Buffer.from(slot.session), false, true)
  }

  /** Makes the next file in the background; undefined when there is one, or as many as there may be. */
  #prepare(): Promise<void> | undefined {
    if (this.#next !== undefined || this.#closed || this.#full.length + 1 >= this.#limits.walCount) return undefined
    this.#preparing ??= this.#createNext().finally(() => {
      this.#preparing = undefined
      this.#wake()
    })
    return this.#preparing
  }

  /** A file that cannot be made (disk full) is tried again by whoever needs it, until its patience ends. */
  async #createNext(): Promise<void> {
    this.#lastName += 1
    try {
      const file = await this.#createFile(fileName(this.#folder, this.#lastName), this.#limits.walSize)
      await syncFolder(this.#folder)
      if (this.#next === undefined) this.#next = file
      else await file.remove()
    } catch (error) {
      this.#lastProblem = messageOf(error)
    }
  }

  #lastProblem = ''

  #recycle(file: SpoolFile): void {
    const at = this.#full.indexOf(file)
    if (at >= 0) this.#full.splice(at, 1)
    if (this.#closed) {
      this.#full.push(file)
      return
    }
    void this.#syncs.idle().then(async () => {
      try {
        if (this.#next === undefined) this.#next = file
        else if (this.#spare === undefined) this.#spare = file
        else await file.remove()
      } catch (error) {
        this.#lastProblem = messageOf(error)
      }
      this.#wake()
    })
  }

  async #syncDirty(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    try {
      for (const file of [...this.#full, this.#current]) if (file.dirty) await file.sync()
    } catch (error) {
      // After a failed sync the kernel may have dropped the pages: nothing in this spool can be promised any more.
      this.#broken = new ApplianceError('RECORDER_FAILED', `the spool cannot be synced: ${messageOf(error)}`, { cause: error })
      throw this.#broken
    }
  }

  #fullError(): ApplianceError {
    const why = this.#lastProblem === '' ? 'the store does not take what waits' : this.#lastProblem
    return new ApplianceError('RECORDER_FAILED', `the spool has been full for ${this.#limits.patienceMs} ms: ${why}`)
  }

  /** Resolves at the next release, or after a while. */
  #released(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(withinMs, RETRY_MS))
      this.#wakers.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #wake(): void {
    const wakers = this.#wakers
    this.#wakers = []
    for (const wake of wakers) wake()
  }
}

/** Up to this, copying costs less than a second buffer in the system call. */
const JOINED_SIZE = 8 << 10

/** Of larger records a view is made each time. */
const MAX_VIEW_SIZE = 1024

interface RecordView {
  readonly whole: readonly Uint8Array[]
  readonly checked: Uint8Array
}

function writeNow(fd: number, buffers: readonly Uint8Array[], position: number): number {
  const [only] = buffers
  return only !== undefined && buffers.length === 1
    ? writeSync(fd, only, 0, only.length, position)
    : writevSync(fd, buffers, position)
}

const SPOOL_ID_SIZE = 16

/** Between two tries to make a file on a full disk. */
const RETRY_MS = 100

function fileName(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(8, '0')}.wal`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
