import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { Catalog } from '../../../recorder/catalog/catalog.ts'
import type { DatabasePlace } from '../../../recorder/catalog/database.ts'
import type { Seeker } from '../../../recorder/catalog/search.ts'
import { KeySketch } from '../../../recorder/catalog/sketch.ts'
import type { SearchHit } from '../../../schemas/search.ts'
import { type PgServer, startPostgres } from '../../support/pg-server.ts'
import { answers } from '../../support/pg-words.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

const DESCRIBERS = new URL('../../../gateway/protocols/describers.ts', import.meta.url).href
const EVERYBODY: Seeker = { scope: null, results: true }

let folder: RecordingFolder
let server: PgServer
let shop: string
let web: string
let api: string
/** A terminal, 2,500 frames of it. */
let long: string

before(async () => {
  folder = await recordingFolder()
  const room = await folder.room()
  const one = await room.open(START)
  shop = one.info.id
  const facts = { relations: ['public.customers'], verbs: ['SELECT'], fingerprint: 'f00d', parse_ok: true }
  await one.recorder.append([
    entry({ kind: 'query', body: serialize.query('SELECT id, email FROM customers LIMIT 3'), facts }),
    entry({
      dir: 'out',
      kind: 'reply',
      facts: { statement: 1, rows: 3, tag: 'SELECT 3', status: 'I' },
      body: Buffer.concat([
        answers.columns({ name: 'id' }, { name: 'email' }),
        answers.row('1', '[MASKED:email:aa]'),
        answers.row('2', 'Straße\nÜnterm Öde'),
        answers.row('3', null),
      ]),
    }),
    entry({
      kind: 'query',
      body: serialize.query('DROP TABLE customers'),
      facts: { ...facts, verbs: ['DROP TABLE'] },
      verdict: { act: 'block', rules: ['no-drop'], policy: 'abababababab' },
    }),
  ])
  await one.recorder.seal('client.left')
  const two = await room.open({ ...START, target: { ...START.target, name: 'web-1', protocol: 'ssh' } })
  web = two.info.id
  const output = (text: string) => entry({ dir: 'out', channel: 1, kind: 'terminal-output', body: Buffer.from(text) })
  await two.recorder.append([
    entry({ channel: 1, kind: 'shell', facts: { pty: true, cols: 40, rows: 6 } }),
    output('$ cat /etc/mo\x1b[31mt'),
    output('d\x1b[0m\r\n10%\r55%\r100% of the pangolin\r\n'),
    // An editor: its screen is read when it is left, and what was there before is still there behind it.
    output(`\x1b[?1049h\x1b[2J\x1b[3;5Hquokka in the editor`),
    output('\x1b[?1049l$ echo a very long line that does not fit into forty columns wombat'),
    entry({ channel: 1, kind: 'exec', body: Buffer.from('tar czf - /srv'), facts: { programs: ['tar'] } }),
    entry({ dir: 'out', channel: 1, kind: 'stdout', body: Buffer.from('numb') }),
    entry({ dir: 'out', channel: 1, kind: 'stdout', body: Buffer.from('at\nlast') }),
    entry({ dir: 'out', channel: 1, kind: 'exit', facts: { status: 0 } }),
  ])
  await two.recorder.seal('client.left')
  const three = await room.open({ ...START, target: { ...START.target, name: 'crm', protocol: 'http' } })
  api = three.info.id
  await three.recorder.append([
    entry({
      channel: 1,
      kind: 'request',
      facts: { method: 'GET', path: '/v1/people/7', route: '/v1/people/{id}' },
      body: Buffer.from('GET /v1/people/7 HTTP/1.1\r\nhost: crm\r\n\r\n'),
    }),
    entry({
      dir: 'out',
      channel: 1,
      kind: 'response',
      facts: { status: 200 },
      body: Buffer.from('HTTP/1.1 200 OK\r\n\r\n{"name":"axolotl"}'),
    }),
  ])
  await three.recorder.seal('client.left')
  // Nothing of it is to be found but its screens.
  const four = await room.open({ ...START, target: { ...START.target, name: 'long', protocol: 'echo' } })
  long = four.info.id
  await four.recorder.append([
    entry({ channel: 1, kind: 'shell', facts: { pty: true, cols: 40, rows: 6 } }),
    ...Array.from({ length: 2_500 }, (_, n) => output(`line ${n}\r\n`)),
  ])
  await four.recorder.seal('client.left')
  server = await startPostgres({ tls: false })
})
after(async () => {
  await server.stop()
  await folder[Symbol.asyncDispose]()
})

