import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import type { Asker } from '../../../recorder/catalog/turns.ts'
import { API_BASE, PURPOSE_HEADER } from '../../../schemas/api.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { type ApiRig, apiRig, type Browser, keyOf, listen } from '../../support/api.ts'
import { COMPLETE } from '../../support/recorded-session.ts'
import { entry, START } from '../../support/recording.ts'

const HOSTILE = `SELECT '<script>alert(1)</script>', '\u202edrowssap', '\x1b[2J', '%_\\' -- "; drop schema catalog cascade`
const NOT_THERE = '20261120T105150Z-gw1-99999999'

/** The `closed` that ends it all. */
async function last(stream: Awaited<ReturnType<typeof listen>>): ReturnType<typeof stream.next> {
  let event = await stream.next()
  while (event.event === 'progress') event = await stream.next()
  assert.equal(event.event, 'closed')
  return event
}

let rig: ApiRig
/** Sealed, on `shop`. */
let shop: string
/** Still running, on `vault`. */
let vault: string
let ivan: Browser
let otto: Browser

before(async () => {
  rig = await apiRig()
  const one = await rig.room.open(START)
  await one.recorder.append([
    entry({ kind: 'query', body: serialize.query(HOSTILE) }),
    entry({ dir: 'out', kind: 'reply', body: COMPLETE, facts: { statement: 1, rows: 1, tag: 'SELECT 1', status: 'I' } }),
  ])
  await one.recorder.seal('client.left')
  shop = one.info.id
  const two = await rig.room.open({ ...START, target: { ...START.target, name: 'vault' } })
  await two.recorder.append([entry({ kind: 'query', body: serialize.query('SELECT secret FROM vault') })])
  vault = two.info.id
  await rig.catalog.settle()
  ivan = await rig.as('ivan')
  otto = await rig.as('otto')
})
after(() => rig[Symbol.asyncDispose]())

test('everybody sees the sessions of the targets they share a group with; an auditor sees all', async () => {
  const ids = async (browser: Browser): Promise<string[]> =>
    (await browser.ask('/sessions')).json.sessions.map(({ id }: { id: string }) => id)
  assert.deepEqual(await ids(ivan), [shop])
  assert.deepEqual(await ids(await rig.as('audrey')), [vault, shop])
})

test('a foreign session, one that is not there and a name that cannot be are answered alike, at every endpoint', async () => {
  const foreign = [vault, NOT_THERE, 'x', '..', '%2e%2e', '..%2f..%2fkeys', "' or 1=1 --", '%00', `${shop}%00`, 'x'.repeat(2_000)]
  const answers = new Set<string>()
  for (const id of foreign) {
    const path = `/sessions/${encodeURI(id).replaceAll('%25', '%')}`
    for (const end of ['', '/statements', '/objects', '/objects/0000.tape', '/screen?channel=1&frame=0', '/live']) {
      const { status, text } = await ivan.ask(path + end)
      answers.add(`${status} ${text}`)
    }
    answers.add(((a) => `${a.status} ${a.text}`)(await ivan.ask(`${path}/kill`, { body: { reason: 'x' } })))
  }
  answers.delete(
    `404 ${JSON.stringify({ type: 'urn:sallyport:error:API_UNKNOWN', title: 'There is no such thing here', status: 404, detail: 'there is no such session that you may see', code: 'API_UNKNOWN' })}`,
  )
  // A path that is really another one is no endpoint at all.
  for (const answer of answers) assert.match(answer, /^404 .*(no such endpoint|nothing is served)/)
  assert.deepEqual(rig.killed, [])
})

test('hostile text comes back as it was recorded, as JSON and nothing else', async () => {
  const answer = await ivan.ask(`/sessions/${shop}/statements`)
  const [statement] = answer.json.statements
  assert.equal(statement.text, HOSTILE)
  assert.equal(statement.outcome, 'complete')
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  assert.equal(answer.headers['cache-control'], 'no-store')
})

