import assert from 'node:assert/strict'
import { test } from 'node:test'
import { har as validHar } from 'har-validator'
import { Har } from '../../../gateway/exports/har.ts'
import type { Frame } from '../../../schemas/frame.ts'
import type { ProtocolName } from '../../../schemas/session.ts'
import { framesOf, infoOf } from '../../support/frames.ts'

const HEAD = 'POST /v1/items?a=1&b=x%20y HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n'
const ANSWER = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nLocation: /v1/items/7\r\n\r\n'
const note = (act: 'block' | 'hold' | 'allow') => ({ act, rules: ['r1'], policy: 'abababababab' }) as const

interface Entry {
  readonly time: number
  readonly request: { readonly url: string; readonly method: string; readonly postData?: { readonly text: string } }
  readonly response: { readonly status: number; readonly content: { readonly text?: string; readonly encoding?: string } }
  readonly comment: string
  readonly _webSocketMessages?: readonly unknown[]
}

/** Read by a validator that is not ours. */
async function entriesOf(frames: readonly Frame[], protocol: ProtocolName = 'http'): Promise<readonly Entry[]> {
  const session = infoOf(protocol, { target: { ...infoOf(protocol).target, host: 'api.internal', port: 8080 } })
  const har = new Har(session, { session: session.id, frames: frames.length, checkpoint: null }, '0')
  const text = [har.begin(), ...frames.flatMap((frame) => [...har.add(frame)]), ...har.end()].join('')
  const value: { readonly log: { readonly comment: string; readonly entries: readonly Entry[] } } = JSON.parse(text)
  await validHar(value)
  assert.match(value.log.comment, /^derived from 20261120T105150Z-gw1-00000042, \d+ frames; not evidence/)
  return value.log.entries
}

test('exchanges are HAR 1.2 with their frames and verdicts, bodies put together from the frames they came in', async () => {
  const entries = await entriesOf(
    framesOf(
      { kind: 'request', channel: 1, body: Buffer.from(`${HEAD}{"a":1}`) },
      { kind: 'request', channel: 2, body: Buffer.from(HEAD) },
      { dir: 'out', kind: 'response', channel: 1, body: Buffer.from(`${ANSWER}{"id":7}`) },
      { kind: 'request-body', channel: 2, body: Buffer.from('{"b":') },
      { kind: 'request-body', channel: 2, body: Buffer.from('2}') },
      { dir: 'out', kind: 'response', channel: 2, body: Buffer.from(ANSWER) },
      { dir: 'out', kind: 'response-body', channel: 2, body: Buffer.from([0xff, 0]) },
      { kind: 'request', channel: 3, body: Buffer.from('GET /drop HTTP/1.1\r\n\r\n'), verdict: note('block') },
      { dir: 'out', kind: 'refusal', channel: 3, body: Buffer.from('HTTP/1.1 403 Forbidden\r\n\r\n{}') },
      { kind: 'request', channel: 4, body: Buffer.from('GET /away HTTP/1.1\r\n\r\n') },
      { dir: 'note', kind: 'exchange.aborted', channel: 4 },
    ),
  )
  const of = (channel: number): Entry => entries.find(({ comment }) => comment.startsWith(`frames ${channel}-`)) ?? assert.fail()
  assert.deepEqual(
    [of(0), of(1), of(7), of(9)].map(({ request, response, time }) => [
      request.method,
      request.url,
      request.postData?.text,
      response.status,
      time,
    ]),
    [
      ['POST', 'http://api.internal:8080/v1/items?a=1&b=x%20y', '{"a":1}', 201, 2],
      ['POST', 'http://api.internal:8080/v1/items?a=1&b=x%20y', '{"b":2}', 201, 5],
      ['GET', 'http://api.internal:8080/drop', undefined, 403, 1],
      ['GET', 'http://api.internal:8080/away', undefined, 0, 1],
    ],
  )
  assert.deepEqual([of(1).response.content.text, of(1).response.content.encoding], ['/wA=', 'base64'])
  assert.equal(of(7).comment, 'frames 7-8 of 20261120T105150Z-gw1-00000042; block r1 (not sent on)')
})

