import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry, Facts } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { type ApiRig, apiRig, keyOf } from '../support/api.ts'
import { PAGES, startBrowser } from '../support/browser.ts'
import { entry, START } from '../support/recording.ts'

const HOSTILE = '<img src=x onerror=alert(1)>'
const POLICY = { policy: '0123456789ab' }
type Part = Partial<Entry>

let channel = 0
/** What a request leaves on the tape, as the gateway writes it. */
const asked = (line: string, facts: Facts, body = '', more: Part = {}): Part => {
  channel += 1
  const head = `${line} HTTP/1.1\r\ncontent-type: application/json\r\nx-run: ${HOSTILE}\r\n\r\n`
  return { dir: 'in', kind: 'request', channel, facts: { size: body.length, ...facts }, body: Buffer.from(head + body), ...more }
}
const answered = (status: number, type: string, body: string | Uint8Array, more: Part = {}): Part => ({
  dir: 'out',
  kind: 'response',
  channel,
  facts: { status, content_type: type, size: body.length },
  body: Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\n\r\n`), Buffer.from(body)]),
  ...more,
})
const piece = (kind: string, dir: 'in' | 'out', facts: Facts, body: string | Uint8Array = ''): Part => ({
  dir,
  kind,
  channel,
  facts,
  body: typeof body === 'string' ? Buffer.from(body) : body,
})

/** A span of masked text, where it stands in a body. */
function maskOf(body: Uint8Array, text: string): Part['masks'] {
  const spans = Buffer.alloc(16)
  spans.writeUInt32BE(Buffer.from(body).indexOf(text), 0)
  spans.writeUInt32BE(text.length << 8, 4)
  return { labels: [['email', 'detector:email']], spans }
}

function http(): Part[] {
  const masked = '[MASKED:email:0123456789ab]'
  const found = asked('GET /customers?page=1', { method: 'GET', path: '/customers', route: '/customers', query: ['page'] })
  const customers = answered(200, 'application/json', `{"rows":[{"id":1,"mail":"${masked}","note":"${HOSTILE}"}],"next":null}`)
  const list = [
    found,
    {
      ...customers,
      masks: maskOf(customers.body ?? new Uint8Array(), masked),
      verdict: { act: 'mask', rules: ['detector:email'], ...POLICY },
    } as Part,
  ]
  list.push(
    asked('DELETE /customers/1', { method: 'DELETE', path: '/customers/1', route: '/customers/{id}' }, '', {
      verdict: { act: 'block', rules: ['no-deletes'], ...POLICY },
    }),
    piece(
      'refusal',
      'out',
      { origin: 'gateway' },
      'HTTP/1.1 403\r\ncontent-type: application/problem+json\r\n\r\n{"title":"nothing is deleted here"}',
    ),
  )
  const held = asked('POST /payments', { method: 'POST', path: '/payments', route: '/payments' }, '{"amount":100}')
  const verdict = (act: 'hold' | 'allow') => ({ verdict: { act, rules: ['ask-payments'], approval: 'A-TEST', ...POLICY } })
  list.push({ ...held, ...verdict('hold') }, { ...held, ...verdict('allow') }, answered(201, 'application/json', '{"paid":true}'))
  list.push(
    asked('GET /logo.png', { method: 'GET', path: '/logo.png' }),
    answered(200, 'image/png', Uint8Array.of(0x89, 0x50, 0, 1)),
  )
  list.push(
    asked('GET /events', { method: 'GET', path: '/events' }),
    answered(200, 'text/event-stream', '', { facts: { status: 200, content_type: 'text/event-stream' } }),
    piece('response-body', 'out', {}, 'event: price\ndata: {"eur":5}\n\n'),
    piece('response-body', 'out', { last: true }),
  )
  list.push(
    asked('GET /chat', { method: 'GET', path: '/chat', upgrade: 'websocket' }),
    answered(101, '', ''),
    piece('ws-input', 'in', { type: 'text' }, 'hello there'),
    piece('ws-output', 'out', { type: 'text' }, '{"said":"hello"}'),
    piece('ws-output', 'out', { type: 'close', code: 1000 }, Uint8Array.of(3, 0xe8)),
  )
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refund","arguments":{"order":9}}}'
  list.push(
    asked('POST /mcp', { method: 'POST', path: '/mcp', rpc_method: 'tools/call', tool: ['refund'] }, call),
    answered(200, 'application/json', '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"refunded"}]}}'),
  )
  list.push(
    asked(`GET /${HOSTILE}`, { method: 'GET', path: `/${HOSTILE}` }),
    answered(500, 'text/html', `<script>alert(2)</script>\u202e`),
  )
  return list
}

function kubernetes(): Part[] {
  const pods = {
    verb: 'list',
    resource: 'pods',
    api_group: '',
    namespace: 'shop',
    name: '*',
    method: 'GET',
    path: '/api/v1/namespaces/shop/pods',
  }
  const list = [
    asked('GET /api/v1/namespaces/shop/pods', pods),
    answered(200, 'application/json', '{"kind":"PodList","items":[]}'),
  ]
  const exec = {
    verb: 'create',
    resource: 'pods/exec',
    api_group: '',
    namespace: 'shop',
    name: 'web',
    command: 'sh',
    pty: true,
    cols: 40,
    rows: 6,
  }
  list.push(
    { ...asked('GET /api/v1/namespaces/shop/pods/web/exec?command=sh', exec), kind: 'exec' },
    answered(101, '', '', { facts: { status: 101 } }),
    piece('terminal-output', 'out', {}, '/ # '),
    piece('terminal-input', 'in', {}, 'hostname\r'),
    piece('terminal-output', 'out', {}, 'hostname\r\nweb-7f\r\n/ # '),
    piece('exit', 'out', { status: 0 }),
  )
  return list
}

function egress(): Part[] {
  const place = { method: 'CONNECT', host: 'files.example', port: 443, listed: true }
  return [
    asked('CONNECT files.example:443', place),
    answered(200, '', '', { facts: { status: 200, tunnel: 'opaque', address: '192.0.2.7' } }),
    { dir: 'in', kind: 'tunnel-input', channel, facts: { size: 5_000_000 } },
    { dir: 'out', kind: 'tunnel-output', channel, facts: { size: 1_200 } },
    { dir: 'note', kind: 'tunnel.closed', facts: { channel, bytes_in: 5_000_000, bytes_out: 1_200, sha256_in: 'ab'.repeat(32) } },
  ]
}

async function record({ room }: ApiRig, protocol: ProtocolName, parts: readonly Part[]): Promise<string> {
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol } })
  // In a few pieces, so that there is time between them: behind each hold, for one.
  for (let rest = parts; rest.length > 0; ) {
    const held = rest.findIndex(({ verdict }) => verdict?.act === 'hold')
    const size = held < 0 ? rest.length : held + 1
    await recorder.append(rest.slice(0, size).map(entry))
    rest = rest.slice(size)
  }
  await recorder.seal('the client left')
  return info.id
}

test('exchanges of HTTP, Kubernetes and egress, in Chromium', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using rig = await apiRig({ pages: PAGES })
  const sessions = {
    http: await record(rig, 'http', http()),
    kubernetes: await record(rig, 'kubernetes', kubernetes()),
    egress: await record(rig, 'egress', egress()),
  }
  await rig.catalog.settle()
  const seen = await browser.open({ width: 1360 })
  const { page } = seen
  const origin = `http://127.0.0.1:${rig.server.port}`
  await page.goto(origin)
  await page.getByLabel('Access key').fill(keyOf('ivan'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  const rows = page.locator('.exchange[role=option]')
  const one = page.locator('.exchange-pane')
  const pick = (text: string): Promise<void> => rows.filter({ hasText: text }).first().click()
  const shot = async (name: string): Promise<void> => {
    const folder = process.env['SALLYPORT_SHOTS']
    if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png` })
  }

  await t.test('a list with what was asked, answered and decided, filtered by each', async () => {
    await page.goto(`${origin}/sessions/${sessions.http}`)
    await rows.nth(7).waitFor()
    assert.deepEqual(await rows.locator('.method').allTextContents(), [
      'GET',
      'DELETE',
      'POST',
      'GET',
      'GET',
      'GET',
      'POST',
      'GET',
    ])
    const filter = page.getByLabel('Filter the exchanges')
    for (const [text, count] of [
      ['status:403', 1],
      ['verdict:hold', 1],
      ['method:post', 2],
      ['kind:call', 1],
      ['host:shop /events', 1],
    ] as const) {
      await filter.fill(text)
      await page.locator('.exchanges .count', { hasText: new RegExp(`^${count} of 8$`) }).waitFor()
    }
    await filter.fill('colour:red')
    await page.getByRole('alert').filter({ hasText: 'colour: is not known' }).waitFor()
    await filter.press('Escape')
    await rows.nth(7).waitFor()
  })

  await t.test('both sides beside each other: JSON laid out, what was masked marked, hostile text as text', async () => {
    await pick('/customers')
    await one.locator('.masked', { hasText: '[MASKED:email' }).waitFor()
    assert.match((await one.getByRole('group', { name: 'Response' }).textContent()) ?? '', /"rows": \[/)
    assert.match((await one.getByRole('group', { name: 'Request' }).textContent()) ?? '', /x-run<img src=x onerror/)
    assert.equal(await page.locator('.columns img, .columns script').count(), 0)
    assert.deepEqual(await seen.axe(), [])
    await shot('exchanges')
  })

  await t.test('a refusal is the gateway’s own, a held request waited, bytes are hashed', async () => {
    await pick('/customers/1')
    await one.getByText('by the gateway').waitFor()
    assert.match((await one.textContent()) ?? '', /no-deletes[\s\S]*never let go on/)
    await pick('/payments')
    await one.locator('.phases', { hasText: 'held' }).waitFor()
    await one.getByRole('link', { name: 'A-TEST' }).waitFor()
    await pick('/logo.png')
    await one.getByText(/^[0-9a-f]{64}$/).waitFor()
  })

  await t.test('events, messages of a WebSocket and calls of tools, in order', async () => {
    await pick('/events')
    await one.locator('.messages li', { hasText: '"eur": 5' }).waitFor()
    await pick('/chat')
    assert.deepEqual(
      (await one.locator('.messages li').allTextContents()).map((text) => /(hello there|"said": "hello"|1000)/.exec(text)?.[1]),
      ['hello there', '"said": "hello"', '1000'],
    )
    await pick('tools/call refund')
    assert.match((await one.locator('.call').textContent()) ?? '', /Tool refund[\s\S]*"order": 9[\s\S]*refunded/)
    await shot('mcp')
    await pick('onerror')
    assert.match((await one.textContent()) ?? '', /<script>alert\(2\)<\/script>\\u\{202e\}/i)
  })

  await t.test('the frames of an exchange are one key away, and back', async () => {
    await page.keyboard.press('e')
    await page.locator('.frame.current', { hasText: 'onerror' }).waitFor()
    await page.keyboard.press('e')
    await one.waitFor()
  })

  await t.test('Kubernetes in the words of kubectl, an exec as the terminal it was', async () => {
    await page.goto(`${origin}/sessions/${sessions.kubernetes}`)
    await rows.filter({ hasText: 'list pods -n shop' }).waitFor()
    await pick('exec pods/web -n shop: sh')
    await page.locator('.terminal-frame', { hasText: 'web-7f' }).waitFor()
    assert.deepEqual(await seen.axe(), [])
    await shot('kubernetes')
  })

  await t.test('an opaque tunnel by its size, and what it is said to be', async () => {
    await page.goto(`${origin}/sessions/${sessions.egress}`)
    await pick('files.example:443')
    await one.getByText('An opaque tunnel').waitFor()
    assert.match((await one.textContent()) ?? '', /bytes_in5000000/)
    await shot('tunnel')
  })

  await t.test('narrow and light', async () => {
    const narrow = await browser.open({ width: 390, colorScheme: 'light' })
    await narrow.page.context().addCookies(await page.context().cookies())
    await narrow.page.goto(`${origin}/sessions/${sessions.http}#frame=1`)
    await narrow.page.locator('.exchange.current', { hasText: '/customers' }).waitFor()
    assert.deepEqual(await narrow.axe(), [])
    const folder = process.env['SALLYPORT_SHOTS']
    if (folder !== undefined) await narrow.page.screenshot({ path: `${folder}/exchanges-390.png`, fullPage: true })
    assert.deepEqual(narrow.problems, [])
  })

  assert.deepEqual(seen.problems, [])
})
