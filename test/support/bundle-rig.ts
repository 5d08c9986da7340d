import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describers } from '../../gateway/protocols/describers.ts'
import type { BundleParts, BundleWish, CreatedBundle } from '../../recorder/bundle/create-bundle.ts'
import { createBundle } from '../../recorder/bundle/create-bundle.ts'
import { StoreLedger } from '../../recorder/ledger/store-ledger.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { ZipSource } from '../../schemas/verify/zip.ts'
import { MemoryStore } from './memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from './recording.ts'

export const FROM = new Date('2026-01-01T00:00:00Z')
export const TO = new Date('2100-01-01T00:00:00Z')

type Change = Partial<BundleWish & Pick<BundleParts, 'timestamps' | 'files'>>

/** A store with sessions of every kind of end, and a ledger that tells of them. */
export interface BundleRig extends AsyncDisposable {
  readonly folder: RecordingFolder
  readonly store: MemoryStore
  /** Sealed, with blocked and masked messages. */
  readonly sealed: readonly string[]
  /** Never ended. */
  readonly live: string
  /** Deleted under a rule; its objects are gone. */
  readonly deleted: string
  told: LedgerEntry[]
  parts(store?: MemoryStore): BundleParts
  wish(name: string, change?: Change): BundleWish
  make(name: string, change?: Change, store?: MemoryStore): Promise<CreatedBundle>
}

export async function bundleRig(count = 4): Promise<BundleRig> {
  const folder = await recordingFolder()
  const { signer } = folder
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer, origin: 'log.example/test' })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  await ledger.append({ type: 'policy.activate', policy: 'ab'.repeat(32) })
  const room = await folder.room({ store, ledger })
  const blocked = { act: 'block', rules: ['no-drop'], policy: 'abababababab' } as const
  const record = async () => {
    const opened = await room.open({ ...START, target: { ...START.target, protocol: 'echo' } })
    const say = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), Buffer.from(text)])
    for (let n = 0; n < 3; n += 1)
      await opened.recorder.append(
        [
          entry({ kind: 'say', body: say(`=statement ${n}`), facts: { statements: 1 } }),
          entry({ dir: 'out', kind: 'reply', body: say('row'), facts: { rows: 2 } }),
        ],
        { durable: true },
      )
    await opened.recorder.append([entry({ kind: 'say', body: say('drop'), verdict: blocked })], { durable: true })
    return opened
  }
  const sealed: string[] = []
  for (let n = 0; n < count; n += 1) {
    const { info, recorder } = await record()
    await recorder.seal('client.left')
    sealed.push(info.id)
  }
  const gone = await record()
  await gone.recorder.seal('client.left')
  const deleted = gone.info.id
  const by = { actor: '=otto', proof: 'key:k1' }
  await ledger.append({ type: 'evidence.view', ...by, what: 'tape', session: sealed[0] ?? '', purpose: 'a look, "quoted"' })
  await ledger.append({
    type: 'approval.request',
    approval: 'A-1',
    requester: 'agent-7',
    rules: ['r'],
    binding: 'x',
    approvers: { groups: ['dba'], count: 1 },
    expiresAt: '2026-02-01T00:00:00Z',
  })
  await ledger.append({ type: 'approval.decide', approval: 'A-1', act: 'approve', actor: 'grace', reason: 'fine' })
  await ledger.append({ type: 'retention.delete', ...by, session: deleted, rule: 'after-90-days', objects: 2 })
  for (const key of [...store.objects.keys()]) if (key.includes(deleted)) store.objects.delete(key)
  const live = (await record()).info.id
  await ledger.publish()
  const told: LedgerEntry[] = []
  const rig: BundleRig = {
    folder,
    store,
    sealed,
    live,
    deleted,
    told,
    parts: (from = store) => ({
      store: from,
      trusted: [signer],
      signer,
      tool: '0.0.0',
      describers,
      files: new Map([['verify/README', async () => Buffer.from('verify me\n')]]),
      tell: async (said) => void told.push(said),
    }),
    wish: (name, change = {}) => ({
      from: FROM,
      to: TO,
      framework: 'soc2',
      scope: { target: [], identity: [] },
      seed: 'seed-1',
      sampleSize: 3,
      verify: 'all',
      path: join(folder.path, name),
      by: { actor: 'ada', proof: 'os' },
      ...change,
    }),
    make: (name, { timestamps, files, ...change } = {}, from) => {
      const more = { ...(timestamps === undefined ? {} : { timestamps }), ...(files === undefined ? {} : { files }) }
      return createBundle({ ...rig.parts(from), ...more }, rig.wish(name, change))
    },
    async [Symbol.asyncDispose]() {
      await room.close()
      await ledger.close()
      await folder[Symbol.asyncDispose]()
    },
  }
  return rig
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Every entry of an archive into a folder. */
export async function unpack(path: string, folder: string): Promise<void> {
  const bytes = await readFile(path)
  const zip = await ZipSource.open({ size: bytes.length, read: async (from, to) => bytes.subarray(from, to) })
  for (const name of zip.names()) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), await zip.get(name))
  }
}
