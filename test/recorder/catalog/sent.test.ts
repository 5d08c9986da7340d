import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Catalog } from '../../../recorder/catalog/catalog.ts'
import { openDatabase } from '../../../recorder/catalog/database.ts'
import type { Entry } from '../../../schemas/frame.ts'
import { writeSession } from '../../support/catalog-session.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

const DESCRIBERS = new URL('../../../gateway/protocols/describers.ts', import.meta.url).href
const NOTE = { rules: ['ask'], approval: 'A-00000001', policy: 'abababababab' } as const

const line = (text: string, part: Partial<Entry> = {}) =>
  entry({ kind: 'line', channel: 1, body: Buffer.from(text), facts: { statements: 1 }, ...part })

test('a line of a terminal, which nothing answers by itself, is sent and never running; one that is held waits', async () => {
  await using folder = await recordingFolder()
  await using catalog = await Catalog.open({
    store: { folder: folder.path },
    keys: join(folder.path, 'keys'),
    database: { folder: join(folder.path, 'catalog', 'pg') },
    secret: 'of this test',
    findings: {},
    describers: DESCRIBERS,
    onProblem: (problem) => assert.fail(problem),
  })
  const room = await folder.room()
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol: 'ssh' } })
  const outcomes = async () => {
    await catalog.settle()
    const { statements } = await catalog.statements(info.id, {})
    return statements.map(({ text, outcome, durationUs }) => [text, outcome, durationUs])
  }
  const held = line('reboot', { verdict: { act: 'hold', ...NOTE } })
  // A block closes the chunk at once, so that all of it is in the store.
  const refused = line('rm -rf /', { verdict: { act: 'block', rules: ['no'], policy: 'abababababab' } })
  await recorder.append([line('ls'), held, refused])
  assert.deepEqual(await outcomes(), [
    ['ls', 'sent', null],
    ['reboot', 'running', null],
    ['rm -rf /', 'refused', 0],
  ])
  await recorder.append([line('reboot', { verdict: { act: 'allow', ...NOTE } })])
  await recorder.seal('client.left')
  assert.deepEqual((await outcomes())[1], ['reboot', 'sent', null])
})

test('a catalog of version 11 says so too of what has ended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-sent-'))
  try {
    const open = () => openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
    let database = await open()
    const said = [{ outcome: 'running' }, { outcome: 'complete' }]
    await writeSession(database, Date.UTC(2026, 10, 20), said, { protocol: 'ssh' })
    await writeSession(database, Date.UTC(2026, 10, 21), said, { protocol: 'ssh', state: 'live' })
    await database.exec('update catalog.version set version = 11')
    await database.close()
    database = await open()
    const { rows } = await database.query<{ outcome: string }>('select outcome from catalog.statements order by session, frame')
    await database.close()
    assert.deepEqual(
      rows.map(({ outcome }) => outcome),
      ['sent', 'complete', 'running', 'complete'],
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
