import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionPlace } from '../../../../gateway/policy/condition-facts.ts'
import { requestFacts } from '../../../../gateway/policy/http/facts.ts'
import { operationsOf } from '../../../../gateway/policy/http/graphql.ts'
import { kubernetesFacts } from '../../../../gateway/policy/kubernetes/request-info.ts'
import { compileRule } from '../../../../gateway/policy/rule.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import type { Rule } from '../../../../schemas/policy.ts'
import { cpuClock } from '../../../support/cpu-time.ts'
import { agent, production } from '../../../support/policy.ts'

const around = { searchPath: ['public'], place: conditionPlace(agent, production) }
const call = (name: string, more = {}) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name }, ...more })
const SHELL = JSON.stringify(call('shell'))

function post(body: string | Uint8Array | undefined, contentType = 'application/json', target = '/mcp', method = 'POST'): Facts {
  return requestFacts({ method, target, contentType, body: body === undefined ? undefined : Buffer.from(body) })
}

const FIELD = '--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n'
const FILE = '--b\r\ncontent-disposition: form-data; name="x"; filename="x"\r\n\r\n'

/** The beginning of a body whose rest is still to come. */
function inParts(beginning: string | Uint8Array, contentType: string): Facts {
  const asked = { method: 'POST', target: '/mcp', contentType, body: undefined }
  return requestFacts({ ...asked, beginning: Buffer.from(beginning) })
}

function fits(rule: Omit<Rule, 'id'>, facts: Facts): boolean {
  return compileRule({ id: 'r', ...rule }, { version: 1, rules: [] }).matches(facts, around, 'request')
}

test('a tool is found, or cannot be, however its call is wrapped', () => {
  const list = JSON.stringify([...Array.from({ length: 150 }, () => call('find')), call('shell')])
  const many = JSON.stringify([...Array.from({ length: 150 }, (_, index) => call(`find${index}`)), call('shell')])
  const twice = SHELL.replace('"method"', '"method":"tools/call","method":"ping","x"')
  const hidden: readonly (readonly [string, Facts])[] = [
    ['the last of a batch', post(list)],
    ['more names than are kept', post(many)],
    ['in parts', post(undefined)],
    ['in parts, as text', post(undefined, 'text/plain')],
    ['in parts of a PUT', post(undefined, 'application/json', '/mcp', 'PUT')],
    ['in parts that begin like JSON', inParts(` \n[${SHELL}`, 'text/plain')],
    ['in parts that begin with blanks', inParts(' '.repeat(2 ** 20), '')],
    ['in parts that begin in UTF-16', inParts(Buffer.from(SHELL, 'utf16le'), 'text/plain')],
    ['in parts of a form with a document', inParts('a=1&query=mutation%7Bdrop%7D&b=', 'application/x-www-form-urlencoded')],
    ['in parts of a form, behind something else', inParts(`x=${'y'.repeat(2 ** 20)}`, 'application/x-www-form-urlencoded')],
    [
      'in parts of a form with files, behind a field',
      inParts(`${FIELD}${'y'.repeat(2 ** 20)}`, 'multipart/form-data; boundary=b'),
    ],
    [
      'in parts of a form with files, behind a file',
      inParts(`${FIELD}\r\n${FILE}${'y'.repeat(2 ** 20)}`, 'multipart/form-data; boundary=b'),
    ],
    ['above 1 MiB', post(`${SHELL}${' '.repeat(2 ** 20)}`)],
    ['behind blanks', post(` \n\t${' '.repeat(1000)}${SHELL}`, 'text/plain')],
    ['behind a byte order mark', post(`\ufeff${SHELL}`)],
    ['UTF-16', post(Buffer.from(`\ufeff${SHELL}`, 'utf16le'))],
    ['UTF-16 without a mark', post(Buffer.from(SHELL, 'utf16le'), 'text/plain')],
    ['UTF-16, big-endian', post(Buffer.from(SHELL, 'utf16le').swap16(), '')],
    ['UTF-16 behind blanks', post(Buffer.from(`${' '.repeat(600)}${SHELL}`, 'utf16le'), 'text/plain')],
    ['as text', post(SHELL, 'text/plain')],
    ['as bytes', post(SHELL, 'application/octet-stream')],
    ['without a type', post(SHELL, '')],
    ['with more behind', post(`${SHELL} x`, 'text/plain')],
    ['in lines', post(`{"a":1}\n${SHELL}`, 'application/x-ndjson')],
    ['keys in another case', post(SHELL.replace('"method"', '"Method"'))],
    ['keys twice', post(twice)],
    ['keys in escapes', post(SHELL.replace('"method"', '"m\\u0065thod"'))],
    ['without its version', post(SHELL.replace('"jsonrpc":"2.0",', ''))],
    ['a name that is none', post(SHELL.replace('"shell"', '["shell"]'))],
    ['a name too long', post(JSON.stringify(call(`shell${'x'.repeat(300)}`)))],
  ]
  for (const [how, facts] of hidden) {
    assert.ok(fits({ action: 'block', match: { tool: 'shell*' } }, facts), how)
    assert.ok(fits({ action: 'hold', when: "facts.tool.exists(t, t.startsWith('shell'))" }, facts), how)
    assert.ok(!fits({ action: 'allow', match: { tool: 'find*' } }, facts), how)
    assert.ok(!fits({ action: 'block', match: { tool: 'shell*', method: 'GET' } }, facts), how)
  }
})

