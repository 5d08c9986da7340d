import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { Catalog } from '../../../recorder/catalog/catalog.ts'
import type { StatementRow } from '../../../schemas/api.ts'
import type { Entry } from '../../../schemas/frame.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

const DESCRIBERS = new URL('../../../gateway/protocols/describers.ts', import.meta.url).href
const NOTE = { policy: 'abababababab' } as const

const query = (text: string, part: Partial<Entry> = {}) => entry({ kind: 'query', body: serialize.query(text), ...part })
const reply = (statement: number, facts: Entry['facts'], part: Partial<Entry> = {}) =>
  entry({ dir: 'out', kind: 'reply', body: Buffer.alloc(10), facts: { statement, ...facts }, ...part })

const HOSTILE = [
  '\ud800 lone',
  'nul is the end',
  `'; drop schema catalog cascade; --`,
  '\u202e\u200b\x1b]0;x\x07',
  '%_\\',
  'é'.repeat(40_000),
  '{"a":1}',
  '$1',
]

test('what is in the catalog is what is on the tapes: rebuilt, restarted or followed live, the same rows', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const open = (): Promise<Catalog> =>
    Catalog.open({
      store: { folder: folder.path },
      keys: join(folder.path, 'keys'),
      database: { folder: join(folder.path, 'catalog', 'pg') },
      secret: 'of this test',
      findings: {},
      describers: DESCRIBERS,
      onProblem: (problem) => problems.push(problem),
    })
  const dump = async (catalog: Catalog): Promise<unknown> => {
    await catalog.settle()
    const { sessions } = await catalog.sessions({}, null)
    return Promise.all(sessions.map(async ({ id }) => [await catalog.session(id), await catalog.statements(id, { limit: 1000 })]))
  }
  const problems: string[] = []
  let first: unknown
  {
    await using catalog = await open()
    const held = { act: 'hold', rules: ['no-where'], approval: 'A-00000001', ...NOTE } as const
    const { info, recorder } = await room.open(START)
    await recorder.append([
      query('SELECT 1'),
      reply(
        1,
        { rows: 5 },
        { verdict: { act: 'mask', rules: ['pii'], ...NOTE }, masks: { labels: [['email', 'pii']], spans: new Uint8Array(32) } },
      ),
      reply(1, { tag: 'SELECT 5', status: 'I' }),
      query('DROP TABLE orders', { verdict: { act: 'block', rules: ['no-drop'], ...NOTE } }),
      query('DELETE FROM carts', { verdict: held }),
      entry({ dir: 'note', kind: 'approval', facts: { outcome: 'consumed' }, verdict: held }),
      query('DELETE FROM carts', { verdict: { ...held, act: 'allow' } }),
      reply(3, { tag: 'DELETE 3', status: 'I' }),
      query('DELETE FROM users', { verdict: { ...held, approval: 'A-00000002' } }),
      query('DELETE FROM users', { verdict: { ...held, act: 'block', approval: 'A-00000002' } }),
      query('SELEC'),
      reply(5, { sqlstate: '42601', status: 'I' }),
      query('SELECT * FROM carts'),
      reply(6, { rows: 10 }),
      // Held in its middle, and let on.
      reply(6, { rows: 5, tag: 'SELECT 15', status: 'I' }, { body: null, verdict: { ...held, approval: 'A-00000003' } }),
      reply(6, { rows: 5, tag: 'SELECT 15', status: 'I' }),
      query('SELECT * FROM stock'),
      reply(7, { rows: 10 }),
      reply(7, { rows: 5, tag: 'SELECT 15', status: 'I' }, { body: null, verdict: { ...held, approval: 'A-00000004' } }),
      // Blocks last: they close the chunk at once, so that all of it is in the store.
      query('SELECT * FROM orders'),
      reply(8, { rows: 50 }),
      reply(
        8,
        { rows: 900, sqlstate: '57014', status: 'I' },
        { body: null, verdict: { act: 'block', rules: ['rows'], ...NOTE } },
      ),
    ])
    await catalog.settle()
    const { statements } = await catalog.statements(info.id, {})
    const brief = ({ text, outcome, verdict, rows, approval }: StatementRow) => [text, outcome, verdict, rows, approval]
    assert.deepEqual(statements.map(brief), [
      ['SELECT 1', 'complete', 'mask', 5, null],
      ['DROP TABLE orders', 'refused', 'block', 0, null],
      ['DELETE FROM carts', 'complete', 'hold', 0, 'A-00000001'],
      ['DELETE FROM users', 'refused', 'block', 0, 'A-00000002'],
      ['SELEC', 'error', null, 0, null],
      ['SELECT * FROM carts', 'complete', 'hold', 15, 'A-00000003'],
      ['SELECT * FROM stock', 'cut', 'hold', 10, 'A-00000004'],
      ['SELECT * FROM orders', 'cut', 'block', 50, null],
    ])
    const live = await catalog.session(info.id)
    assert.deepEqual(
      [live?.state, live?.statements, live?.rows, live?.masked, live?.approvals],
      ['live', 8, 80, 2, ['A-00000001', 'A-00000002', 'A-00000003', 'A-00000004']],
    )

    await recorder.append(HOSTILE.map((text) => query(text)))
    await recorder.seal('client.left')
    const other = await room.open({
      ...START,
      claims: { 'a\0b': '\0', application_name: '\u202e' },
      identity: { ...START.identity, subject: '\u202eevil\0' },
    })
    await other.recorder.append([query('SELECT 2')])
    await other.recorder.seal('client.left')
    first = await dump(catalog)
    const sealed = await catalog.session(info.id)
    assert.deepEqual([sealed?.state, sealed?.endReason, sealed?.statements], ['sealed', 'client.left', 8 + HOSTILE.length])
    const hostile = (await catalog.statements(info.id, { fromFrame: 22 })).statements
    assert.deepEqual(
      hostile.map(({ text }) => text),
      HOSTILE.map((text) => Buffer.from(text).toString('utf8').slice(0, 16_384)),
    )
    assert.deepEqual(hostile.filter(({ textCut }) => textCut).length, 1)
    assert.ok(hostile.every(({ outcome }) => outcome === 'cut'))
    await catalog.rebuild()
    assert.deepEqual(await dump(catalog), first)
  }
  await using again = await open()
  assert.deepEqual(await dump(again), first)
  assert.deepEqual(problems, [])
})

