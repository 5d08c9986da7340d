import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { LISTED_COMMAND_CHARS } from '../../../recorder/desk/desk.ts'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { OWN_MARK } from '../../../recorder/process-mark.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { ask, type DeskFixture, deskContract, deskTests, newClock } from './contract.ts'
import { peopleContract } from './contract-people.ts'

deskContract('folder desk', fixture)
peopleContract(deskTests('folder desk', fixture))

async function fixture(): Promise<DeskFixture & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-desk-'))
  const clock = newClock()
  return {
    folder,
    clock,
    open: async () => openFolderDesk(folder, () => clock.now),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

test('folder desk: nobody else may read what it keeps', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const { id } = await desk.request(ask())
  assert.equal((await stat(join(made.folder, `${id}.0000.json`))).mode & 0o777, 0o600)
  assert.equal((await stat(join(made.folder, 'by-binding'))).mode & 0o777, 0o700)
})

test('folder desk: a process that died between claiming and writing a request is finished by the next to ask', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const { id } = await desk.request(ask())
  await rm(join(made.folder, `${id}.0000.json`))
  assert.equal((await desk.request(ask())).id, id)
  assert.equal((await desk.get(id)).state, 'pending')
})

test('folder desk: a damaged file is named, never taken for a decision', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const { id } = await desk.request(ask())
  await writeFile(join(made.folder, `${id}.0001.json`), '{"kind":"decision","decision":{"act":"approve"}}')
  await assert.rejects(desk.consume(id), { code: 'STORE_FAILED', message: new RegExp(`${id}.0001.json`) })
})

test('folder desk: drafts and askers are cleaned up', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const { id } = await desk.request(ask())
  const outcome = desk.outcome(id, AbortSignal.timeout(30_000))
  await desk.decide(id, { act: 'approve' }, { subject: 'ana@example.org', kind: 'human', groups: ['dba'] })
  await outcome
  assert.deepEqual(await readdir(join(made.folder, 'askers')), [])
  assert.equal(
    (await readdir(made.folder)).some((name) => name.endsWith('.draft')),
    false,
  )
})

test('folder desk: an agent that asks in a loop is stopped, others and joined requests are not, and time helps', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const binding = (index: number): string => index.toString(16).padStart(64, '0')
  for (let index = 0; index < 200; index += 1) await desk.request(ask({ binding: binding(index) }))
  await assert.rejects(desk.request(ask({ binding: binding(200) })), { code: 'LIMIT_REACHED' })
  assert.equal((await desk.request(ask({ binding: binding(7) }))).state, 'pending')
  assert.equal((await desk.request(ask({ binding: binding(200), requester: 'agent:other' }))).state, 'pending')
  made.clock.now += 3_600_000
  assert.equal((await desk.request(ask({ binding: binding(201) }))).state, 'pending')
})

test('folder desk: a wire whose process died does not keep a request open', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const { id } = await desk.request(ask())
  const dead = spawnSync(process.execPath, ['-e', ''])
  const mark = { ...OWN_MARK, pid: dead.pid, started: '1' }
  await writeFile(join(made.folder, 'askers', `${id}.0000000000000000`), JSON.stringify(mark))
  await desk.withdraw(id)
  assert.equal((await desk.get(id)).state, 'withdrawn')
  assert.deepEqual(await readdir(join(made.folder, 'askers')), [])
})

test('folder desk: a list has the beginning of a long command, and says how long it is; what ended is not read again', async () => {
  await using made = await fixture()
  using desk = await made.open()
  const long = `${'x'.repeat(LISTED_COMMAND_CHARS - 1)}\u{1f600}${'y'.repeat(100)}`
  const asked = await desk.request(ask({ command: long }))
  const [listed] = await desk.list()
  assert.equal(listed?.commandChars, long.length)
  // Not half of a character.
  assert.equal(listed?.command, 'x'.repeat(LISTED_COMMAND_CHARS - 1))
  assert.equal((await desk.get(asked.id)).command, long)
  await desk.withdraw(asked.id)
  assert.equal((await desk.list())[0]?.state, 'withdrawn')
  await writeFile(join(made.folder, `${asked.id}.0000.json`), 'damaged')
  assert.deepEqual(
    (await desk.list()).map(({ id, state }) => [id, state]),
    [[asked.id, 'withdrawn']],
  )
})

test('folder desk: the ledger is told of every step by whoever makes it, and of one that ran out', async () => {
  await using made = await fixture()
  const told: LedgerEntry[] = []
  using desk = openFolderDesk(made.folder, () => made.clock.now, { append: async (entry) => void told.push(entry) })
  const { id, session } = await desk.request(ask())
  assert.equal((await desk.request(ask())).id, id)
  await desk.decide(id, { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['dba'] })
  await desk.consume(id)
  assert.deepEqual(
    told.map(({ type }) => type),
    ['approval.request', 'approval.decide', 'approval.consume'],
  )
  assert.ok(told.every((entry) => 'approval' in entry && entry.approval === id && entry.session === session))
  const gone = await desk.request(ask({ binding: 'f'.repeat(64) }))
  await desk.withdraw(gone.id)
  const late = await desk.request(ask({ binding: 'e'.repeat(64) }))
  made.clock.now = Date.parse(late.expiresAt)
  assert.deepEqual(await desk.outcome(late.id, new AbortController().signal), { act: 'expired' })
  assert.deepEqual(
    told.slice(3).map(({ type }) => type),
    ['approval.request', 'approval.withdraw', 'approval.request', 'approval.expire'],
  )
})

test('folder desk: what the ledger does not take is not asked for', async () => {
  await using made = await fixture()
  const away = { append: () => Promise.reject(new ApplianceError('RECORDER_FAILED', 'no ledger')) }
  using desk = openFolderDesk(made.folder, () => made.clock.now, away)
  await assert.rejects(desk.request(ask()), { code: 'RECORDER_FAILED' })
})

test('folder desk: the ledger has access from its beginning to its end, and who ended it', async () => {
  await using made = await fixture()
  const told: LedgerEntry[] = []
  using desk = openFolderDesk(made.folder, () => made.clock.now, { append: async (entry) => void told.push(entry) })
  const ana = { subject: 'ana', kind: 'human', groups: ['dba'] } as const
  const { id } = await desk.submit(ask({ about: 'access', access: { forMs: 60_000 } }))
  await desk.decide(id, { act: 'approve' }, ana)
  await desk.retract(id, ana, 'over')
  const late = await desk.submit(ask({ about: 'access', access: { forMs: 60_000 } }))
  await desk.decide(late.id, { act: 'approve' }, ana)
  made.clock.now += 60_000
  await desk.sweep()
  const access = told.flatMap((entry) => (entry.type === 'access.end' ? [[entry.grant, entry.reason, entry.actor]] : []))
  assert.deepEqual(access, [
    [id, 'over', 'ana'],
    [late.id, 'its time is over', undefined],
  ])
  assert.equal(told.filter(({ type }) => type === 'access.grant').length, 2)
})