test('a request that waited for a person is one entry; WebSocket messages stand in the entry that began them; a tunnel has an address', async () => {
  const [held, ...more] = await entriesOf(
    framesOf(
      { kind: 'request', channel: 1, body: Buffer.from('DELETE /x HTTP/1.1\r\n\r\n'), verdict: note('hold') },
      { kind: 'request', channel: 1, body: Buffer.from('DELETE /x HTTP/1.1\r\n\r\n'), verdict: note('allow') },
      { dir: 'out', kind: 'response', channel: 1, body: Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n') },
      { kind: 'ws-input', channel: 1, facts: { type: 'text' }, body: Buffer.from('hi') },
      { dir: 'out', kind: 'ws-output', channel: 1, facts: { type: 'binary' }, body: Buffer.from([1]) },
    ),
  )
  assert.deepEqual(more, [])
  assert.equal(held?._webSocketMessages?.length, 2)
  const [tunnel] = await entriesOf(
    framesOf({ kind: 'request', body: Buffer.from('CONNECT api.example:443 HTTP/1.1\r\n\r\n') }),
    'egress',
  )
  assert.equal(tunnel?.request.url, 'https://api.example/')
  assert.deepEqual(await entriesOf([]), [])
})

test('a body longer than a reader should hold is cut, and says so; hostile heads are entries like others', async () => {
  const [large] = await entriesOf(
    framesOf(
      { kind: 'request', body: Buffer.from('GET //[::bad HTTP/1.1\r\nno colon\r\n: x\r\n\r\n') },
      { dir: 'out', kind: 'response', body: Buffer.from('HTTP/1.1 abc\r\n\r\n') },
      ...Array.from({ length: 5 }, () => ({ dir: 'out', kind: 'response-body', body: Buffer.alloc(300_000, 'é') }) as const),
    ),
  )
  assert.match(large?.comment ?? '', /; a body is cut here$/)
  assert.ok((large?.response.content.text?.length ?? 0) <= 1 << 20)
  assert.equal(large?.response.status, 0)
})

test('a WebSocket message that was not sent on is none of those listed; what has no room is counted', async () => {
  const opened = [
    { kind: 'request', channel: 1, body: Buffer.from('GET /x HTTP/1.1\r\n\r\n') },
    { dir: 'out', kind: 'response', channel: 1, body: Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n') },
  ] as const
  const said = (text: string, act?: 'block' | 'hold' | 'allow') =>
    ({
      kind: 'ws-call',
      channel: 1,
      facts: { type: 'text' },
      body: Buffer.from(text),
      verdict: act === undefined ? null : note(act),
    }) as const
  const messagesOf = async (...frames: readonly Partial<Frame>[]): Promise<readonly [string, readonly string[]]> => {
    const [one] = await entriesOf(framesOf(...opened, ...frames))
    const messages = (one?._webSocketMessages ?? []) as readonly { readonly data: string }[]
    return [one?.comment ?? '', messages.map(({ data }) => data)]
  }
  const [judged, sent] = await messagesOf(
    said('a'),
    said('drop', 'block'),
    said('wait', 'hold'),
    said('wait', 'allow'),
    said('b'),
  )
  assert.deepEqual(sent, ['a', 'wait', 'b'])
  assert.match(judged, /; block r1 \(not sent on\), .*; 2 messages are blocked or held, and not listed$/)

  const [many, first] = await messagesOf(...Array.from({ length: 1_003 }, (_, n) => said(String(n))))
  assert.deepEqual([first.length, first.at(-1)], [1_000, '999'])
  assert.match(many, /; 3 messages are left out$/)

  const [large, kept] = await messagesOf(said('x'.repeat(1 << 20)), said('y'))
  assert.deepEqual([kept.length, kept[0]?.length], [1, 1 << 20])
  assert.match(large, /; 1 message is left out$/)
  assert.match((await messagesOf(said('x'), said('y'.repeat(1 << 20)), said('z')))[0], /; 2 messages are left out$/)
})

test('a URL has the host that was asked: the target of a session, but of a proxy what the request names', async () => {
  const urlOf = async (target: string, protocol: ProtocolName): Promise<string | undefined> =>
    (await entriesOf(framesOf({ kind: 'request', body: Buffer.from(`GET ${target} HTTP/1.1\r\n\r\n`) }), protocol))[0]?.request
      .url
  for (const [target, url] of [
    ['//evil.test/x?a=1', 'http://api.internal:8080//evil.test/x?a=1'],
    ['/\\evil.test/x', 'http://api.internal:8080//evil.test/x'],
    ['http://evil.test/x', 'http://api.internal:8080/'],
    ['evil.test:443', 'http://api.internal:8080/'],
    ['@evil.test/', 'http://api.internal:8080/'],
    ['*', 'http://api.internal:8080/'],
  ] as const)
    assert.equal(await urlOf(target, 'http'), url, target)
  assert.equal(await urlOf('//evil.test/x', 'kubernetes'), 'https://api.internal:8080//evil.test/x')
  assert.equal(await urlOf('http://away.test/x', 'egress'), 'http://away.test/x')
  assert.equal(await urlOf('[2001:db8::1]:443', 'egress'), 'https://[2001:db8::1]/')
})
