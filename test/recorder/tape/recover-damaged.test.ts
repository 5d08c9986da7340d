import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { type RecoveryReport, recoverSpools } from '../../../recorder/tape/recover.ts'
import { recoverOrphans } from '../../../recorder/tape/recover-orphans.ts'
import { lookAtSpools } from '../../../recorder/tape/spool-folder.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

interface Died {
  readonly id: string
  readonly spool: string
}

/** Two gateways that died, each with frames 0 to 8 of one session accepted, of which the store lacks the last. */
let folder: RecordingFolder
const tapes = new MemoryStore()
let a: Died
let b: Died
let root: string
const lets: (() => void)[] = []
const entries: LedgerEntry[] = []

/** Appends do not wait for a store that is held, however slow the machine is. */
const NEVER_MS = 600_000

async function die(gateway: string, tag: string): Promise<Died> {
  const store = new FaultyStore(tapes)
  const room = await folder.room({ store, gateway, limits: { budgetMs: NEVER_MS } })
  const { info, recorder } = await room.open(START)
  for (let index = 0; index < 6; index += 1)
    await recorder.append([entry({ body: Buffer.from(`<${tag}${index}>`) })], { durable: index % 2 === 0 })
  while ((await openTape(store, info.id)).frameCount < 5) await new Promise(setImmediate)
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  lets.push(resolve)
  for (let index = 6; index < 9; index += 1) await recorder.append([entry({ body: Buffer.from(`<${tag}${index}>`) })])
  const spool = join(folder.path, `died-${gateway}`)
  await cp(join(folder.path, 'spool', gateway), spool, { recursive: true })
  await rm(join(spool, 'lock'))
  return { id: info.id, spool }
}

before(async () => {
  folder = await recordingFolder()
  root = join(folder.path, 'spools')
  a = await die('gw-a', 'a')
  b = await die('gw-b', 'b')
})
after(async () => {
  for (const resolve of lets) resolve()
  await folder[Symbol.asyncDispose]()
})
beforeEach(async () => {
  entries.length = 0
  await rm(root, { recursive: true, force: true })
  await mkdir(root)
})

const ledger = {
  append: async (one: LedgerEntry): Promise<void> => void entries.push(one),
  lastSession: () => 0,
  close: async () => undefined,
}

function recover(store: MemoryStore): Promise<RecoveryReport> {
  return recoverSpools({ root, gateway: 'gw2', store, signer: folder.signer, ledger, codec: 'zstd', patienceMs: 100 })
}

function endOrphans(store: MemoryStore, dead: string): Promise<RecoveryReport> {
  const isStale = (gateway: string): boolean => gateway === dead
  return recoverOrphans({ gateway: 'gw2', store, signer: folder.signer, ledger, codec: 'zstd', patienceMs: 100, isStale })
}

async function bodies(store: MemoryStore, { id }: Died): Promise<string> {
  const seen: string[] = []
  for await (const frame of (await openTape(store, id)).frames())
    seen.push(
      Buffer.from(frame.body ?? [])
        .toString()
        .replaceAll(/[<>]/g, ''),
    )
  const { verdict, state } = await verifyTape(store, id, { gatewayKeys: [folder.signer] })
  return `${seen.join(' ')} ${verdict} ${state}`
}

const ALL_OF_A = 'a0 a1 a2 a3 a4 a5 a6 a7 a8 VALID-INCOMPLETE recovered'

async function change(path: string, work: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readFile(path)
  work(bytes)
  await writeFile(path, bytes)
}

function flip(bytes: Buffer, at: number): void {
  assert.ok(at >= 0)
  bytes[at] = (bytes[at] ?? 0) ^ 1
}

function put(died: Died, name: string): Promise<void> {
  return cp(died.spool, join(root, name), { recursive: true })
}