test('scope, cursors and files that cannot be opened', async (t) => {
  await using folder = await recordingFolder()
  const { recorder, info } = await (await folder.room()).open(START)
  await recorder.append([query('SELECT 1')])
  const problems: string[] = []
  const pg = join(folder.path, 'catalog', 'pg')
  await mkdir(pg, { recursive: true })
  await writeFile(join(pg, 'PG_VERSION'), 'garbage')
  await using catalog = await Catalog.open({
    store: { folder: folder.path },
    keys: join(folder.path, 'keys'),
    database: { folder: pg },
    secret: 'of this test',
    findings: {},
    describers: DESCRIBERS,
    onProblem: (problem) => problems.push(problem),
  })
  await catalog.settle()
  await t.test('damaged files are set aside, told of, and made anew from the tapes', async () => {
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', /could not be opened/)
    assert.equal((await catalog.session(info.id))?.state, 'live')
  })
  await t.test('a scope of no targets finds nothing, whatever is asked', async () => {
    assert.deepEqual((await catalog.sessions({}, [])).sessions, [])
    assert.deepEqual((await catalog.sessions({ text: 'SELECT' }, ['vault'])).sessions, [])
    assert.equal((await catalog.sessions({ text: 'select' }, ['shop'])).sessions.length, 1)
  })
  await t.test('a cursor nobody gave is refused', async () => {
    await assert.rejects(catalog.sessions({ cursor: 'AAAA' }, null), { code: 'API_INVALID' })
    await assert.rejects(catalog.statements(info.id, { cursor: 'AAAA' }), { code: 'API_INVALID' })
  })
  await recorder.seal('client.left')
})

test('a page of long statements ends early, however many were asked for, and the next goes on where it ended', async () => {
  await using folder = await recordingFolder()
  const { recorder, info } = await (await folder.room()).open(START)
  const texts = Array.from({ length: 50 }, (_, n) => `SELECT ${n} -- ${'x'.repeat(20_000)}`)
  await recorder.append(texts.map((text) => query(text)))
  await recorder.seal('client.left')
  await using catalog = await Catalog.open({
    store: { folder: folder.path },
    keys: join(folder.path, 'keys'),
    database: { folder: join(folder.path, 'catalog', 'pg') },
    secret: 'of this test',
    findings: {},
    describers: DESCRIBERS,
    onProblem: assert.fail,
  })
  await catalog.settle()
  const found: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await catalog.statements(info.id, { limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    assert.ok(page.statements.length > 0 && page.statements.length <= 32)
    found.push(...page.statements.map(({ text }) => text.slice(0, 10)))
    cursor = page.next ?? undefined
    pages += 1
  } while (cursor !== undefined)
  assert.equal(pages, 2)
  assert.deepEqual(
    found,
    texts.map((text) => text.slice(0, 10)),
  )
})

/** Loaded by the catalog's thread in front of the files': between the two nothing goes but by postMessage. */
function module(source: string): string {
  const code = `import { Worker } from 'node:worker_threads'; const { postMessage } = Worker.prototype; export const describers = {}; ${source}`
  return `data:text/javascript,${encodeURIComponent(code)}`
}

function openWith(folder: RecordingFolder, source: string, onProblem: (problem: string) => void): Promise<Catalog> {
  return Catalog.open({
    store: { folder: folder.path },
    keys: join(folder.path, 'keys'),
    database: { folder: join(folder.path, 'catalog', 'pg') },
    secret: 'of this test',
    findings: {},
    describers: module(source),
    onProblem,
  })
}

test('why the thread of the files died is told', async () => {
  await using folder = await recordingFolder()
  const told = Promise.withResolvers<string>()
  await using _ = await openWith(
    folder,
    'Worker.prototype.postMessage = function () { postMessage.call(this, null) }',
    told.resolve,
  )
  assert.equal(await told.promise, "the catalog's thread failed (TypeError)")
})

test('files that never answer are given up, and started again', async () => {
  await using folder = await recordingFolder()
  const told = Promise.withResolvers<string>()
  const source = `
    const { setTimeout } = globalThis
    globalThis.setTimeout = (work, ms) => setTimeout(work, ms === 900_000 ? 0 : ms)
    Worker.prototype.postMessage = function (question) { if (!/from catalog.sessions/.test(question.sql)) postMessage.call(this, question) }`
  await using _ = await openWith(folder, source, told.resolve)
  assert.equal(await told.promise, "the catalog's thread failed (ETIMEDOUT)")
})

test('a catalog whose files never close is closed all the same', { timeout: 60_000 }, async (t) => {
  await using folder = await recordingFolder()
  const source = 'Worker.prototype.postMessage = function (question) { if (question.id !== 0) postMessage.call(this, question) }'
  const catalog = await openWith(folder, source, assert.fail)
  await catalog.count()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const closed = catalog[Symbol.asyncDispose]()
  t.mock.timers.tick(10_000)
  await closed
})
