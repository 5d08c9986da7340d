import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { callsOf } from '../../../replay-ui/data/exchange-calls.ts'
import { detailOf, MAX_BODY_SIZE } from '../../../replay-ui/data/exchange-detail.ts'
import { eventsOf } from '../../../replay-ui/data/exchange-events.ts'
import { parseExchangeFilter } from '../../../replay-ui/data/exchange-filter.ts'
import { type Exchange, ExchangeIndex } from '../../../replay-ui/data/exchanges.ts'
import { markedOf, prettyMarked, segmentsOf } from '../../../replay-ui/data/marked-text.ts'
import { exchangeAt } from '../../../replay-ui/pages/replay-exchanges.ts'
import { httpGateway } from '../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../support/tapes.ts'

// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const PICTURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 1, 2, 3])
const plain = (text: string) => ({ text, marks: [] })

function serve(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const answer = (type: string, body: string | Buffer): void => void response.writeHead(200, { 'content-type': type }).end(body)
  if (request.url === '/picture') answer('image/png', PICTURE)
  else if (request.url === '/events')
    answer('text/event-stream', 'event: tick\ndata: {"n":1}\n\n: nothing\n\nid: 2\ndata: two\ndata: lines\n\n')
  else if (request.url === '/rpc')
    answer('application/json', `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"${MAIL}"}]}}`)
  else answer('application/json', `{"mail":"${MAIL}","list":[1,{}]}`)
}

test('exchanges of a real session: names, times, sizes, both sides, what was masked, refused and called', async () => {
  await using gateway = await httpGateway(serve)
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const headers = {
      authorization: `Bearer ${gateway.keys.agent}`,
      'content-type': path === '/big' ? 'text/plain' : 'application/json',
    }
    await (await fetch(gateway.url + path, { ...init, headers })).arrayBuffer()
  }
  await ask('/orders/17', { method: 'POST', body: `{"a":12345678901234567890,"mail":"${MAIL}"}` })
  await ask('/picture')
  await ask('/events')
  await ask('/orders/17', { method: 'DELETE' })
  await ask('/rpc', {
    method: 'POST',
    body: '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"find","arguments":{"order":7}}}',
  })
  await ask('/big', { method: 'PUT', body: Buffer.alloc(2_500_000, 'a').toString() })
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? '')
  const index = new ExchangeIndex('http', 'shop')
  for (const frame of frames) index.push(frame)
  const list = index.news()
  assert.deepEqual(index.news(), [], 'nothing is told twice')
  assert.deepEqual(
    list.map(({ method, name, host, status, act, kind, ended }) => [method, name, host, status, act, kind, ended]),
    [
      ['POST', '/orders/17', 'shop', 200, 'mask', 'request', true],
      ['GET', '/picture', 'shop', 200, null, 'request', true],
      ['GET', '/events', 'shop', 200, null, 'request', true],
      ['DELETE', '/orders/17', 'shop', 403, 'block', 'request', true],
      ['POST', 'tools/call find', 'shop', 200, 'mask', 'call', true],
      ['PUT', '/big', 'shop', 200, 'mask', 'request', true],
    ],
  )
  const detail = (n: number) => detailOf(list[n] as Exchange, (seq) => frames[seq])

  const order = detail(0)
  assert.equal(order.request?.start, 'POST /orders/17')
  assert.equal(order.request?.headers.find(({ name }) => name === 'content-type')?.value.text, 'application/json')
  assert.match(
    order.request?.body.text?.text ?? '',
    /^\{\n {2}"a": 12345678901234567890,\n {2}"mail": "\[MASKED:email:[0-9a-f]{12}\]"\n\}$/,
  )
  assert.match(order.response?.body.text?.text ?? '', /"list": \[\n {4}1,\n {4}\{\}\n {2}\]/)
  assert.match(
    segmentsOf(order.response?.body.text ?? plain('')).find(({ mark }) => mark?.entity === 'email')?.text ?? '',
    /^\[MASKED:email:[^\]]+\]$/,
  )
  assert.ok(
    list.every(
      ({ startUs, sentUs, firstUs, endUs }) =>
        startUs <= (sentUs ?? startUs) && (sentUs ?? startUs) <= (firstUs ?? 0) && (firstUs ?? 0) <= endUs,
    ),
  )

  assert.deepEqual([detail(1).response?.body.what, detail(1).response?.body.size], ['binary', PICTURE.length])
  assert.match(detail(1).response?.body.sha256 ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(
    detail(2).response?.body.events.map(({ event, id, data }) => [event, id, data.text]),
    [
      ['tick', '', '{\n  "n": 1\n}'],
      ['', '2', 'two\nlines'],
    ],
  )
  const refused = detail(3)
  assert.deepEqual([refused.exchange.sentUs, refused.response?.own, refused.exchange.rules], [null, true, ['no-deletes']])
  const [call] = detail(4).calls
  assert.deepEqual([call?.tool, call?.params?.text, call?.failed], ['find', '{\n  "order": 7\n}', false])
  assert.equal(call?.result?.marks.length, 1)
  const big = detail(5)
  // The target answered before it had read it all.
  assert.deepEqual(
    [(big.request?.body.size ?? 0) > MAX_BODY_SIZE, big.request?.body.cut, list[5]?.bytesIn],
    [true, true, big.request?.body.size],
  )

  assert.equal(exchangeAt(list, list[2]?.frames.at(-1) ?? 0)?.n, 2)
  const matching = (filter: string): readonly number[] => {
    const parsed = parseExchangeFilter(filter)
    return parsed.ok ? list.filter(parsed.matches).map(({ n }) => n) : []
  }
  assert.deepEqual(matching('method:get'), [1, 2])
  assert.deepEqual(matching('status:4xx verdict:block orders'), [3])
  assert.deepEqual(matching('kind:call find'), [4])
  assert.deepEqual(matching('host:sh* rule:no-*'), [3])
  assert.equal(parseExchangeFilter('colour:red').ok, false)
})