async function opened(database: DatabasePlace, problems: string[]): Promise<Catalog> {
  const catalog = await Catalog.open({
    store: { folder: folder.path },
    keys: join(folder.path, 'keys'),
    database,
    secret: 'of this test',
    findings: {},
    describers: DESCRIBERS,
    onProblem: (problem) => problems.push(problem),
  })
  await catalog.settle()
  return catalog
}

const places: Readonly<Record<string, () => DatabasePlace>> = {
  'files of its own': () => ({ folder: join(folder.path, 'catalog', 'pg') }),
  'a database of a server': () => ({ url: `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres` }),
}
for (const [where, place] of Object.entries(places))
  test(`statements, rows, screens, output and bodies are found in ${where}, each at its frame`, async (t) => {
    const problems: string[] = []
    await using catalog = await opened(place(), problems)
    const ask = async (q: string, seeker = EVERYBODY): Promise<readonly SearchHit[]> => (await catalog.search({ q }, seeker)).hits
    const at = (hits: readonly SearchHit[]): unknown[] =>
      hits.map(({ session, frame, row, place }) => [session, frame, row, place])

    assert.deepEqual(at(await ask('FROM customers')), [[shop, 0, null, 'statement']])
    assert.deepEqual(at(await ask('MASKED:email:aa')), [[shop, 1, 0, 'result']])
    const [street] = await ask('straße')
    assert.deepEqual([street?.row, street?.text, street?.match], [1, '2 | Straße Ünterm Öde', [4, 10]])
    assert.deepEqual(at(await ask('cat /etc/motd')), [[web, 2, null, 'terminal']])
    assert.deepEqual(at(await ask('100% of the pangolin')), [[web, 2, null, 'terminal']])
    assert.deepEqual(await ask('55%'), [])
    assert.deepEqual(at(await ask('quokka in the editor')), [[web, 4, null, 'terminal']])
    assert.deepEqual(at(await ask('forty columns wombat')), [[web, 4, null, 'terminal']])
    assert.deepEqual(at(await ask('numbat')), [[web, 7, null, 'output']])
    assert.deepEqual(at(await ask('axolotl')), [[api, 1, null, 'body']])
    assert.deepEqual(at(await ask('/v1/people/7')), [[api, 0, null, 'statement']])

    await t.test('terms are joined by and, and what is not is left out', async () => {
      const statements = async (q: string): Promise<string[]> => (await ask(q)).map(({ text }) => text)
      assert.deepEqual(await statements('table:customers -verdict:block'), ['SELECT id, email FROM customers LIMIT 3'])
      assert.deepEqual(await statements('table:cust* rule:no-* outcome:refused'), ['DROP TABLE customers'])
      assert.deepEqual(await statements('rows>=3 rows<4 identity:agent-* principal:ada'), [
        'SELECT id, email FROM customers LIMIT 3',
      ])
      assert.deepEqual(await statements('verb:tar'), ['tar czf - /srv'])
      // As the facets count them.
      assert.equal((await ask('verdict:allow')).length, 4)
      assert.deepEqual(await statements('table:customers verdict:allow'), ['SELECT id, email FROM customers LIMIT 3'])
      for (const q of [
        'table:CUSTOMERS -drop',
        'verb:select',
        'customers -"drop table"',
        'table:Customers verb:SELECT identity:AGENT-*',
      ])
        assert.deepEqual(await statements(q), ['SELECT id, email FROM customers LIMIT 3'], q)
      // A person with those who act for them, and alone.
      assert.equal((await ask('family:ADA')).length, 5)
      assert.equal((await ask('family:agent-*')).length, 0)
      assert.deepEqual(await statements('table:/v1/people/{id}'), ['GET /v1/people/7'])
      assert.deepEqual(await statements('in:result customers'), [])
      assert.deepEqual(await statements('until:2020-01-01'), [])
      assert.equal((await ask('since:1h')).length, 5)
    })
    await t.test('a viewer finds statements and nothing of what was answered; a scope hides the rest', async () => {
      assert.deepEqual(await ask('axolotl', { scope: null, results: false }), [])
      assert.equal((await ask('FROM customers', { scope: ['shop'], results: false })).length, 1)
      assert.deepEqual(await ask('FROM customers', { scope: ['crm'], results: true }), [])
      assert.deepEqual(await ask('FROM customers', { scope: [], results: true }), [])
    })
    await t.test('pages go through all of it once, and facets count it', async () => {
      const seen: unknown[] = []
      let cursor: string | null = null
      do {
        const more: { cursor?: string } = cursor === null ? {} : { cursor }
        const page: Awaited<ReturnType<Catalog['search']>> = await catalog.search({ q: '', limit: 1, ...more }, EVERYBODY)
        seen.push(...at(page.hits))
        cursor = page.next
      } while (cursor !== null)
      assert.deepEqual(seen, at(await ask('')))
      assert.equal(seen.length, 5)
      const { facets } = await catalog.search({ q: 'the', facets: 'true' }, EVERYBODY)
      assert.deepEqual(facets?.place, [{ value: 'terminal', count: 2 }])
      const all = await catalog.search({ q: '', facets: 'true' }, EVERYBODY)
      assert.deepEqual(all.facets?.verdict, [
        { value: 'allow', count: 4 },
        { value: 'block', count: 1 },
      ])
      assert.deepEqual(all.facets?.table[0], { value: 'customers', count: 2 })
    })
    await t.test('wildcards, quotes and comments find only themselves', async () => {
      for (const q of ['_ROM customers', 'FR%M cust', `'; drop schema catalog; --`, '\\customers', '$1 customers'])
        assert.deepEqual(await ask(`"${q}"`), [], q)
      assert.equal((await ask('"FROM customers LIMIT"')).length, 1)
      for (const q of ['ab', '"\\"', '"$$$"', ':::', 'text:"@@@"', 'colour:red', 'until:0000-01-01'])
        await assert.rejects(catalog.search({ q }, EVERYBODY), { code: 'API_INVALID' })
      await assert.rejects(catalog.search({ q: '', cursor: 'AAAA' }, EVERYBODY), { code: 'API_INVALID' })
    })
    await t.test('a terminal has its screens, those before it was opened and other channels have none', async () => {
      const kept = await catalog.keyframe(web, 1, 4)
      assert.deepEqual([kept?.seq, kept?.cols, kept?.rows, kept?.torn], [0, 40, 6, false])
      assert.equal(await catalog.keyframe(web, 2, 4), null)
      assert.equal(await catalog.keyframe(shop, 0, 1), null)
      const late = await catalog.keyframe(long, 1, 2_500)
      assert.equal(late?.seq, 2_000)
      assert.match(late?.init ?? '', /line 1998\r\n.*line 1999/)
      assert.deepEqual((await catalog.keyframe(long, 1, 1_999))?.seq, 1_000)
    })
    const before = await catalog.search({ q: '', facets: 'true' }, EVERYBODY)
    await catalog.rebuild()
    assert.deepEqual(await catalog.search({ q: '', facets: 'true' }, EVERYBODY), before)
    assert.deepEqual(at(await ask('forty columns wombat')), [[web, 4, null, 'terminal']])
    assert.deepEqual(problems, [])
  })

test('a sketch counts keys exactly while they are few, within a few percent when they are many, and keeps none of them', () => {
  const sketch = new KeySketch()
  for (let key = 0; key < 1_000; key += 1) for (let again = 0; again < 3; again += 1) sketch.add('s', String(key))
  assert.equal(sketch.estimate, 1_000)
  const other = new KeySketch()
  for (let key = 500; key < 60_000; key += 1) other.add('s', String(key))
  assert.ok(Math.abs(other.estimate - 59_500) < 59_500 * 0.1, String(other.estimate))
  sketch.merge(new KeySketch(other.pack()))
  assert.ok(Math.abs(sketch.estimate - 60_000) < 60_000 * 0.1, String(sketch.estimate))
  assert.equal(sketch.pack().length, 1024 * 6)
  const foreign = new KeySketch()
  foreign.add('another secret', '7')
  assert.notDeepEqual(foreign.pack(), new KeySketch(keyed('s', '7')).pack())
})

function keyed(secret: string, key: string): Uint8Array {
  const sketch = new KeySketch()
  sketch.add(secret, key)
  return sketch.pack()
}
