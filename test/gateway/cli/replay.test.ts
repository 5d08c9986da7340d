import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { serialize } from 'pg-protocol'
import type { Cli } from '../../../gateway/cli/context.ts'
import { replay } from '../../../gateway/cli/replay.ts'
import { sessions } from '../../../gateway/cli/sessions.ts'
import { BACKEND, message, nulTerminated } from '../../../gateway/protocols/postgres/messages.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const COMPLETE = message(BACKEND.commandComplete, nulTerminated('SELECT 1'))
const REFUSAL = message(BACKEND.error, ...['SERROR', 'C42501', 'Mblocked', ''].map(nulTerminated))

/** A session with a released and a blocked statement, recorded and sealed, and the configuration that finds it. */
async function recorded(folder: RecordingFolder): Promise<string> {
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const blocked = { act: 'block', rules: ['no-drop'], policy: 'abababababab' } as const
  await recorder.append([
    entry({ kind: 'query', body: serialize.query('SELECT 1') }),
    entry({ dir: 'out', kind: 'reply', body: COMPLETE }),
    entry({ kind: 'query', body: serialize.query('DROP TABLE orders'), verdict: blocked }),
    entry({ dir: 'out', kind: 'refusal', body: REFUSAL }),
    entry({ dir: 'note', kind: 'approval', facts: { outcome: 'none' } }),
  ])
  await recorder.seal('the client left')
  await writeFile(
    join(folder.path, 'sallyport.yaml'),
    `gateway: gw1
dataDir: .
policy: policy.yaml
listeners: { postgres: { address: '127.0.0.1:0' } }
targets:
  - name: shop
    protocol: postgres
    host: 127.0.0.1
    port: 5432
    groups: [agents]
    credential: { user: u, password: { env: NOT_SET_WHERE_EVIDENCE_IS_READ } }
`,
  )
  return info.id
}

function terminal(folder: RecordingFolder): Cli & { readonly text: () => string } {
  const written: string[] = []
  const out = (text: string): void => void written.push(text)
  return { env: {}, cwd: folder.path, out, err: out, text: () => written.join('') }
}

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
  assert.match(text, /end of the tape: 5 frames, sealed: the client left\n$/)
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

test('sessions lists the newest first, with what their seals say', async () => {
  await using folder = await recordingFolder()
  const first = await recorded(folder)
  const room = await folder.room({ gateway: 'gw2' })
  const { info } = await room.open({ ...START, identity: { ...START.identity, subject: '\u001b[31magent-8' } })
  const cli = terminal(folder)
  assert.equal(await sessions({}, cli), 0)
  const [head, ...rows] = cli.text().trimEnd().split('\n')
  assert.match(head ?? '', /^SESSION +WHO +TARGET +STATE/)
  assert.match(rows[0] ?? '', new RegExp(`^${info.id} +\\\\x1b\\[31magent-8 +shop +open`))
  assert.match(rows[1] ?? '', new RegExp(`^${first} +agent-7 +shop +sealed +5 `))
  const json = terminal(folder)
  await sessions({ json: true }, json)
  assert.deepEqual(
    JSON.parse(json.text()).map(({ id, state }: { id: string; state: string }) => [id, state]),
    [
      [info.id, 'open'],
      [first, 'sealed'],
    ],
  )
})
