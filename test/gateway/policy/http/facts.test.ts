import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestFacts, routeOf } from '../../../../gateway/policy/http/facts.ts'

const asked = (body: string, contentType = 'application/json') =>
  requestFacts({ method: 'POST', target: '/mcp', contentType, body: Buffer.from(body) })

test('routes leave out what tells one thing from another of its kind', () => {
  assert.equal(routeOf('/users/42/orders/3f2504e0-4f89-11d3-9a0c-0305e82c3301'), '/users/{id}/orders/{id}')
  assert.equal(routeOf('/blobs/sha256/9f86d081884c7d659a2feaa0c55ad015'), '/blobs/sha256/{id}')
  assert.equal(routeOf('/v1/payments/capture-now'), '/v1/payments/capture-now')
})

test('a request tells its method, path, names of its query, type and size', () => {
  assert.deepEqual(requestFacts({ method: 'GET', target: '/a/7?x=1&x=2&y', contentType: '', body: Buffer.alloc(0) }), {
    method: 'GET',
    path: '/a/7',
    route: '/a/{id}',
    query: ['x', 'x', 'y'],
    content_type: '',
    size: 0,
  })
})

test('JSON-RPC calls tell their methods and tools, batches all of theirs', () => {
  const call = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'delete_all' } }
  const facts = asked(JSON.stringify([call, { jsonrpc: '2.0', method: 'tools/list' }]))
  assert.deepEqual([facts['rpc_method'], facts['tool']], [['tools/call', 'tools/list'], ['delete_all']])
})

test('GraphQL tells what kind of operation and its name', () => {
  assert.deepEqual(asked(JSON.stringify({ query: '# hi\n mutation Del { x }', operationName: 'Del' }))['graphql'], [
    'mutation',
    'Del',
  ])
  assert.deepEqual(asked(JSON.stringify({ query: '{ users { id } }' }))['graphql'], ['query'])
})

test('a body that does not parse says so; one that is no JSON is not looked into', () => {
  assert.equal(asked('{')['malformed_json'], true)
  assert.equal(asked('{', 'text/plain')['malformed_json'], undefined)
})
