import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { serialize } from 'pg-protocol'
import { replay } from '../../../gateway/cli/replay.ts'
import { readLines } from '../../../recorder/index.ts'
import { COMPLETE, REFUSAL, recorded, terminal } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
test('a replay shows who, every frame in order with its verdict, and how the tape ends', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  assert.equal(await replay(id, {}, cli), 0)
  const text = cli.text()
  assert.match(text, new RegExp(`^session ${id}\n  who      agent-7 \\(agent, for ada, key:k1\\)`))
  const order = [
    'query: SELECT 1',
    'complete: SELECT 1',
    'BLOCKED by no-drop',
    'query: DROP TABLE orders',
    'error: ERROR 42501: blocked',
    'outcome=none',
  ]
  const places = order.map((words) => text.indexOf(words))
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
    text,
  )
  assert.ok(!places.includes(-1), text)
  assert.match(
    text,
    /end of the tape: 5 frames, sealed: the client left\nshown, not verified: .* sallyport verify --session \S+\n$/,
  )
})

test('what is to be verified is named as the store has it, not as a changed tape calls itself, and safely', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  await rename(join(folder.path, 'tapes', id), join(folder.path, 'tapes', 'other\u001b[2J'))
  const cli = terminal(folder)
  assert.equal(await replay('other', {}, cli), 0)
  assert.match(cli.text(), /sallyport verify --session other\\x1b\[2J\n$/)
})

test('--json gives one object per frame with the body as recorded, --frame only that one', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const all = terminal(folder)
  await replay(id, { json: true }, all)
  const frames = all
    .text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    frames.map(({ seq, dir, kind, released }) => [seq, dir, kind, released]),
    [
      [0, 'in', 'query', true],
      [1, 'out', 'reply', true],
      [2, 'in', 'query', false],
      [3, 'out', 'refusal', true],
      [4, 'note', 'approval', false],
    ],
  )
  assert.deepEqual(Buffer.from(frames[2].body, 'base64'), Buffer.from(serialize.query('DROP TABLE orders')))
  const one = terminal(folder)
  await replay(id, { json: true, frame: 3 }, one)
  assert.equal(JSON.parse(one.text()).seq, 3)
})

test('--raw out writes exactly what the client received', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const run = (dir: string) =>
    spawnSync(process.execPath, [join(ROOT, 'gateway/main.ts'), 'replay', id, '--raw', dir], { cwd: folder.path })
  const { stdout, stderr } = run('out')
  assert.deepEqual(stdout, Buffer.concat([COMPLETE, REFUSAL]), stderr.toString())
  assert.deepEqual(run('in').stdout, Buffer.from(serialize.query('SELECT 1')), 'what was blocked never went on')
})

test('a session is found by the end of its id, and one that is not there is said so', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  assert.equal(await replay(id.slice(-8), {}, terminal(folder)), 0)
  await assert.rejects(replay('nobody', {}, terminal(folder)), { code: 'STORE_MISSING' })
})

test('a frame that is not there is said so, with those that are, and nobody is noted to have seen it', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  await assert.rejects(replay(id, { frame: 5 }, cli), {
    code: 'STORE_MISSING',
    message: `there is no frame 5: ${id} has frames 0 to 4`,
  })
  await assert.rejects(replay(id, { frame: 5, raw: 'out' }, cli), { code: 'STORE_MISSING' })
  assert.equal(cli.text(), '')
  for await (const { entry } of readLines(folder.store)) assert.notEqual(entry?.statement['type'], 'evidence.view')
})

test('who looks is in the ledger before it is shown, as at the console; who has a copy alone is told that nobody will know', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  assert.equal(await replay(id, { frame: 3, purpose: 'case 7', json: true }, cli), 0)
  const last = async () => {
    let statement: Readonly<Record<string, unknown>> = {}
    for await (const { entry } of readLines(folder.store)) if (entry !== undefined) statement = entry.statement
    return statement
  }
  const { type, proof, session, what, first, last: to, purpose, gateway } = await last()
  assert.deepEqual(
    [type, proof, session, what, first, to, purpose, gateway],
    ['evidence.view', 'os', id, 'replay', 3, 3, 'case 7', 'gw1-cli'],
  )
  assert.doesNotMatch(cli.text(), /not noted/)

  await rm(join(folder.path, 'keys/gateway.key'))
  const { n } = await last()
  const copy = terminal(folder)
  assert.equal(await replay(id, {}, copy), 0)
  assert.match(copy.text(), /^sallyport: this is not noted in the ledger: there is no key of its gateway here\n/)
  assert.equal((await last())['n'], n)
})
