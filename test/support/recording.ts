import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type GatewaySigner,
  openFileSigner,
  openRecorder,
  type RecorderRoom,
  type SessionStart,
  StoreLedger,
} from '../../recorder/index.ts'
import type { Store } from '../../recorder/store/store.ts'
import { FileStore } from '../../recorder/store/store-file.ts'
import type { RecorderLimits } from '../../recorder/tape/limits.ts'
import type { RecorderOptions } from '../../recorder/tape/room.ts'
import type { Entry, Masked } from '../../schemas/frame.ts'

/** Small spool files: a test must not write 64 MiB of zeros. */
export const TEST_LIMITS: Partial<RecorderLimits> = { walSize: 1 << 20, walReserveSize: 1 << 16, diskReserveSize: 1 << 16 }

export const START: SessionStart = {
  identity: { subject: 'agent-7', kind: 'agent', groups: ['agents'], principal: 'ada', proof: 'key:k1' },
  target: { name: 'shop', protocol: 'postgres', host: '127.0.0.1', port: 5432, database: 'shop', labels: { env: 'test' } },
  client: '127.0.0.1:40000',
  policy: 'ab'.repeat(32),
  durability: 'process',
  claims: { application_name: 'psql' },
}

/** What a test says the masker has been over. */
export function entry(part: Partial<Entry> = {}): Masked<Entry> {
  const whole: Entry = { dir: 'in', channel: 0, kind: 'query', facts: {}, body: null, masks: null, verdict: null, ...part }
  return whole as Masked<Entry>
}

export interface RecordingFolder extends AsyncDisposable {
  readonly path: string
  readonly store: FileStore
  readonly signer: GatewaySigner
  /** A room on this folder, closed with it. */
  room(
    options?: Partial<Pick<RecorderOptions, 'gateway' | 'store' | 'limits' | 'spool' | 'codec' | 'ledger' | 'onStored'>>,
  ): Promise<RecorderRoom>
}

/** A data folder of its own, removed in the end. */
export async function recordingFolder(): Promise<RecordingFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-recording-'))
  const store = new FileStore(path)
  const signer = await openFileSigner(join(path, 'keys'), 'gw1')
  const ends: (() => Promise<void>)[] = []
  return {
    path,
    store,
    signer,
    async room(options = {}) {
      const gateway = options.gateway ?? 'gw1'
      const ledger = options.ledger ?? (await StoreLedger.open({ store, gateway, signer }))
      const given: Store = options.store ?? store
      const room = await openRecorder({
        gateway,
        store: given,
        signer,
        spoolFolder: join(path, 'spool'),
        ledger,
        ...(options.codec === undefined ? {} : { codec: options.codec }),
        ...(options.spool === undefined ? {} : { spool: options.spool }),
        ...(options.onStored === undefined ? {} : { onStored: options.onStored }),
        limits: { ...TEST_LIMITS, ...options.limits },
      })
      // The room first: it still seals, and tells the ledger.
      ends.push(
        () => room.close(),
        () => ledger.close(),
      )
      return room
    },
    async [Symbol.asyncDispose]() {
      for (const end of ends) await end().catch(() => undefined)
      await rm(path, { recursive: true, force: true })
    },
  }
}