test('a damaged record with a whole one behind it: what is before is recovered, the rest is told, and the spool is set aside', async () => {
  await put(a, 'gw-a')
  await change(join(root, 'gw-a', '00000001.wal'), (bytes) => flip(bytes, bytes.indexOf('<a7>')))
  const store = tapes.copy()
  const { sessions, problems } = await recover(store)
  assert.equal(await bodies(store, a), 'a0 a1 a2 a3 a4 a5 a6 VALID-INCOMPLETE recovered')
  assert.equal(problems.length, 1)
  assert.deepEqual([problems[0]?.spool, problems[0]?.file, problems[0]?.code], ['gw-a', '00000001.wal', 'SPOOL_MALFORMED'])
  // The two frames that are lost to the tape.
  assert.ok((sessions[0]?.discardedBytes ?? 0) > 30)
  const [told] = entries
  assert.ok(told?.type === 'session.recover')
  assert.equal(told.discardedBytes, sessions[0]?.discardedBytes)
  const kept = problems[0]?.kept ?? ''
  assert.match(kept, /^\.kept~gw2~\d+~gw-a$/)
  assert.ok((await readFile(join(root, kept, '00000001.wal'))).includes('<a8>'))
  // Later starts have nothing to do with it; who looks is told.
  assert.deepEqual(await recover(store), { sessions: [], problems: [] })
  assert.deepEqual(await lookAtSpools(root), { kept: [kept], foreign: [] })
})

for (const [what, harm] of [
  ['damaged in its first record', (bytes: Buffer) => flip(bytes, 0)],
  ['of another version', (bytes: Buffer) => bytes.write('3', bytes.indexOf('sallyport spool 2') + 16)],
  ['of random bytes', (bytes: Buffer) => bytes.fill(0xa5)],
] as const) {
  test(`a spool ${what} is never removed, and told once`, async () => {
    await put(a, 'gw-a')
    await put(b, 'gw-b')
    await change(join(root, 'gw-a', '00000001.wal'), harm)
    const harmed = await readFile(join(root, 'gw-a', '00000001.wal'))
    const store = tapes.copy()
    const { sessions, problems } = await recover(store)
    assert.deepEqual(
      sessions.map(({ id }) => id),
      [b.id],
    )
    assert.deepEqual(
      problems.map(({ file, code }) => [file, code]),
      [['00000001.wal', 'SPOOL_MALFORMED']],
    )
    assert.match(problems[0]?.message ?? '', /another version/)
    assert.ok((await readFile(join(root, problems[0]?.kept ?? '', '00000001.wal'))).equals(harmed))
    assert.deepEqual(await recover(store), { sessions: [], problems: [] })
    // Its session is known all the same, by its opening: the ledger has a word on it, and its tape is never VALID.
    entries.length = 0
    await endOrphans(store, 'gw-a')
    assert.deepEqual(
      entries.map((one) => one.type === 'session.recover' && [one.session, one.spool, one.outcome, one.recovered]),
      [[a.id, '', 'recovered', 0]],
    )
    assert.match(await bodies(store, a), /^a0 .* VALID-INCOMPLETE recovered$/)
  })
}

test('a file of another spool in a spool is on no tape; the spool’s own are, and nothing is removed', async () => {
  for (const name of ['00000000.wal', 'zz.wal']) {
    await rm(root, { recursive: true, force: true })
    await put(a, 'gw-a')
    await cp(join(b.spool, '00000001.wal'), join(root, 'gw-a', name))
    const store = tapes.copy()
    for (const outcome of ['recovered', 'already']) {
      const { sessions, problems } = await recover(store)
      assert.deepEqual([sessions.map((one) => one.outcome), problems.map(({ file }) => file)], [[outcome], [name]])
      assert.match(problems[0]?.message ?? '', /of the spool of gw-b/)
    }
    assert.equal(await bodies(store, a), ALL_OF_A)
    assert.match(await bodies(store, b), /^b0 .*b[45] VALID-INCOMPLETE open$/)
    const [left = ''] = await readdir(root)
    assert.ok((await readdir(join(root, left))).includes(name))
  }
})

test('where two files claim the same place nothing is recovered, and nothing removed', async () => {
  await put(a, 'gw-a')
  await cp(join(a.spool, '00000001.wal'), join(root, 'gw-a', '00000009.wal'))
  const store = tapes.copy()
  for (const _ of [1, 2]) {
    const { sessions, problems } = await recover(store)
    assert.deepEqual([sessions.length, problems.length], [0, 1])
    assert.match(problems[0]?.message ?? '', /the same file as 00000001.wal/)
  }
  await rm(join(root, (await readdir(root))[0] ?? '', '00000009.wal'))
  assert.deepEqual((await recover(store)).problems, [])
  assert.equal(await bodies(store, a), ALL_OF_A)
  assert.deepEqual(await readdir(root), [])
})

