import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRequest } from '../../../../gateway/protocols/http/head.ts'
import { KubernetesDescriber } from '../../../../gateway/protocols/kubernetes/describe.ts'
import type { Frame } from '../../../../schemas/frame.ts'

const base = { seq: 0, atUs: 0, channel: 3, masks: null, verdict: null } as const
const head = encodeRequest({ method: 'POST', target: '/api/v1/namespaces/a/pods', headers: [['Accept', '*/*']] })

test('requests are told with their bodies, discovery is not, and answers end them', () => {
  const describer = new KubernetesDescriber()
  const facts = { verb: 'create', resource: 'pods', api_group: '', namespace: 'a', name: 'web' }
  const body = Buffer.concat([head, Buffer.from('{"kind":"Pod"}')])
  const asked: Frame = { ...base, dir: 'in', kind: 'request', facts, body }
  assert.deepEqual(describer.read(asked), [
    { told: 'statement', kind: 'request', text: 'create pods/web -n a\n{"kind":"Pod"}', answer: 3 },
  ])
  assert.deepEqual(describer.read({ ...asked, facts: { verb: 'get' } }), [])
  const answer: Frame = { ...base, dir: 'out', kind: 'response', facts: { status: 403 }, body: null }
  assert.deepEqual(describer.read(answer), [{ told: 'answer', answer: 3, rows: 0, end: 'error' }])
})
