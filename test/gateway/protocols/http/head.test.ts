import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeRequest,
  encodeResponse,
  endToEnd,
  headSize,
  pairsOf,
  parseResponse,
} from '../../../../gateway/protocols/http/head.ts'
import { redactHead } from '../../../../gateway/protocols/http/redact-head.ts'
import { testMasker } from '../../../support/fakes.ts'

const MAIL = `ann${String.fromCharCode(64)}example.org`

test('a response head comes back as it went in, repeated headers and bytes above ASCII included', () => {
  const head = {
    status: 207,
    headers: [
      ['Set-Cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-latin', 'caf\u00e9'],
      ['x-empty', ''],
      ['x-colon', 'a: b'],
    ],
  } as const
  const bytes = encodeResponse(head)
  assert.deepEqual(parseResponse(Buffer.concat([bytes, Buffer.from('body\r\n\r\nmore')])), head)
  assert.equal(headSize(bytes), bytes.length)
})

test('what belongs to one hop stays on it, and so does what Connection names', () => {
  const headers = pairsOf([
    'Connection',
    'close, X-Private',
    'x-private',
    '1',
    'TE',
    'trailers',
    'Content-Length',
    '5',
    'Accept',
    '*/*',
  ])
  assert.deepEqual(endToEnd(headers), [['Accept', '*/*']])
})

test('path, query and headers are redacted each on its own; credentials whatever they look like', () => {
  const bytes = encodeRequest({
    method: 'GET',
    target: `/users/${encodeURIComponent(MAIL)}/a?mail=${MAIL}&x=1`,
    headers: [
      ['Host', 'shop'],
      ['X-From', `me <${MAIL}>`],
      ['Cookie', 'plain'],
      ['X-Empty', ''],
    ],
  })
  const masker = testMasker()
  const sink = masker.sink(bytes.length)
  const size = redactHead(masker, sink, bytes, { request: true, query: () => ({ path: 'q', action: 'scan' }) })
  assert.equal(size, bytes.length)
  const text = Buffer.from(sink.finish().bytes)
    .toString()
    .replace(/[0-9a-f]{12}/g, '#')
  assert.equal(
    text,
    'GET /users/[MASKED:email:#]/a?mail=[MASKED:email:#]&x=1 HTTP/1.1\r\nHost: shop\r\nX-From: me <[MASKED:email:#]>\r\n' +
      'Cookie: [MASKED:credential:#]\r\nX-Empty: \r\n\r\n',
  )
})

test('a place in a header is read like the target of a request, whole URL or not', () => {
  const mail = encodeURIComponent(MAIL)
  const places: Readonly<Record<string, string>> = {
    [`/a%2fb?mail=${mail}&x=a%20b`]: '/a%2fb?mail=[MASKED:email]&x=a%20b',
    [`https://shop:8443/users/${mail}/b#mail=${mail}`]: 'https://shop:8443/users/[MASKED:email]/b#mail=[MASKED:email]',
    [`https://u:${['b4tt', 'eryHorse'].join('')}${String.fromCharCode(64)}shop?x`]: `https://u:[MASKED:url-credentials]${String.fromCharCode(64)}shop?x`,
    [`https://${mail}${String.fromCharCode(64)}shop/x`]: `https://[MASKED:email]${String.fromCharCode(64)}shop/x`,
    'https://%61%zz/x': 'https://%61%zz/x',
    '//shop/%e0/?a=%zz#': '//shop/%e0/?a=%zz#',
    '': '',
  }
  for (const name of ['Location', 'Content-Location', 'referer']) {
    for (const [place, shown] of Object.entries(places)) {
      const bytes = encodeResponse({ status: 302, headers: [[name, place]] })
      const masker = testMasker()
      const sink = masker.sink(bytes.length)
      redactHead(masker, sink, bytes, { request: false, query: () => ({ path: 'q', action: 'scan' }) })
      const text = Buffer.from(sink.finish().bytes).toString()
      assert.equal(text.replace(/:[0-9a-f]{12}/g, ''), `HTTP/1.1 302\r\n${name}: ${shown}\r\n\r\n`)
    }
  }
})

test('headers and parameters that promise a secret are masked where they hold one', () => {
  const horse = ['correct', 'Horse9', 'battery'].join('-')
  const bytes = encodeRequest({
    method: 'GET',
    target: `/a?password=${horse}&token_type=bearer`,
    headers: [
      ['X-Vault-Token', 'a'],
      ['Ocp-Apim-Subscription-Key', 'b'],
      ['X-DB-Password', horse],
      ['X-Token-Type', horse],
      ['X-RateLimit-Remaining-Tokens', '149984'],
    ],
  })
  const masker = testMasker()
  const sink = masker.sink(bytes.length)
  redactHead(masker, sink, bytes, { request: true, query: () => ({ path: 'q', action: 'scan' }) })
  assert.equal(
    Buffer.from(sink.finish().bytes)
      .toString()
      .replace(/:[0-9a-f]{12}/g, ''),
    'GET /a?password=[MASKED:password]&token_type=bearer HTTP/1.1\r\nX-Vault-Token: [MASKED:credential]\r\n' +
      `Ocp-Apim-Subscription-Key: [MASKED:credential]\r\nX-DB-Password: [MASKED:password]\r\nX-Token-Type: ${horse}\r\n` +
      'X-RateLimit-Remaining-Tokens: 149984\r\n\r\n',
  )
})

test('a head without headers, and a path without a query', () => {
  const masker = testMasker()
  for (const bytes of [
    encodeResponse({ status: 204, headers: [] }),
    encodeRequest({ method: 'GET', target: '/', headers: [] }),
  ]) {
    const sink = masker.sink(bytes.length)
    redactHead(masker, sink, bytes, { request: bytes[0] === 0x47, query: () => ({ path: 'q', action: 'scan' }) })
    assert.deepEqual(sink.finish(), { bytes, masks: null })
  }
})

test('heads come out alike, however many of their lines the masker has met before', () => {
  const horse = ['correct', 'Horse9', 'battery'].join('-')
  const name = fc.constantFrom('Accept', 'X-From', 'Cookie', 'X-DB-Password', 'X-Token-Type')
  const value = fc.oneof(fc.constantFrom('*/*', `me <${MAIL}>`, horse, 'a'.repeat(200)), fc.stringMatching(/^[ -~]{0,8}$/))
  const heads = fc.array(fc.array(fc.tuple(name, value), { maxLength: 40 }), { maxLength: 8 })
  const redacted = (masker: ReturnType<typeof testMasker>, bytes: Buffer): object => {
    const sink = masker.sink(bytes.length)
    redactHead(masker, sink, bytes, { request: false, query: () => ({ path: 'q', action: 'scan' }) })
    return sink.finish()
  }
  fc.assert(
    fc.property(heads, (all) => {
      const masker = testMasker()
      for (const headers of all) {
        const bytes = encodeResponse({ status: 200, headers })
        assert.deepEqual(redacted(masker, bytes), redacted(testMasker(), bytes))
      }
    }),
  )
})
