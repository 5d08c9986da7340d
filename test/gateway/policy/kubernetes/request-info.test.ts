import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kubernetesFacts, requestInfo } from '../../../../gateway/policy/kubernetes/request-info.ts'
import { compilePolicy } from '../../../../gateway/policy/policy.ts'
import { loadShell } from '../../../../gateway/policy/shell/facts.ts'
import { askingMessage } from '../../../../gateway/policy/trial.ts'

const told = (method: string, target: string): string => {
  const info = requestInfo(method, target)
  if (info === undefined) return 'unreadable'
  const { verb, resource, group, namespace, name } = info
  return [verb, resource, group, namespace, name].map((part) => part ?? '-').join(' ')
}

test('requests are read as the API server reads them', () => {
  const cases: Record<string, string> = {
    'GET /api/v1/namespaces/shop/pods/web': 'get pods  shop web',
    'GET /api/v1/namespaces/shop/pods': 'list pods  shop *',
    'GET /api/v1/namespaces/shop/pods?watch=1': 'watch pods  shop *',
    'GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb&watch=true': 'watch pods  shop web',
    'GET /api/v1/watch/namespaces/shop/pods/web': 'watch pods  shop web',
    'GET /api/v1/watch/namespaces/shop/pods/web?watch=false': 'watch pods  shop web',
    // Whatever is said and is not `false`.
    'GET /api/v1/namespaces/shop/pods?watch=yes': 'watch pods  shop *',
    'GET /api/v1/namespaces/shop/pods?watch': 'watch pods  shop *',
    'GET /api/v1/namespaces/shop/pods?watch=0&watch=1': 'list pods  shop *',
    'HEAD /api/v1/namespaces/shop/pods?watch=': 'watch pods  shop *',
    // What has a name is not watched.
    'GET /api/v1/namespaces/shop/secrets/db?watch=1': 'get secrets  shop db',
    'GET /api/v1/namespaces/shop/pods/web/log?watch=true&follow=true': 'get pods/log  shop web',
    'GET /api/v1/namespaces/shop?watch=true': 'get namespaces  shop shop',
    // A part of another value is no name.
    'GET /api/v1/namespaces/shop/pods?fieldSelector=a%3Db%5C%2Cmetadata.name%3Dweb': 'list pods  shop *',
    'GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb&fieldSelector=a%3Db': 'list pods  shop *',
    'GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name!%3Dweb': 'list pods  shop *',
    'GET /api/v1/secrets': 'list secrets  * *',
    'GET /api/v1/nodes': 'list nodes  - *',
    'GET /apis/metrics.k8s.io/v1beta1/nodes': 'list nodes metrics.k8s.io - *',
    'GET /apis/management.cattle.io/v3/nodes': 'list nodes management.cattle.io * *',
    'GET /apis/example.org/v1/widgets': 'list widgets example.org * *',
    'GET /api/v1/namespaces/shop': 'get namespaces  shop shop',
    'PUT /api/v1/namespaces/shop/finalize': 'update namespaces/finalize  shop shop',
    'GET /api/v1/namespaces': 'list namespaces  - *',
    'POST /apis/apps/v1/namespaces/shop/deployments': 'create deployments apps shop -',
    'PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale': 'patch deployments/scale apps shop web',
    'DELETE /api/v1/namespaces/shop/pods': 'deletecollection pods  shop *',
    'POST /api/v1/namespaces/shop/pods/web/exec?command=ls': 'create pods/exec  shop web',
    'GET /api/v1/namespaces/shop/services/web:80/proxy/admin': 'get services/proxy  shop web:80',
    'GET /api/v1/proxy/nodes/n1/run': 'get nodes/proxy  - n1',
    'GET /version': 'get - - - -',
    'GET /apis/apps/v1': 'get - - - -',
    'GET /api/v1/namespaces%2Fshop/pods': 'unreadable',
    'GET /api/v1/namespaces/shop//secrets': 'unreadable',
    'GET /api/v1/namespaces/../secrets': 'unreadable',
    'GET /api/v1/%2e%2e/secrets': 'unreadable',
    'GET /api/v1/%zz': 'unreadable',
    'GET /api/v1/namespaces/shop/secrets#x': 'unreadable',
    'GET /api/v1/namespaces/\u00e9/pods': 'unreadable',
  }
  for (const [asked, expected] of Object.entries(cases)) {
    const [method = '', target = ''] = asked.split(' ')
    assert.equal(told(method, target), expected, asked)
  }
})

test('a query that can be read in more than one way is refused with everything in it', () => {
  for (const [query, malformed] of [
    ['watch=%zz', true],
    ['command=x;y', true],
    ['watch=1', false],
  ] as const) {
    const asked = { method: 'GET', target: `/api/v1/pods?${query}`, contentType: '', body: undefined }
    assert.equal(kubernetesFacts(asked)['malformed'] !== undefined, malformed, query)
  }
})

test('what is written may not be what was shown in the place of a value', () => {
  const mask = '[MASKED:kubernetes-secret:0123456789ab]'
  const facts = (method: string, body: string): unknown =>
    kubernetesFacts({
      method,
      target: '/api/v1/namespaces/a/secrets/b',
      contentType: 'application/json',
      body: Buffer.from(body),
    })['masked_write']
  assert.equal(facts('PATCH', JSON.stringify({ data: { a: Buffer.from(mask).toString('base64') } })), true)
  assert.equal(facts('PUT', JSON.stringify({ stringData: { a: mask } })), true)
  assert.equal(facts('PUT', JSON.stringify({ stringData: { a: 'plain' } })), undefined)
})

test('rules ask in the words of RBAC: what is about all is among what is stopped, and not what is allowed', async () => {
  await loadShell()
  const policy = compilePolicy(
    `
version: 1
defaults: { action: block }
rules:
  - { id: system, on: kubernetes, match: { namespace: kube-system }, action: block }
  - { id: own, on: kubernetes, match: { namespace: shop, verb: [get, list] }, action: allow }
  - { id: apps, on: kubernetes, match: { api_group: apps, resource: "deployments*" }, action: allow }
  - { id: no-rm, on: kubernetes, match: { kind: exec, program: rm }, action: block }
  - { id: exec, on: kubernetes, match: { resource: pods/exec }, action: allow }
`,
    'policy.yaml',
  )
  const agent = { subject: 'agent-7', kind: 'agent', groups: [], proof: 'key:agent' } as const
  const target = { name: 'c', protocol: 'kubernetes', host: 'c', port: 6443, labels: {} } as const
  const places = { labels: policy.columns(agent), searchPath: [] }
  const ruled = (text: string): string => {
    const { act, rules } = policy.judge(agent, target).judge(askingMessage('kubernetes', text, places))
    return `${act} ${rules.join(',')}`
  }
  assert.equal(ruled('GET /api/v1/namespaces/shop/pods'), 'allow own')
  assert.equal(ruled('GET /api/v1/namespaces/kube-system/pods'), 'block system')
  assert.equal(ruled('GET /api/v1/pods'), 'block system')
  assert.equal(ruled('GET /api/v1/nodes'), 'block policy.default')
  assert.equal(ruled('PATCH /apis/apps/v1/namespaces/web/deployments/a/scale'), 'allow apps')
  assert.equal(ruled('exec shop/web -- ls /tmp'), 'allow exec')
  assert.equal(ruled('exec shop/web -- sh -c "rm -rf /tmp/x"'), 'block no-rm,exec')
  assert.equal(ruled('GET /api/v1/namespaces/shop/services/web/proxy/x'), 'allow own')
})