test('a spool under another’s name is recovered onto nothing', async () => {
  await put(a, 'gw-b')
  const store = tapes.copy()
  const { sessions, problems } = await recover(store)
  assert.deepEqual([sessions.length, problems[0]?.file], [0, '00000001.wal'])
})

test('what is no spool is left alone and named, whatever it is', async () => {
  await put(a, 'gw-a')
  await mkdir(join(root, 'my-notes', 'deep'), { recursive: true })
  await writeFile(join(root, 'my-notes', 'deep', 'x'), 'precious')
  for (const name of ['lost+found', 'empty']) await mkdir(join(root, name))
  for (const name of ['README', '.DS_Store']) await writeFile(join(root, name), 'x')
  await symlink(join(root, 'my-notes'), join(root, 'gw-link'))
  const foreign = ['.DS_Store', 'README', 'empty', 'gw-link', 'lost+found', 'my-notes']
  const store = tapes.copy()
  const report = await recover(store)
  assert.deepEqual([report.sessions.map(({ outcome }) => outcome), report.problems, report.foreign], [['recovered'], [], foreign])
  assert.equal(await bodies(store, a), ALL_OF_A)
  assert.deepEqual((await readdir(root)).sort(), foreign)
  assert.equal(await readFile(join(root, 'my-notes', 'deep', 'x'), 'utf8'), 'precious')
  assert.deepEqual((await lookAtSpools(root)).foreign.toSorted(), foreign)
})

test('what is not readable in a spool is named, and the others are recovered', async () => {
  await put(b, 'gw-b')
  const harms: readonly [string, (at: string) => Promise<unknown>][] = [
    ['folder.wal', (at) => mkdir(at)],
    ['link.wal', (at) => symlink('nowhere', at)],
    ['00000001.wal', (at) => truncate(at, 3 * 2 ** 30)],
    ['notes.txt', (at) => writeFile(at, 'x')],
  ]
  for (const [name, harm] of harms) {
    const store = tapes.copy()
    await put(a, 'gw-a')
    await harm(join(root, 'gw-a', name))
    const { problems } = await recover(store)
    assert.deepEqual(
      problems.map(({ file, code, kept }) => [file, code, kept !== undefined]),
      [[name, 'SPOOL_MALFORMED', true]],
      problems[0]?.message,
    )
    assert.equal(await bodies(store, a), ALL_OF_A)
    assert.match(await bodies(store, b), name === 'folder.wal' ? /b8 VALID-INCOMPLETE recovered/ : /open$/)
  }
})

test('a lock that is a folder stops nobody', async () => {
  await put(a, 'gw-a')
  await put(b, 'gw-b')
  await mkdir(join(root, 'gw-a', 'lock'))
  const store = tapes.copy()
  for (const outcomes of [['recovered'], []]) {
    const { sessions, problems } = await recover(store)
    assert.deepEqual(
      sessions.map(({ outcome }) => outcome),
      outcomes,
    )
    assert.deepEqual([problems.length, problems[0]?.spool, problems[0]?.code], [1, 'gw-a', 'SPOOL_MALFORMED'])
  }
  assert.ok((await readdir(join(root, 'gw-a'))).includes('00000001.wal'))
})

test('a gateway takes its name where a lock is none, and says so where a stranger has it', async () => {
  const spool = join(folder.path, 'spool')
  await mkdir(join(spool, 'gw-c', 'lock'), { recursive: true })
  await writeFile(join(spool, 'gw-c', '00000001.wal'), 'x')
  const room = await folder.room({ gateway: 'gw-c' })
  const { problems } = await room.recover()
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['SPOOL_MALFORMED'],
  )
  await writeFile(join(spool, 'gw-d'), 'x')
  await mkdir(join(spool, 'gw-e'))
  await writeFile(join(spool, 'gw-e', 'notes'), 'x')
  for (const gateway of ['gw-d', 'gw-e'])
    await assert.rejects(folder.room({ gateway }), { code: 'CONFIG_INVALID', message: /in the way/ })
})