test('a search takes its text as text: wildcards, quotes and comments find only themselves', async () => {
  for (const [text, count] of [
    ['<script>', 1],
    [`'%_\\' -- "; drop`, 1],
    ["'; drop", 0],
    ['_script_', 0],
    ['DROWSSAP', 1],
    ['%rowssap', 0],
    ['$1 script', 0],
  ] as const) {
    const { sessions } = (await ivan.ask(`/sessions?text=${encodeURIComponent(text)}`)).json
    assert.equal(sessions.length, count, text)
  }
  assert.equal(
    (await ivan.ask('/sessions?identity=agent*&target=sh*p&state=sealed&protocol=postgres&minRows=1')).json.sessions.length,
    1,
  )
  assert.equal((await ivan.ask('/sessions?identity=gent*')).json.sessions.length, 0)
})

test('malformed questions are refused with the place, and never reach SQL', async () => {
  // Of what no index knows the text would be looked for in everything.
  for (const text of ['%', ':::', 'ab', '\ufeff---'])
    assert.equal((await ivan.ask(`/sessions?text=${encodeURIComponent(text)}`)).status, 400, text)
  for (const path of ['/sessions', '/pulls', '/findings'])
    for (const time of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+15:00', '9999-12-31T23:59:59-15:00', '2026-11-20T23:59:60Z'])
      assert.equal((await ivan.ask(`${path}?since=${encodeURIComponent(time)}`)).status, 400, `${path} ${time}`)
  assert.equal((await ivan.ask(`/search?q=${encodeURIComponent('until:0000-01-01')}`)).status, 400)
  assert.equal((await ivan.ask(`/sessions?since=${encodeURIComponent('2020-11-20T10:00:00+23:59')}`)).status, 200)
  for (const query of [
    'limit=0',
    'limit=201',
    'limit=x',
    'limit=1&limit=2',
    'state=open',
    'unknown=1',
    '__proto__=1',
    'constructor=1',
    'since=yesterday',
    'cursor=!',
    'cursor=AAAA',
    'minRows=-1',
    'text=',
  ]) {
    const { status, json } = await ivan.ask(`/sessions?${query}`)
    assert.equal(status, 400, query)
    assert.equal(json.code, 'API_INVALID')
  }
  assert.equal((await ivan.ask(`/sessions?text=${'x'.repeat(9_000)}`)).status, 414)
  for (const raw of ['{', '', 'null', '[]', '"x"', '{"reason":1}', '{"reason":"x","more":1}', '{"__proto__":{"reason":"x"}}'])
    assert.equal((await ivan.ask(`/sessions/${shop}/kill`, { raw, method: 'POST' })).status, 400, raw)
  assert.equal((await ivan.ask(`/sessions/${shop}/kill`, { raw: `{"reason":"${'x'.repeat(70_000)}"}` })).status, 413)
  const form = { raw: 'reason=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  assert.equal((await ivan.ask(`/sessions/${shop}/kill`, form)).status, 400)
  assert.equal((await ivan.ask('/sessions/%ff')).status, 400)
})

test('pages follow each other without a gap, whatever the limit', async () => {
  const audrey = await rig.as('audrey')
  const first = (await audrey.ask('/sessions?limit=1')).json
  const second = (await audrey.ask(`/sessions?limit=1&cursor=${first.next}`)).json
  assert.deepEqual([first.sessions[0].id, second.sessions[0].id, second.next], [vault, shop, null])
})

test('roles: a viewer reads statements but no tape and ends nothing; an auditor reads everything and ends nothing', async () => {
  const vera = await rig.as('vera')
  assert.equal((await vera.ask(`/sessions/${shop}`)).json.may.read, false)
  assert.equal((await vera.ask(`/sessions/${shop}/statements`)).status, 200)
  for (const end of ['objects', 'objects/0000.tape', 'screen?channel=1&frame=0', 'live'])
    assert.equal((await vera.ask(`/sessions/${shop}/${end}`)).status, 403)
  const audrey = await rig.as('audrey')
  assert.equal((await audrey.ask(`/sessions/${vault}/objects`)).status, 200)
  assert.deepEqual((await audrey.ask(`/sessions/${vault}`)).json.may, { read: true, kill: false })
  for (const browser of [vera, audrey])
    assert.equal((await browser.ask(`/sessions/${shop}/kill`, { body: { reason: 'x' } })).status, 403)
})

test('nobody gets anything without signing in', async () => {
  for (const path of [
    '/me',
    '/sessions',
    `/sessions/${shop}`,
    `/sessions/${shop}/objects/0000.tape`,
    '/events',
    '/approvals',
    '/trust',
  ]) {
    const { status, json } = await rig.ask(path)
    assert.equal(status, 401, path)
    assert.equal(json.code, 'AUTH_REQUIRED')
  }
  assert.equal((await rig.ask('/healthz')).json.ok, true)
})

test('an object is given whole, in ranges, and not at all where nothing changed', async () => {
  const whole = await ivan.ask(`/sessions/${shop}/objects/0000.tape`)
  const size = whole.bytes.length
  assert.equal(whole.status, 200)
  assert.equal(whole.headers['cache-control'], 'private, max-age=31536000, immutable')
  assert.equal(whole.headers['vary'], 'cookie, authorization')
  assert.deepEqual(whole.bytes, Buffer.from(await rig.folder.store.get(`tapes/${shop}/0000.tape`)))
  const etag = String(whole.headers['etag'])
  const get = (range: string, more = {}) => ivan.ask(`/sessions/${shop}/objects/0000.tape`, { headers: { range, ...more } })
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    [`bytes=${size - 1}-`, size - 1, size],
    ['bytes=-5', size - 5, size],
    [`bytes=-${size * 2}`, 0, size],
    [`bytes=0-${size * 2}`, 0, size],
  ] as const) {
    const part = await get(range)
    assert.equal(part.status, 206, range)
    assert.equal(part.headers['content-range'], `bytes ${from}-${to - 1}/${size}`)
    assert.deepEqual(part.bytes, whole.bytes.subarray(from, to))
  }
  for (const range of [`bytes=${size}-`, 'bytes=-0', `bytes=${size + 5}-${size + 9}`]) {
    const none = await get(range)
    assert.equal(none.status, 416, range)
    assert.equal(none.headers['content-range'], `bytes */${size}`)
  }
  for (const range of [
    'bytes=5-2',
    'bytes=-',
    'bytes=0-1,4-5',
    'lines=0-1',
    'bytes=a-b',
    'bytes=0x1-2',
    `bytes=${'9'.repeat(30)}-`,
  ])
    assert.equal((await get(range)).bytes.length, size, range)
  assert.equal((await get('bytes=0-0', { 'if-range': etag })).status, 206)
  assert.equal((await get('bytes=0-0', { 'if-range': '"another"' })).status, 200)
  assert.equal((await ivan.ask(`/sessions/${shop}/objects/0000.tape`, { headers: { 'if-none-match': etag } })).status, 304)
  const head = await ivan.ask(`/sessions/${shop}/objects/0000.tape`, { method: 'HEAD' })
  assert.equal(head.headers['content-length'], String(size))
  assert.equal(head.bytes.length, 0)
})

