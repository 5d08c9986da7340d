import assert from 'node:assert/strict'
import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PolicyContext } from '../../gateway/policy/check.ts'
import { lineChanges, PolicyKeeper } from '../../gateway/policy-keeper.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import type { LedgerEntry } from '../../recorder/ledger/ledger.ts'

const OPEN = 'version: 1\nrules: []\n'
const STRICT = 'version: 1\nrules:\n  - { id: a, action: block }\n'
const GUARDED = `version: 1\nactivation: { approval: { groups: [dba], count: 2 } }\nrules: []\n`
const CHANGED = 'version: 1\nrules:\n  - { id: b, action: block }\n'

async function world(text: string) {
  const home = await mkdtemp(join(tmpdir(), 'keeper-'))
  const file = join(home, 'policy.yaml')
  const records = new FolderRecords(join(home, 'policy'))
  await writeFile(file, text)
  const desk = openFolderDesk(join(home, 'desk'))
  const entries: LedgerEntry[] = []
  const told: string[] = []
  const activated: string[] = []
  const kept: string[] = []
  return {
    file,
    desk,
    entries,
    told,
    activated,
    kept,
    records,
    open: (context: PolicyContext = {}) => PolicyKeeper.open({ file, records, context }),
    following: {
      desk,
      ledger: {
        append: async (entry: LedgerEntry) => {
          entries.push(entry)
        },
      },
      keep: async ({ hash }: { hash: string }) => void kept.push(hash),
      approvalTtlMs: 60_000,
      onActivated: ({ hash }: { hash: string }) => activated.push(hash),
      onRefused: (why: string) => told.push(why),
    } as never,
    [Symbol.dispose]: () => desk[Symbol.dispose](),
  }
}

test('a changed file comes into force, in the ledger first; a mistake in it changes nothing', async () => {
  using at = await world(OPEN)
  await using keeper = await at.open()
  const { hash: previous } = keeper.current
  await keeper.look(at.following)
  assert.deepEqual(at.entries, [], 'nothing changed')
  await writeFile(at.file, 'version: 1\nrules: [{ id: a, acton: block }]')
  await keeper.look(at.following)
  assert.equal(keeper.current.hash, previous)
  assert.match(at.told[0] ?? '', /did you mean "action"/)
  await keeper.look(at.following)
  assert.equal(at.told.length, 1, 'told once')
  await writeFile(at.file, STRICT)
  await keeper.look(at.following)
  const { hash } = keeper.current
  assert.deepEqual(at.activated, [hash])
  assert.deepEqual(at.kept, [hash])
  assert.deepEqual(
    at.entries.map((entry) => ({ ...(entry as object), by: 'x' })),
    [{ type: 'policy.activate', policy: hash, previous, by: 'x' }],
  )
})

test('where the policy in force asks for approvals a change waits for them, also over a restart, and is used once', async () => {
  using at = await world(GUARDED)
  await using keeper = await at.open()
  const { hash: guarded } = keeper.current
  await writeFile(at.file, CHANGED)
  await keeper.look(at.following)
  await keeper.look(at.following)
  assert.equal(keeper.current.hash, guarded)
  const [request, ...more] = await at.desk.list()
  assert.ok(request !== undefined && more.length === 0)
  assert.deepEqual([request.about, request.kind, request.approvers], ['policy', 'policy.activate', { groups: ['dba'], count: 2 }])
  assert.match(request.command, /- activation: [^\n]*\n- rules: \[\]\n\+ rules:\n\+ {3}- \{ id: b/)
  await using again = await at.open()
  assert.equal(again.current.hash, guarded, 'a restart puts nothing in force')
  const approve = (subject: string) => at.desk.decide(request.id, { act: 'approve' }, { subject, kind: 'human', groups: ['dba'] })
  await approve('ada')
  await keeper.look(at.following)
  assert.equal(keeper.current.hash, guarded, 'one of two')
  await approve('grace')
  await keeper.look(at.following)
  assert.notEqual(keeper.current.hash, guarded)
  assert.equal((at.entries[0] as { request?: string }).request, request.id)
  assert.equal((await at.desk.get(request.id)).state, 'consumed')
  await again.look(at.following)
  assert.equal(again.current.hash, keeper.current.hash, 'the other process learns of it')
  await using third = await at.open()
  assert.equal(third.current.hash, keeper.current.hash)
})

test('a rejected change stays out until the file is changed again', async () => {
  using at = await world(GUARDED)
  await using keeper = await at.open()
  await writeFile(at.file, CHANGED)
  await keeper.look(at.following)
  const [request] = await at.desk.list()
  await at.desk.decide(
    request?.id ?? '',
    { act: 'reject', reason: 'too strict' },
    { subject: 'ada', kind: 'human', groups: ['dba'] },
  )
  await keeper.look(at.following)
  await keeper.look(at.following)
  assert.equal((await at.desk.list()).length, 1)
  await writeFile(at.file, GUARDED)
  await keeper.look(at.following)
  assert.deepEqual(at.activated, [])
})

test('what people read of a change is what stands between the first and the last line that differ', () => {
  assert.equal(lineChanges('a\nb\nc\n', 'a\nx\ny\nc\n'), '@@ line 2 @@\n- b\n+ x\n+ y')
  assert.equal(lineChanges('a\n', 'a\nb\n'), '@@ line 2 @@\n+ b')
})

test('nothing is left lying about', async () => {
  using at = await world(OPEN)
  await using keeper = await at.open()
  await keeper.look(at.following)
  assert.deepEqual(await readdir(join(at.file, '..', 'policy')), ['in-force.yaml'])
})

test('a policy and the groups it names are changed together at a restart: what was in force before is asked only where it asks for approval', async () => {
  const holding = (group: string, more = ''): string =>
    `version: 1\n${more}rules: [{ id: a, action: hold, approval: { groups: [${group}] } }]\n`
  using at = await world(holding('old'))
  await (await at.open({ groups: new Set(['old']) }))[Symbol.asyncDispose]()
  await writeFile(at.file, holding('new'))
  await using _renamed = await at.open({ groups: new Set(['new']) })
  assert.equal(await at.records.read('in-force.yaml'), holding('new'))
  for (const damaged of [holding('gone', 'activation: { approval: { groups: [new] } }\n'), 'rules: [', '']) {
    await at.records.replace('in-force.yaml', damaged)
    await assert.rejects(at.open({ groups: new Set(['new']) }), {
      code: 'POLICY_INVALID',
      message: /policy\/in-force\.yaml in the data folder/,
    })
    assert.equal(await at.records.read('in-force.yaml'), damaged, 'it is left as it is')
  }
})
