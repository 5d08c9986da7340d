import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { SharedWishes } from '../../gateway/shared-wishes.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'

const fail = (error: unknown): void => assert.fail(String(error))
const REACTION_MS = 30_000

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-wishes-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('each of many questions, the same among them, is granted once, and nothing stays behind', async (t) => {
  const path = await folder(t)
  const records = new FolderRecords(path)
  const granted: string[] = []
  await using asker = new SharedWishes(records, async () => false, fail)
  await using _third = new SharedWishes(new FolderRecords(path), async () => false, fail)
  await using _owner = new SharedWishes(
    new FolderRecords(path),
    async (name) => {
      if (name.startsWith('unknown')) return false
      granted.push(name)
      return true
    },
    fail,
  )
  const names = Array.from({ length: 15 }, (_, n) => `key-${n % 5}`)
  const answers = await Promise.all([...names, 'unknown'].map((name) => asker.ask(name, '')))
  assert.deepEqual(answers, [...names.map(() => true), false])
  assert.deepEqual(granted.sort(), names.sort())
  assert.equal(await asker.ask('key-1', ''), true)
  assert.equal(granted.filter((name) => name === 'key-1').length, 4, 'the next one is its own question')
  for (const untilMs = performance.now() + REACTION_MS; (await records.names('')).length > 0; ) {
    assert.ok(performance.now() < untilMs, `${await records.names('')}`)
    await records.next('', AbortSignal.timeout(REACTION_MS))
  }
})

test('a damaged question, and another asked before it, keep nobody from being heard', async (t) => {
  const path = await folder(t)
  const records = new FolderRecords(path)
  const errors: unknown[] = []
  await records.create('a.0000000000000000.json', 'no JSON')
  await records.create('fails.0000000000000000.json', '{"message":""}')
  await using _owner = new SharedWishes(
    new FolderRecords(path),
    async (name) => {
      if (name === 'fails') throw new Error('not now')
      return true
    },
    (error) => void errors.push(error),
  )
  await using asker = new SharedWishes(
    new FolderRecords(path),
    async () => false,
    () => undefined,
  )
  assert.equal(await asker.ask('b', ''), true)
  assert.equal(errors.length, 2)
})

test('records that cannot be heard for a while are told of, and followed again', async (t) => {
  const path = await folder(t)
  const errors: unknown[] = []
  const records = new FolderRecords(path)
  let away = 2
  const next = records.next.bind(records)
  records.next = async (...asked) => {
    if (away === 0) return next(...asked)
    away -= 1
    throw new Error('no folder')
  }
  await using _owner = new SharedWishes(
    records,
    async () => true,
    (error) => void errors.push(error),
  )
  await using asker = new SharedWishes(new FolderRecords(path), async () => false, fail)
  while (away > 0) assert.equal(await asker.ask('b', ''), true)
  assert.equal(await asker.ask('b', ''), true)
  assert.equal(errors.length, 2)
})