test('only the objects of the tape are given, and one that grows is cached by nobody', async () => {
  const names = [
    '..',
    '..%2f..%2fkeys%2fgateway.key',
    '%2e%2e%2fsalt',
    '0000.tape%00',
    '.0000.tape.lock',
    'gateway.key',
    '0000.TAPE',
    '9999.tape',
    '0000.tape/',
    '\\..\\salt',
  ]
  for (const name of names) assert.equal((await ivan.ask(`/sessions/${shop}/objects/${name}`)).status, 404, name)
  const { objects } = (await ivan.ask(`/sessions/${shop}/objects`)).json
  assert.deepEqual(
    objects.map(({ name, final }: { name: string; final: boolean }) => [name, final]),
    [
      ['0000.tape', true],
      ['salt', true],
    ],
  )
  const growing = await otto.ask(`/sessions/${vault}/objects/0000.tape`)
  assert.equal(growing.headers['cache-control'], 'private, no-store')
})

test('every look at evidence is noted with who, what, which bytes and why', async () => {
  const noted = rig.notes.length
  await ivan.ask(`/sessions/${shop}/objects/0000.tape`, {
    headers: { range: 'bytes=8-15', [PURPOSE_HEADER]: encodeURIComponent('incident 42 – Prüfung') },
  })
  assert.deepEqual(rig.notes.slice(noted), [
    {
      type: 'evidence.view',
      actor: 'ivan',
      proof: 'key:ivan',
      session: shop,
      what: 'object',
      object: '0000.tape',
      from: 8,
      to: 16,
      purpose: 'incident 42 – Prüfung',
    },
  ])
  assert.equal((await ivan.ask(`/sessions/${shop}`, { headers: { [PURPOSE_HEADER]: 'x'.repeat(201) } })).status, 400)
  await otto.ask(`/sessions/${shop}`)
  assert.ok(!rig.notes.slice(noted).some(({ actor }) => actor === 'otto'))
})

