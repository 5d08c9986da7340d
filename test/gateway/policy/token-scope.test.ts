import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scopeProblem } from '../../../gateway/policy/token-scope.ts'
import { TrialMessage } from '../../../gateway/policy/trial.ts'
import type { Identity } from '../../../schemas/session.ts'
import { agent, asking, policyOf, production } from '../../support/policy.ts'

const reader: Identity = { ...agent, scope: { verbs: ['SELECT'] } }
const judge = (before = '', identity = reader) => policyOf('  []', before).judge(identity, production)

test('a token for reading reads, whatever clients say around it', () => {
  const session = judge()
  for (const sql of [
    'SELECT 1',
    'BEGIN',
    'SELECT 1; SELECT 2',
    'COMMIT',
    'SET application_name = $$x$$',
    'SHOW search_path',
    ';',
  ])
    assert.equal(session.judge(asking(sql)).act, 'allow', sql)
})

const WRITES = [
  'DELETE FROM t',
  'SELECT 1; DELETE FROM t',
  'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone',
  'EXPLAIN ANALYZE DELETE FROM t',
  'COPY t TO STDOUT',
  'COPY (DELETE FROM t RETURNING *) TO STDOUT',
  "DO 'BEGIN DELETE FROM t; END'",
  'CREATE TABLE x AS SELECT 1',
  'SELEC 1',
]
for (const sql of WRITES) {
  test(`a token for reading does not do: ${sql}`, () => {
    const verdict = judge().judge(asking(sql))
    assert.equal(verdict.act, 'block')
    assert.ok(verdict.rules.includes('policy.token-scope'), verdict.rules.join())
  })
}

test('a statement that was prepared is what it does when it is executed', () => {
  const session = judge()
  session.judge(asking('PREPARE wipe AS DELETE FROM t'))
  assert.equal(session.judge(asking('EXECUTE wipe')).act, 'block')
  session.judge(asking('PREPARE look AS SELECT 1'))
  assert.equal(session.judge(asking('EXECUTE look')).act, 'allow')
})

test('it stands in shadow mode and against rules that allow, and never makes more of a policy', () => {
  assert.equal(judge('mode: shadow').judge(asking('DELETE FROM t')).act, 'block')
  const allowing = policyOf('  - { id: all, on: postgres, match: { verb: DELETE }, action: allow }')
  assert.equal(allowing.judge(reader, production).judge(asking('DELETE FROM t')).act, 'block')
  const blocking = policyOf('  - { id: none, on: postgres, match: { verb: SELECT }, action: block, reason: no }')
  assert.equal(blocking.judge(reader, production).judge(asking('SELECT 1')).act, 'block')
})

const asked = (protocol: 'http' | 'ssh' | 'kubernetes', kind: string, facts: Record<string, string>, verbs: readonly string[]) =>
  policyOf('  []')
    .judge({ ...agent, kind: 'service', scope: { verbs } }, { ...production, protocol })
    .judge(new TrialMessage('client', kind, new Uint8Array(4), 0, { ...facts, parse_ok: true }))

test('methods of HTTP and kinds of SSH are verbs too', () => {
  assert.equal(asked('http', 'request', { method: 'GET' }, ['GET']).act, 'allow')
  assert.equal(asked('http', 'request', { method: 'POST' }, ['GET']).act, 'block')
  assert.equal(asked('ssh', 'exec', {}, ['EXEC']).act, 'allow')
  assert.equal(asked('ssh', 'shell', {}, ['EXEC']).act, 'block')
})

test('an exec is an EXEC, by whichever method it is asked for; a port-forward and an attach likewise', () => {
  for (const [kind, verb] of [
    ['exec', 'EXEC'],
    ['attach', 'ATTACH'],
    ['port-forward', 'PORT-FORWARD'],
  ] as const) {
    for (const [method, as] of [
      ['GET', 'get'],
      ['POST', 'create'],
    ] as const) {
      const facts = { method, verb: as, resource: 'pods/x' }
      const { act, rules } = asked('kubernetes', kind, facts, ['GET', 'POST', 'CREATE', 'LIST'])
      assert.deepEqual([act, rules.includes('policy.token-scope')], ['block', true], kind)
      assert.equal(asked('kubernetes', kind, facts, [verb]).rules.includes('policy.token-scope'), false, kind)
    }
  }
})

test('a request of Kubernetes has two names, its verb and its method; discovery is around all of them', () => {
  const ask = (
    verb: string,
    method: string,
    scope: string,
    path = '/api/v1/pods',
    resource: { resource?: string } = { resource: 'pods' },
  ) => asked('kubernetes', 'request', { verb, method, path, ...resource }, [scope]).act
  assert.equal(ask('list', 'GET', 'LIST'), 'allow')
  assert.equal(ask('list', 'GET', 'GET'), 'allow')
  assert.equal(ask('watch', 'GET', 'LIST'), 'block')
  assert.equal(ask('get', 'GET', 'LIST'), 'block')
  assert.equal(ask('create', 'POST', 'CREATE'), 'allow')
  assert.equal(ask('deletecollection', 'DELETE', 'GET'), 'block')
  for (const path of ['/api', '/apis/apps/v1', '/version', '/openapi/v3/api/v1']) {
    assert.equal(ask('get', 'GET', 'EXEC', path, {}), 'allow', path)
    assert.equal(ask('post', 'POST', 'EXEC', path, {}), 'block', path)
  }
  for (const path of ['/metrics', '/logs/kubelet.log', '/apisx', '/'])
    assert.equal(ask('get', 'GET', 'EXEC', path, {}), 'block', path)
})

test('a WebSocket is more than the GET that opens it', () => {
  const ask = (...verbs: string[]) => asked('http', 'request', { method: 'GET', upgrade: 'websocket' }, verbs).act
  assert.equal(ask('GET'), 'block')
  assert.equal(ask('WS-CALL'), 'block', 'a target may answer what it was asked, and not upgrade')
  assert.equal(ask('GET', 'WS-CALL'), 'allow')
})

test('a verb that nothing has which the token reaches is told, with what it may have been', () => {
  assert.match(scopeProblem(['SELECT', 'SELCT'], ['postgres']) ?? '', /"SELCT"; did you mean "SELECT"\?/)
  assert.match(scopeProblem(['SELECT'], ['http']) ?? '', /"SELECT"/)
  assert.match(scopeProblem(['GET'], ['postgres', 'ssh']) ?? '', /"GET"/)
  assert.match(scopeProblem(['REQUEST'], ['http', 'kubernetes']) ?? '', /"REQUEST"/)
  assert.equal(scopeProblem(['SELECT', 'CREATE', 'GET', 'EXEC', 'FILE', 'LIST'], ['postgres', 'ssh', 'kubernetes']), undefined)
  assert.equal(scopeProblem(['FUNCTION-CALL', 'PATCH', 'WS-CALL', 'SAY'], ['postgres', 'egress', 'echo']), undefined)
  assert.equal(scopeProblem([], []), undefined)
})
