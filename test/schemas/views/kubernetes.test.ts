import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRequest } from '../../../gateway/protocols/http/head.ts'
import { summaryOf } from '../../../replay-ui/data/shown.ts'
import type { Frame } from '../../../schemas/frame.ts'
import { KubernetesView } from '../../../schemas/views/kubernetes.ts'

const base = { seq: 0, atUs: 0, channel: 3, masks: null, verdict: null } as const
const asked = (kind: string, facts: Frame['facts'], target = '/x'): Frame => ({
  ...base,
  dir: 'in',
  kind,
  facts,
  body: encodeRequest({ method: 'GET', target, headers: [] }),
})

test('requests are told in the words of RBAC, streams as those of a shell', () => {
  const view = new KubernetesView()
  const pods = { verb: 'list', resource: 'pods', api_group: '', namespace: 'shop', name: '*' }
  assert.deepEqual(view.read(asked('request', pods, '/api/v1/namespaces/shop/pods')), [
    { show: 'statement', label: 'request', text: 'list pods -n shop' },
    { show: 'word', label: 'path', text: 'GET /api/v1/namespaces/shop/pods' },
  ])
  const line = (kind: string, facts: Frame['facts']): string => summaryOf('kubernetes', asked(kind, facts))
  assert.equal(
    line('request', { verb: 'list', resource: 'secrets', api_group: '', namespace: '*', name: '*' }),
    'list secrets -A',
  )
  assert.equal(
    line('request', { verb: 'patch', resource: 'deployments/scale', api_group: 'apps', namespace: 'a', name: 'web' }),
    'patch deployments.apps/web/scale -n a',
  )
  assert.equal(
    line('exec', { verb: 'get', resource: 'pods/exec', api_group: '', namespace: 'a', name: 'web', command: 'ls -l' }),
    'exec pods/web -n a: ls -l',
  )
  assert.equal(line('request', { verb: 'get' }), 'GET /x')
  const out: Frame = { ...base, dir: 'out', kind: 'stdout', facts: {}, body: Buffer.from('hello') }
  assert.deepEqual(view.read(out), [{ show: 'word', label: 'stdout', text: 'hello' }])
})