test('a session is ended by whoever may, once, and its reason is noted first', async () => {
  rig.killed.length = 0
  const answer = await otto.ask(`/sessions/${vault}/kill`, { body: { reason: 'looks like a pull' } })
  // The rig's gateway has sessions that end in 1 only.
  assert.equal(answer.status, 409)
  assert.equal(answer.json.code, 'API_CONFLICT')
  assert.equal((await ivan.ask(`/sessions/${shop}/kill`, { body: { reason: 'x' } })).status, 202)
  assert.deepEqual(rig.killed, [`${vault} otto looks like a pull`, `${shop} ivan x`])
  assert.ok(
    rig.notes.some(({ type, session, reason }) => type === 'session.kill' && session === vault && reason === 'looks like a pull'),
  )
})

test('events tell of sessions as they open, go on and end, to whoever may see them', async () => {
  const seen = await listen(rig.server.port, '/events', { cookie: ivan.cookie })
  const hidden = await listen(rig.server.port, '/events', { cookie: otto.cookie })
  const { info, recorder } = await rig.room.open(START)
  await recorder.append([entry({ kind: 'query', body: serialize.query('SELECT 2') })])
  const opened = await seen.next()
  assert.deepEqual([opened.event, opened.data.id, opened.data.state], ['opened', info.id, 'live'])
  const live = await listen(rig.server.port, `/sessions/${info.id}/live`, { cookie: ivan.cookie })
  const now = await live.next()
  assert.equal(now.event, 'progress')
  assert.equal(now.data.objects[0].final, false)
  await recorder.append([entry({ kind: 'query', body: serialize.query('SELECT 3') })])
  await recorder.seal('client.left')
  const ends = await Promise.all([last(live), last(seen)])
  for (const { data } of ends)
    assert.deepEqual([data.id, data.state, data.statements, data.endReason], [info.id, 'sealed', 2, 'client.left'])
  // A session's own stream ends with it.
  await live.ended
  // What is foreign was not told: the first this reader hears of is its own.
  await rig.room.open({ ...START, target: { ...START.target, name: 'vault' } })
  assert.equal((await hidden.next()).data.target.name, 'vault')
  seen.close()
  hidden.close()
})

test('a reader that comes back gets what it missed, or is told to ask again', async () => {
  const first = await listen(rig.server.port, '/events', { authorization: `Bearer ${keyOf('ivan')}` })
  const { recorder } = await rig.room.open(START)
  await recorder.append([entry({ kind: 'query', body: serialize.query('SELECT 4') })])
  const opened = await first.next()
  assert.equal(opened.event, 'opened')
  first.close()
  await recorder.seal('client.left')
  await rig.catalog.settle()
  const again = await listen(rig.server.port, '/events', { cookie: ivan.cookie, 'last-event-id': opened.id })
  let event = await again.next()
  while (event.event === 'progress') event = await again.next()
  assert.deepEqual([event.event, event.data.id], ['closed', opened.data.id])
  again.close()
  for (const id of ['0123456789ab.3', 'x', `${opened.id.split('.')[0]}.999999`]) {
    const lost = await listen(rig.server.port, '/events', { cookie: ivan.cookie, 'last-event-id': id })
    assert.equal((await lost.next()).event, 'reset')
    lost.close()
  }
})

