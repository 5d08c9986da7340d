import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Ledger } from '../../../recorder/ledger/ledger.ts'
import type { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { recoverSpools } from '../../../recorder/tape/recover.ts'
import { recoverOrphans } from '../../../recorder/tape/recover-orphans.ts'
import { verifyStore } from '../../../recorder/tape/verify-path.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { makeSigner, openTestLedger, readLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

const LATER_MS = 120_000

interface Opened {
  readonly store: MemoryStore
  readonly id: string
  /** All of a tape's first append. */
  readonly header: Buffer
}

/** A gateway died as soon as its ledger had `session.open`: the store has no object of the tape. */
async function opened(folder: RecordingFolder): Promise<Opened> {
  const store = new MemoryStore()
  const ledger = await openTestLedger(store, folder.signer, { gateway: 'gw1-gone', publish: false })
  const room = await folder.room({ store, gateway: 'gw1-gone', ledger })
  const { info } = await room.open(START)
  const died = store.copy()
  const header = Buffer.from(store.objects.get(tapeKeys.segment(info.id, 0)) ?? '')
  for (const key of [tapeKeys.salt(info.id), tapeKeys.segment(info.id, 0)]) assert.ok(died.objects.delete(key))
  return { store: died, id: info.id, header }
}

function recover(folder: RecordingFolder, store: MemoryStore, by: string, ledger: Ledger) {
  const isStale = (gateway: string): boolean => gateway === 'gw1-gone'
  return recoverOrphans({ gateway: by, store, signer: folder.signer, ledger, codec: 'zstd', isStale, patienceMs: 100 })
}

function replica(folder: RecordingFolder, store: MemoryStore, name: string): Promise<StoreLedger> {
  return openTestLedger(store, folder.signer, { gateway: name, publish: false })
}

async function verdictOf(folder: RecordingFolder, store: MemoryStore, id: string): Promise<string> {
  const found = await verifyStore(store, 'here', { gatewayKeys: [folder.signer], nowMs: Date.now() + LATER_MS })
  const { verdict = '', state = '', problems = [] } = found.tapes.find(({ session }) => session === id) ?? {}
  return `${verdict} ${state}: ${problems.map(({ what }) => what).join('; ')}`
}

test('a session that the ledger opened and of which there is nothing is ended as absent, by one of several that try at once', async () => {
  await using folder = await recordingFolder()
  const { store, id } = await opened(folder)
  assert.match(await verdictOf(folder, store, id), /^INVALID missing: .*no word of its end/)
  const ledgers = await Promise.all(['gw1-a', 'gw1-b', 'gw1-c'].map((name) => replica(folder, store, name)))
  const reports = await Promise.all(ledgers.map((ledger, index) => recover(folder, store, `gw1-${'abc'[index]}`, ledger)))
  assert.deepEqual(
    reports.flatMap(({ sessions, problems }) => [...sessions.map(({ outcome }) => outcome), ...problems]),
    ['absent'],
  )
  const { entries } = await readLedger(store, [folder.signer])
  assert.equal(entries.filter(({ statement }) => statement.type === 'session.recover').length, 1)
  assert.match(await verdictOf(folder, store, id), /^VALID-INCOMPLETE absent: .*before anything of it was stored/)
  // Whoever comes later, and has read the ledger, has nothing to do.
  const late = await replica(folder, store, 'gw1-d')
  assert.deepEqual(await recover(folder, store, 'gw1-d', late), { sessions: [], problems: [] })
})

test('so is one whose header was cut at any byte', async () => {
  await using folder = await recordingFolder()
  const { store: died, id, header } = await opened(folder)
  for (let size = 0; size < header.length; size += size < 24 || size > header.length - 40 ? 1 : 37) {
    const store = died.copy()
    store.objects.set(tapeKeys.salt(id), Buffer.alloc(32, 7))
    store.objects.set(tapeKeys.segment(id, 0), header.subarray(0, size))
    const report = await recover(folder, store, 'gw1-a', await replica(folder, store, 'gw1-a'))
    assert.deepEqual([report.problems, report.sessions.length], [[], 1], `cut at ${size}`)
    assert.match(await verdictOf(folder, store, id), /^VALID-INCOMPLETE absent/, `cut at ${size}`)
  }
})

test('a restart on the same machine ends it at once, whether or not the spool had heard of it', async () => {
  await using folder = await recordingFolder()
  const { store, id } = await opened(folder)
  const root = join(folder.path, 'spools')
  for (const from of ['with', 'without']) {
    const copy = store.copy()
    await rm(root, { recursive: true, force: true })
    await mkdir(join(root, 'gw1-gone'), { recursive: true })
    await writeFile(join(root, 'gw1-gone', 'lock'), '')
    if (from === 'with') {
      await cp(join(folder.path, 'spool', 'gw1-gone'), join(root, 'gw1-gone'), { recursive: true })
      await rm(join(root, 'gw1-gone', 'lock'))
    }
    const ledger = await replica(folder, copy, 'gw1-new')
    const parts = {
      root,
      gateway: 'gw1-new',
      store: copy,
      signer: folder.signer,
      ledger,
      codec: 'zstd',
      patienceMs: 100,
    } as const
    const { sessions, problems } = await recoverSpools(parts)
    assert.deepEqual([sessions.map(({ outcome }) => outcome), problems], [['absent'], []], from)
    assert.match(await verdictOf(folder, copy, id), /^VALID-INCOMPLETE absent/, from)
  }
})

for (const [state, frames] of [
  ['whole', 2],
  ['damaged in the first of them', 0],
] as const)
  test(`a session of which the spool has frames, ${state}, is not called absent where its tape was removed, and is ended once that is back`, async () => {
    await using folder = await recordingFolder()
    const store = new MemoryStore()
    const ledger = await openTestLedger(store, folder.signer, { gateway: 'gw1-gone', publish: false })
    const room = await folder.room({ store, gateway: 'gw1-gone', ledger })
    const { info, recorder } = await room.open(START)
    const died = store.copy()
    for (const text of ['first', 'second']) await recorder.append([entry({ body: Buffer.from(text) })])
    const root = join(folder.path, 'spools')
    const spool = join(root, 'gw1-gone')
    await cp(join(folder.path, 'spool', 'gw1-gone'), spool, { recursive: true })
    await rm(join(spool, 'lock'))
    if (frames === 0) {
      const file = join(spool, (await readdir(spool)).find((name) => name.endsWith('.wal')) ?? '')
      const bytes = await readFile(file)
      bytes.write('F', bytes.indexOf('first'))
      await writeFile(file, bytes)
    }
    const tape = [...died.objects].filter(([key]) => key.startsWith(tapeKeys.prefix(info.id)))
    for (const [key] of tape) died.objects.delete(key)
    const start = async () => {
      const again = await replica(folder, died, 'gw1-new')
      const parts = { root, gateway: 'gw1-new', store: died, signer: folder.signer, ledger: again, codec: 'zstd' } as const
      return recoverSpools({ ...parts, patienceMs: 100 })
    }
    const { sessions, problems } = await start()
    const missing = problems.filter(({ code }) => code === 'STORE_MISSING')
    assert.deepEqual([sessions, missing.map(({ session }) => session)], [[], [info.id]], JSON.stringify(problems))
    assert.match(await verdictOf(folder, died, info.id), /^INVALID missing: .*no word of its end/)
    for (const [key, bytes] of tape) died.objects.set(key, bytes)
    const [ended] = (await start()).sessions
    assert.deepEqual([ended?.outcome, ended?.recovered], ['recovered', frames])
    assert.match(await verdictOf(folder, died, info.id), /^VALID-INCOMPLETE recovered/)
  })

test('a process that lives after all can no longer begin the tape, and releases nothing', async () => {
  await using folder = await recordingFolder()
  const shared = new MemoryStore()
  const slow = new FaultyStore(shared)
  const ledger = await replica(folder, shared, 'gw1-gone')
  const room = await folder.room({ store: slow, gateway: 'gw1-gone', ledger })
  let letGo = (): void => undefined
  slow.gate = new Promise((resolve) => {
    letGo = resolve
  })
  const open = room.open(START)
  const other = await replica(folder, shared, 'gw1-a')
  while (other.unended(() => true).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    await other.catchUp()
  }
  const [id = ''] = other.unended(() => true)
  assert.equal((await recover(folder, shared, 'gw1-a', other)).sessions.length, 1)
  letGo()
  await assert.rejects(open, { code: 'RECORDER_FAILED' })
  await room.close()
  assert.match(await verdictOf(folder, shared, id), /^VALID-INCOMPLETE absent/)
})

test('a session that could not even begin is absent too, also where half of its header is there', async () => {
  await using folder = await recordingFolder()
  const shared = new MemoryStore()
  const store = new FaultyStore(shared)
  const ledger = await replica(folder, shared, 'gw1')
  const room = await folder.room({ store, ledger, limits: { patienceMs: 20 } })
  store.fault = (operation) => (operation === 'append' ? 'half-done' : undefined)
  await assert.rejects(room.open(START), { code: 'RECORDER_FAILED' })
  const id = [...shared.objects.keys()].flatMap((key) => /^tapes\/([^/]+)\/salt$/.exec(key)?.[1] ?? [])[0] ?? ''
  await room.close()
  assert.match(await verdictOf(folder, shared, id), /^VALID-INCOMPLETE absent: .*could not be recorded: after 0 frames/)
})

test('a stranger’s opening is ended by nobody, and a tape that is there is left alone', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const stranger = makeSigner('gw1')
  const forged = await openTestLedger(store, stranger, { gateway: 'gw1-gone', publish: false })
  const by = { identity: 'x', target: 'x', policy: 'x', durability: 'disk', header: 'ab' } as const
  await forged.append({ type: 'session.open', session: '20261120T120000Z-gw1-gone-00000007', number: 7, ...by })
  const room = await folder.room({ store, gateway: 'gw1-gone', ledger: await replica(folder, store, 'gw1-gone') })
  await room.open(START)
  const ledger = await replica(folder, store, 'gw1-a')
  assert.equal(ledger.unended(() => true).length, 1)
  const { sessions } = await recover(folder, store, 'gw1-a', ledger)
  assert.deepEqual(
    sessions.map(({ outcome }) => outcome),
    ['recovered'],
  )
})