test('a call needs neither a version nor parameters to be one', () => {
  const stops: Rule['match'] = { rpc_method: 'Browser.*' }
  for (const body of ['{"id":1,"method":"Browser.close"}', '{"method":"Browser.close","x":1}', '[{"method":"Browser.close"}]'])
    assert.ok(fits({ action: 'block', match: stops }, post(body)), body)
  assert.ok(!fits({ action: 'block', match: stops }, post('{"method":["Browser.close"]}')))
  assert.ok(!fits({ action: 'block', match: stops }, post('{"a":{"method":"Browser.close"}}')))
})

test('what calls nothing fits no rule on calls', () => {
  for (const type of ['', 'text/csv', 'application/octet-stream'])
    assert.equal(inParts('id,name\n1,query\n', type)['unread_calls'], undefined, type)
  const put = (contentType: string) => post(undefined, contentType, '/container/a', 'PUT')
  const quiet: readonly Facts[] = [
    ...[put('application/octet-stream'), put('text/csv'), put('text/plain'), put('image/png'), post(undefined, '', '/', 'GET')],
    ...[post('{"a":[{"b":"x:y \\" {"}]}'), post('{"query":{"match_all":{}}}'), post('hello', 'text/plain'), post('', '')],
    ...[
      post('{"index":{}}\n{"method":"card"}\n', 'application/x-ndjson'),
      post(Buffer.from([0, 0, 0, 0, 0x7b]), 'application/grpc'),
    ],
    ...[post('a=1&query=shoes', 'application/x-www-form-urlencoded'), post('x', '', '/search?query=mutation+rates')],
  ]
  for (const facts of quiet) {
    assert.equal(facts['unread_calls'], undefined)
    assert.ok(!fits({ action: 'block', match: { tool: '*' } }, facts))
    assert.ok(!fits({ action: 'block', match: { graphql: 'mutation' } }, facts))
  }
})

test('a GraphQL mutation is found wherever a server reads one', () => {
  const mutation = 'query A{a} mutation B @x(a:"}") {b}'
  const hidden: readonly (readonly [string, Facts])[] = [
    ['behind a query', post(JSON.stringify({ query: mutation }))],
    ['behind a fragment', post(JSON.stringify({ query: 'fragment F on T{a(x:"}")} mutation{b}' }))],
    ['in a GET', post('', '', `/graphql?query=${encodeURIComponent(mutation)}`, 'GET')],
    ['as a document', post(mutation, 'application/graphql')],
    ['in a form', post(`query=${encodeURIComponent(mutation)}`, 'application/x-www-form-urlencoded')],
    ['in a form with files', post('--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}', 'multipart/form-data')],
    ...[
      `name*=utf-8''operations`,
      'name="oper\\ations"',
      'name ="operations"',
      'name= "operations"',
      '\r\n name="operations"',
    ].map(
      (name) =>
        [
          `in a form, as ${name}`,
          post(`--x\r\ncontent-disposition: form-data; ${name}\r\n\r\n{}`, 'multipart/form-data'),
        ] as const,
    ),
    ['known by its hash', post('{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}')],
    ['with a JSON-RPC version', post(JSON.stringify({ jsonrpc: '2.0', query: mutation }))],
    ['in a message', post(JSON.stringify({ type: 'subscribe', payload: { query: mutation } }))],
    ['cut off', post(JSON.stringify({ query: 'query A{a' }))],
  ]
  for (const [how, facts] of hidden) {
    assert.ok(fits({ action: 'block', match: { graphql: 'mutation' } }, facts), how)
    assert.ok(!fits({ action: 'allow', match: { graphql: ['query', 'A'] } }, facts), how)
  }
  assert.deepEqual(post(JSON.stringify({ query: mutation }))['graphql'], ['query', 'mutation', 'A', 'B'])
})