test('the document is served, and says where everything is', async () => {
  const document = (await rig.ask('/openapi.json')).json
  assert.equal(document.openapi, '3.1.0')
  assert.equal(document.servers[0].url, API_BASE)
})

test('a summary is for those who may act; what left for it is in the ledger, with its hash, before it does', async () => {
  const asked = (who: Browser, id = shop) => who.ask(`/sessions/${id}/summary`, { body: {} })
  const audrey = await rig.as('audrey')
  assert.deepEqual(
    await Promise.all([asked(audrey), asked(ivan, vault)]).then((all) => all.map(({ status }) => status)),
    [403, 404],
  )
  assert.equal((await audrey.ask(`/sessions/${shop}`)).json.summaryBy, undefined)
  assert.equal((await ivan.ask(`/sessions/${shop}`)).json.summaryBy, 'models.test')
  const { status, json } = await asked(ivan)
  assert.deepEqual([status, json.text, json.host, json.model], [200, 'Nothing out of the ordinary.', 'models.test', 'small'])
  const note = rig.notes.findLast(({ type }) => type === 'summary.ask')
  const { session, host, bytes, sha256, statements } = json
  assert.deepEqual(note, {
    ...{ type: 'summary.ask', actor: 'ivan', proof: 'key:ivan', model: 'small' },
    ...{ session, host, bytes, sha256, statements },
  })
  assert.deepEqual([session, statements, json.of], [shop, 1, 1])
  rig.mute = true
  assert.equal((await asked(ivan)).json.code, 'RECORDER_FAILED')
  rig.mute = false
  const many = await Promise.all(Array.from({ length: 8 }, () => asked(ivan)))
  assert.ok(many.some(({ json: { code } }) => code === 'API_LIMITED'))
})

test('a verification that somebody’s browser made is noted with its verdict, of a tape that has ended', async () => {
  const made = { verdict: 'INVALID', problems: 2 }
  assert.equal((await ivan.ask(`/sessions/${shop}/verification`, { body: made })).status, 200)
  assert.deepEqual(rig.notes.at(-1), {
    ...{ type: 'evidence.verify', actor: 'ivan', proof: 'key:ivan', session: shop, with: 'browser' },
    ...made,
  })
  assert.equal((await otto.ask(`/sessions/${vault}/verification`, { body: made })).status, 409)
  assert.equal((await ivan.ask(`/sessions/${shop}/verification`, { body: { verdict: 'GOOD', problems: 0 } })).status, 400)
})

test('a search is of whoever asks, until they leave; one too many is told when to come again', async (t) => {
  const search = t.mock.method(rig.catalog, 'search', () =>
    Promise.reject(new ApplianceError('API_LIMITED', 'others are before you')),
  )
  const { status, headers } = await ivan.ask('/search?q=SELECT')
  assert.deepEqual([status, headers['retry-after']], [429, '5'])
  const [begun, left] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()]
  search.mock.mockImplementation((_query: unknown, _seeker: unknown, { person, gone }: Asker = { person: '' }) => {
    gone?.addEventListener('abort', () => left.resolve(person))
    begun.resolve()
    return left.promise.then(() => Promise.reject(new ApplianceError('API_LIMITED', 'nobody waits')))
  })
  const leaves = new AbortController()
  const url = `http://127.0.0.1:${rig.server.port}${API_BASE}/search?q=SELECT`
  const answer = fetch(url, { headers: { cookie: ivan.cookie }, signal: leaves.signal })
  await begun.promise
  leaves.abort()
  await assert.rejects(answer)
  assert.equal(await left.promise, ivan.me.subject)
})
