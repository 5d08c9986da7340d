import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRequest, encodeResponse } from '../../../gateway/protocols/http/head.ts'
import { dissectHttp } from '../../../replay-ui/data/dissect-http.ts'
import type { Frame } from '../../../schemas/frame.ts'
import { HttpView } from '../../../schemas/views/http.ts'

const base = { seq: 0, atUs: 0, channel: 3, facts: {}, masks: null, verdict: null } as const
const request: Frame = {
  ...base,
  dir: 'in',
  kind: 'request',
  facts: { method: 'POST', path: '/mcp' },
  body: Buffer.concat([
    encodeRequest({ method: 'POST', target: '/mcp?a=1', headers: [['Accept', '*/*']] }),
    Buffer.from('{"x":1}'),
  ]),
}
const response: Frame = {
  ...base,
  dir: 'out',
  kind: 'response',
  facts: { status: 404 },
  body: encodeResponse({ status: 404, headers: [] }),
}
const more: Frame = { ...base, dir: 'out', kind: 'response-body', body: Buffer.from('text') }

test('requests are commands, responses words, bodies texts or their size', () => {
  const view = new HttpView()
  assert.deepEqual(view.read(request), [
    { show: 'statement', label: 'request', text: 'POST /mcp?a=1' },
    { show: 'word', label: 'headers', text: 'Accept: */*' },
    { show: 'word', label: 'body', text: '{"x":1}' },
  ])
  assert.deepEqual(view.read(response), [{ show: 'word', label: 'response', text: '404' }])
  assert.deepEqual(view.read(more), [{ show: 'word', label: 'body', text: 'text' }])
  assert.deepEqual(view.read({ ...more, body: Buffer.from([0, 1]) }), [{ show: 'bytes', label: 'body', size: 2 }])
})

test('messages of a WebSocket are texts, calls commands, and a close its code and reason', () => {
  const view = new HttpView()
  const message = { ...base, dir: 'in', kind: 'ws-input', facts: { type: 'text' }, body: Buffer.from('hello') } as const
  assert.deepEqual(view.read(message), [{ show: 'word', label: 'text', text: 'hello' }])
  assert.deepEqual(view.read({ ...message, kind: 'ws-call' }), [{ show: 'statement', label: 'call', text: 'hello' }])
  const close = { ...message, facts: { type: 'close' }, body: Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]) }
  assert.deepEqual(view.read(close), [{ show: 'word', label: 'close', text: '1000 bye' }])
})

test('every byte of a message is in one of its fields', () => {
  const fields = dissectHttp(request.body ?? new Uint8Array())
  assert.deepEqual(
    fields.filter(({ depth }) => depth === 0).map(({ from, to }) => [from, to]),
    [
      [0, 39],
      [39, 46],
    ],
  )
})