test('documents are read as GraphQL has them', () => {
  const read = (text: string) => operationsOf(text)?.map(({ kind, name }) => `${kind} ${name ?? '-'}`)
  assert.deepEqual(read('# {\n query Q($a: I = {b: "}"}) @d { x(y: """ " } """) { z } }, mutation { q }'), [
    'query Q',
    'mutation -',
  ])
  assert.deepEqual(read('{ mutation { x } }'), ['query -'])
  assert.deepEqual(read('subscription query { x }'), ['subscription query'])
  for (const none of ['', 'shoes', '{a', '{a}}', 'query "x', 'type X { y: Z }', 'fragment F on T { a }'])
    assert.equal(read(none), undefined)
})

test('what is allowed takes nothing along that is not', () => {
  const allow = (match: NonNullable<Rule['match']>, body: unknown) => fits({ action: 'allow', match }, post(JSON.stringify(body)))
  assert.ok(allow({ tool: 'find' }, [call('find'), call('find')]))
  assert.ok(!allow({ tool: 'find' }, [call('find'), call('shell')]))
  assert.ok(!allow({ tool: 'find' }, [call('find'), { jsonrpc: '2.0', method: 'shutdown' }]))
  assert.ok(!allow({ rpc_method: 'ping' }, [{ jsonrpc: '2.0', method: 'ping' }, call('shell')]))
  assert.ok(allow({ graphql: 'query' }, { query: 'query A{a}' }))
  assert.ok(allow({ graphql: 'B' }, { query: 'mutation B{b}' }))
  assert.ok(!allow({ graphql: 'query' }, { query: 'query A{a} mutation B{b}' }))
  assert.ok(!allow({ graphql: 'A' }, [{ query: 'query A{a}' }, { query: 'mutation{b}' }]))
})

test('a refusal says that it could not be read', () => {
  const { unread } = compileRule({ id: 'r', action: 'block', match: { tool: 'x' } }, { version: 1, rules: [] })
  assert.match(unread(post(undefined)) ?? '', /follows in parts/)
  assert.equal(unread(post(SHELL)), undefined)
})

test('a body in parts that no type says anything of, or that comes with a GET, may call something where it begins so', () => {
  const unread = (method: string, contentType: string, beginning: string): unknown =>
    requestFacts({ method, target: '/mcp', contentType, body: undefined, beginning: Buffer.from(beginning) })['unread_calls']
  for (const method of ['GET', 'get', 'HEAD', 'PUT', 'DELETE'])
    assert.equal(unread(method, '', ' {"jsonrpc":"2.0"'), 'what it calls follows in parts', method)
  assert.equal(unread('GET', 'text/plain', '[{"method":'), 'what it calls follows in parts')
  assert.equal(unread('post', 'text/plain', '{'), 'what it calls follows in parts')
  for (const method of ['GET', 'PUT']) assert.equal(unread(method, '', '%PDF-1.7 and so on'), undefined)
  assert.equal(unread('PUT', 'application/octet-stream', '{"a":1'), undefined)
})

test('methods, types and names of Kubernetes fit in whatever case rule or request write them', () => {
  const asked = { target: '/t', contentType: 'application/json', body: undefined }
  for (const method of ['delete', 'DELETE', 'Delete'])
    for (const said of ['delete', 'DELETE']) {
      assert.ok(fits({ action: 'block', match: { method: said } }, requestFacts({ ...asked, method })), `${said} ${method}`)
      const facts = kubernetesFacts({ ...asked, method, target: '/api/v1/namespaces/shop/pods/web' })
      assert.ok(fits({ action: 'block', match: { method: said, verb: 'DELETE', resource: 'Pods' } }, facts), `${said} ${method}`)
    }
  assert.ok(fits({ action: 'block', match: { content_type: 'Application/JSON' } }, requestFacts({ ...asked, method: 'PUT' })))
  assert.ok(fits({ action: 'block', match: { host: 'API.Example.org' } }, { host: 'api.example.org', listed: false }))
  assert.ok(fits({ action: 'block', when: 'facts.method == "DELETE"' }, requestFacts({ ...asked, method: 'delete' })))
})

test('a form of a hundred thousand documents is read once', () => {
  const usedMs = cpuClock()
  const facts = post('query={a}&'.repeat(100_000), 'application/x-www-form-urlencoded')
  // It takes 60 ms, and took 18 s.
  assert.ok(usedMs() < 2_000, `${Math.round(usedMs())} ms`)
  assert.deepEqual(facts['graphql'], ['query', ''])
  const named = post('operationName=pay&query={a}&query={b}&operationName=none', 'application/x-www-form-urlencoded')
  assert.deepEqual(named['graphql'], ['query', 'pay', ''])
})
