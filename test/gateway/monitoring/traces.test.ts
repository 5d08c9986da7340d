import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { SpanExporter } from '../../../gateway/monitoring/span-exporter.ts'
import { Traces } from '../../../gateway/monitoring/traces.ts'
import type { SessionId, SessionInfo } from '../../../schemas/session.ts'
import { type GatewayOptions, startGateway, targetAt } from '../../support/gateway.ts'
import { startPostgres } from '../../support/pg-server.ts'
import { type Receiver, receiver } from '../../support/receiver.ts'
import { START } from '../../support/recording.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const POLICY = `version: 1
rules:
  - { id: no-drop, action: block, match: { verb: [DROP] }, reason: no }
  - id: ask
    action: hold
    match: { verb: [DELETE] }
    reason: ask
    approval: { groups: [approvers], timeout: 1s }
`

interface Sent {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
  readonly status: { readonly code: number }
}

/** What a collector takes: the members of ExportTraceServiceRequest in JSON, and none that it does not know. */
function spansIn(body: string): readonly Sent[] {
  const known = (value: object, ...members: readonly string[]): void =>
    assert.deepEqual(
      Object.keys(value).filter((key) => !members.includes(key)),
      [],
    )
  const attributes = (all: Sent['attributes']): void => {
    for (const { key, value, ...more } of all) {
      assert.deepEqual(more, {})
      assert.ok(typeof key === 'string' && key !== '')
      const [[kind, inner] = ['', undefined], ...others] = Object.entries(value)
      assert.equal(others.length, 0)
      if (kind === 'stringValue') assert.equal(typeof inner, 'string')
      else if (kind === 'intValue') assert.match(String(inner), /^-?\d+$/)
      else if (kind === 'arrayValue') for (const each of (inner as { values: object[] }).values) known(each, 'stringValue')
      else assert.fail(kind)
    }
  }
  const request = JSON.parse(body)
  known(request, 'resourceSpans')
  const spans: Sent[] = []
  for (const { resource, scopeSpans, ...more } of request.resourceSpans) {
    assert.deepEqual(more, {})
    known(resource, 'attributes')
    attributes(resource.attributes)
    for (const { scope, spans: own, ...rest } of scopeSpans) {
      assert.deepEqual(rest, {})
      known(scope, 'name', 'version')
      for (const span of own) {
        known(
          span,
          ...[
            'traceId',
            'spanId',
            'parentSpanId',
            'name',
            'kind',
            'startTimeUnixNano',
            'endTimeUnixNano',
            'attributes',
            'status',
          ],
        )
        assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/)
        assert.match(span.spanId, /^(?!0{16})[0-9a-f]{16}$/)
        if (span.parentSpanId !== undefined) assert.match(span.parentSpanId, /^(?!0{16})[0-9a-f]{16}$/)
        assert.ok(span.name !== '' && span.kind >= 1 && span.kind <= 5)
        for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) assert.match(time, /^\d{19}$/)
        assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano))
        known(span.status, 'code')
        attributes(span.attributes)
        spans.push(span)
      }
    }
  }
  return spans
}

const all = ({ received }: Receiver): readonly Sent[] => received.flatMap(({ body }) => spansIn(body))
const valueIn = ({ attributes }: Sent, key: string): unknown => {
  const value = attributes.find((each) => each.key === key)?.value
  return value === undefined ? undefined : Object.values(value)[0]
}

test('a session and what goes through its gate are spans of the trace of who asks, with times and rules and nothing else', {
  timeout: 240_000,
}, async () => {
  await using collector = await receiver()
  await using server = await startPostgres()
  const traces = { otlp: { url: collector.url }, everyMs: 100 }
  const options: Partial<GatewayOptions> = { policy: POLICY, more: { traces } }
  const secret = ['hunter', '2', 'canary'].join('-')
  {
    await using gateway = await startGateway({ targets: [targetAt(server, { name: 'shop' })], ...options })
    const client = new Client({
      ...{ host: '127.0.0.1', port: gateway.port, user: 'me', password: gateway.folder.keys.agent, database: 'shop' },
      options: `-c sallyport.traceparent=00-${TRACE}-${PARENT}-01`,
    })
    await client.connect()
    await client.query(`select '${secret}'`)
    await assert.rejects(client.query(`drop table "${secret}"`))
    await assert.rejects(client.query(`delete from ${secret.replaceAll('-', '_')}`))
    await client.end()
  }
  const spans = all(collector)
  const [session] = spans.filter(({ name }) => name === 'session postgres')
  assert.ok(session !== undefined)
  assert.deepEqual([session.traceId, session.parentSpanId, session.kind, session.status.code], [TRACE, PARENT, 2, 0])
  assert.equal(valueIn(session, 'sallyport.target'), 'shop')
  assert.ok(spans.every(({ traceId }) => traceId === TRACE))
  const below = (parent: Sent): readonly string[] =>
    spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId).map(({ name }) => name)
  const queries = spans.filter(({ name }) => name === 'client query')
  assert.deepEqual(
    queries.map((each) => [each.parentSpanId, valueIn(each, 'sallyport.verdict'), valueIn(each, 'sallyport.rules')]),
    [
      [session.spanId, 'allow', undefined],
      [session.spanId, 'block', { values: [{ stringValue: 'no-drop' }] }],
      [session.spanId, 'hold', { values: [{ stringValue: 'ask' }] }],
    ],
  )
  const [allowed, blocked, held] = queries.map((each) => [...below(each)].sort())
  assert.deepEqual(allowed, ['judge', 'record', 'upstream'])
  assert.deepEqual(blocked, ['judge', 'record'])
  assert.deepEqual(held, ['hold', 'judge', 'record'])
  const sent = collector.received.map(({ body }) => body).join('')
  for (const never of [secret, secret.replaceAll('-', '_'), 'select', 'agent:']) assert.ok(!sent.includes(never), never)
})

test('a collector that refuses, hangs or is slow loses spans and nothing else; what it cannot take is counted', {
  timeout: 60_000,
}, async () => {
  await using collector = await receiver()
  collector.script.push(503, { body: '{"partialSuccess":{"rejectedSpans":"1"}}' }, 400, 'hang')
  let [told, lost] = [0, 0]
  const failed: number[] = []
  const exporter = new SpanExporter({
    ...{ url: collector.url, authorization: 'Bearer x', gateway: 'gw1', everyMs: 5 },
    onTold(count) {
      told += count
    },
    onLost(count) {
      lost += count
    },
    onFailed: (_, retryMs) => void failed.push(retryMs),
  })
  const span = (n: number) =>
    exporter.add({
      ...{ traceId: TRACE, spanId: String(n).padStart(16, '1'), name: 'x', kind: 1, attributes: [], status: { code: 0 } },
      ...{ startTimeUnixNano: '1'.repeat(19), endTimeUnixNano: '2'.repeat(19) },
    })
  span(1)
  span(2)
  await collector.until(2)
  assert.equal(collector.received[0]?.body, collector.received[1]?.body, 'sent again as it was')
  assert.equal(collector.received[0]?.headers.authorization, 'Bearer x')
  while (told + lost < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual([told, lost, failed.length], [1, 1, 1])
  span(3)
  while (lost < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(told, 1, 'what is refused for good is not sent again')
  await collector.until(3)
  for (let n = 0; n < 10_000; n += 1) span(n)
  assert.ok(lost > 5_000, 'what is too much is left out at once')
  // Hangs now; the end of the process waits a moment and no longer.
  await exporter[Symbol.asyncDispose]()
  assert.equal(told + lost, 10_003)
})

const joining = (trace: string): SessionInfo => ({
  ...{
    ...START,
    id: '20260301T000000Z-gw1-00000001' as SessionId,
    gateway: 'gw1',
    number: 1,
    run: null,
    startedAt: '2026-03-01T00:00:00.000Z',
  },
  claims: { trace, span: PARENT },
})

test('whether a trace is in is not for the client to choose by its id, and a flood of sessions is told of in part', () => {
  const idOf = (n: number): string => `${n.toString(16).padStart(16, '1')}${'0'.repeat(16)}`
  const half = new Traces({ ratio: 0.5, messagesPerSecond: 10_000, add: () => undefined })
  const told = Array.from({ length: 400 }, (_, n) => half.session(joining(idOf(n))) !== undefined)
  const share = told.filter(Boolean).length / told.length
  assert.ok(share > 0.3 && share < 0.7, String(share))
  assert.deepEqual(
    told.map((_, n) => half.session(joining(idOf(n))) !== undefined),
    told,
    'the same for all sessions of a trace',
  )
  const slow = new Traces({ ratio: 1, messagesPerSecond: 1, add: () => undefined })
  const begun = performance.now()
  const many = Array.from({ length: 1_000 }, () => slow.session(joining(TRACE))).filter((each) => each !== undefined).length
  assert.ok(many >= 1 && many <= 2 + (performance.now() - begun) / 1_000, String(many))
})
