import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpDescriber } from '../../../../gateway/protocols/http/describe.ts'
import { encodeRequest, encodeResponse } from '../../../../gateway/protocols/http/head.ts'
import type { Frame } from '../../../../schemas/frame.ts'

const base = { seq: 0, atUs: 0, channel: 3, facts: {}, masks: null, verdict: null } as const
const request: Frame = {
  ...base,
  dir: 'in',
  kind: 'request',
  facts: { method: 'POST', path: '/mcp' },
  body: Buffer.concat([encodeRequest({ method: 'POST', target: '/mcp?a=1', headers: [] }), Buffer.from('{"x":1}')]),
}
const response: Frame = {
  ...base,
  dir: 'out',
  kind: 'response',
  facts: { status: 404 },
  body: encodeResponse({ status: 404, headers: [] }),
}
const more: Frame = { ...base, dir: 'out', kind: 'response-body', body: Buffer.from('text') }

test('the catalog hears of a request and of how it went, by their channel', () => {
  const describer = new HttpDescriber()
  assert.deepEqual(describer.read(request), [
    {
      told: 'statement',
      kind: 'request',
      text: 'POST /mcp?a=1\n{"x":1}',
      answer: 3,
      fingerprint: 'POST ',
      objects: [],
      verbs: ['POST'],
    },
  ])
  assert.deepEqual(describer.read({ ...request, verdict: { act: 'block', rules: [], policy: '' } })[0], {
    told: 'statement',
    kind: 'request',
    text: 'POST /mcp?a=1\n{"x":1}',
    answer: null,
    fingerprint: 'POST ',
    objects: [],
    verbs: ['POST'],
  })
  assert.deepEqual(describer.read(response), [{ told: 'answer', answer: 3, rows: 0, end: 'error' }])
  assert.deepEqual(describer.read(more), [
    { told: 'answer', answer: 3, rows: 0, end: null },
    { told: 'text', place: 'body', text: 'text', firstRow: null },
  ])
})