test('a held request is one exchange, which waited', () => {
  const index = new ExchangeIndex('kubernetes', 'cluster')
  const frame = {
    channel: 3,
    body: null,
    masks: null,
    dir: 'in',
    kind: 'request',
    facts: { verb: 'delete', resource: 'pods', namespace: 'shop', name: 'web' },
  } as const
  const verdict = { rules: ['ask'], policy: 'p', approval: 'A-1' }
  index.push({ ...frame, seq: 0, atUs: 10, verdict: { act: 'hold', ...verdict } })
  index.push({ ...frame, seq: 4, atUs: 500, verdict: { act: 'allow', ...verdict } })
  index.push({ ...frame, seq: 5, atUs: 600, dir: 'out', kind: 'response', facts: { status: 200, size: 3 }, verdict: null })
  const [only, ...more] = index.news()
  assert.deepEqual(more, [])
  assert.deepEqual(
    [only?.name, only?.method, only?.startUs, only?.sentUs, only?.firstUs, only?.act, only?.approval],
    ['delete pods/web -n shop', 'delete', 10, 500, 600, 'hold', 'A-1'],
  )
})

test('JSON is laid out as it was written, with its marks where they were; what is none is left alone', () => {
  const source = '{"a":"x","a":[1.00,"\\u0041"],"e":{}}'
  const pretty = prettyMarked({ text: source, marks: [{ from: 6, to: 7, entity: 'email', rule: 'r' }] })
  assert.equal(pretty?.text, '{\n  "a": "x",\n  "a": [\n    1.00,\n    "\\u0041"\n  ],\n  "e": {}\n}')
  assert.equal(pretty?.text.slice(pretty.marks[0]?.from, pretty.marks[0]?.to), 'x')
  assert.equal(prettyMarked(plain('{"a":')), undefined)
  assert.equal(prettyMarked(plain('plain')), undefined)
  const deep = '['.repeat(3_000) + ']'.repeat(3_000)
  assert.ok((prettyMarked(plain(deep))?.text.length ?? 0) < 400_000, 'deep levels do not grow it by the square')
  const long = prettyMarked(plain(`["${'\\n'.repeat(400_000)}"]`))
  assert.ok(long !== undefined)
})

test('masks are found in text by characters, whatever stands before them', () => {
  const bytes = Buffer.from('ä€[M]!')
  const marked = markedOf(bytes, [{ from: 5, to: 8, entity: 'e', rule: 'r' }])
  assert.deepEqual(segmentsOf(marked), [{ text: 'ä€' }, { text: '[M]', mark: { entity: 'e', rule: 'r' } }, { text: '!' }])
})

test('calls of a batch get their answers by id, whatever order those came in', () => {
  const calls = callsOf(
    plain('[{"id":1,"method":"a"},{"id":"2","method":"tools/call","params":{"name":"t"}},{"method":"note"}]'),
    [plain('{"id":"2","result":{"isError":true}}'), plain('{"id":1,"error":{"code":1}}')],
  )
  assert.deepEqual(
    calls.map(({ method, tool, failed, result }) => [method, tool, failed, result?.text]),
    [
      ['a', '', true, '{\n  "code": 1\n}'],
      ['tools/call', 't', true, '{\n  "isError": true\n}'],
      ['note', '', false, undefined],
    ],
  )
  assert.deepEqual(callsOf(plain('no json'), []), [])
})

test('a stream of events that was cut shows what came', () => {
  assert.deepEqual(
    eventsOf(plain('data: a\r\n\r\ndata: b')).map(({ data }) => data.text),
    ['a', 'b'],
  )
})
