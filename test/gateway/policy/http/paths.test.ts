import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionPlace } from '../../../../gateway/policy/condition-facts.ts'
import { egressFacts } from '../../../../gateway/policy/http/egress-facts.ts'
import { requestFacts } from '../../../../gateway/policy/http/facts.ts'
import { readingsOf } from '../../../../gateway/policy/http/paths.ts'
import { compileRule } from '../../../../gateway/policy/rule.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import type { Rule } from '../../../../schemas/policy.ts'
import { agent, production } from '../../../support/policy.ts'

const around = { searchPath: ['public'], place: conditionPlace(agent, production) }
const get = (target: string): Facts => requestFacts({ method: 'GET', target, contentType: '', body: undefined })

function fits(rule: Omit<Rule, 'id'>, facts: Facts): boolean {
  return compileRule({ id: 'r', ...rule }, { version: 1, rules: [] }).matches(facts, around, 'request')
}

const ADMIN = [
  ...['/admin/x', '//admin/x', '/./admin/x', '/x/../admin/x', '/x/%2e%2e/admin/x', '/x/%2E./admin/x', '/%61dmin/x', '/admin%2fx'],
  ...['/admin;a=1/x', '/;a/admin/x', '/x/..;/admin/x', '/\\admin\\x', '/%5cadmin/x', '//host/admin/x', '/x//../admin/x'],
  ...['/%2561dmin/x', '/x/%252e%252e/admin/x', '/%u0061dmin/x', '/../admin/x', '/x/y/../../admin/x#y', '/admin/x%00.png'],
]

test('a rule that blocks or holds fits whatever a path may be read as', () => {
  for (const path of ADMIN) {
    assert.ok(fits({ action: 'block', match: { path: '/admin/*' } }, get(`${path}?q`)), path)
    assert.ok(fits({ action: 'hold', match: { route: '/admin/x*' } }, get(path)), path)
    assert.ok(fits({ action: 'block', when: "facts.path.startsWith('/admin/')" }, get(path)), path)
  }
  assert.ok(!fits({ action: 'block', match: { path: '/admin/*' } }, get('/x/admin/')))
  assert.ok(fits({ action: 'block', match: { path: '!/public/*' } }, get('/public/../x')), 'all that is not public')
})

test('a rule that allows fits only where every reading does', () => {
  const open = { action: 'allow', match: { path: '/public/*' } } as const
  assert.ok(fits(open, get('/public/a')))
  for (const path of ['/public/../admin', '/public/%2e%2e/admin', '/public/..;/admin', '/public\\..\\..\\x', '/public/..%2fx'])
    assert.ok(!fits(open, get(path)), path)
  assert.ok(!fits({ action: 'allow', when: "facts.path.startsWith('/public/')" }, get('/public/../admin')))
})

test('names as object stores have them stay one thing', () => {
  const blobs = { action: 'allow', match: { path: '/container/*' } } as const
  for (const name of ['a%20b.csv', 'dir%2Ffile.txt', 'caf%C3%A9', 'caf%E9', '100%25', 'a;v=1', '.hidden', 'a%2520b'])
    assert.ok(fits(blobs, get(`/container/${name}`)), name)
  assert.ok(fits({ action: 'block', match: { path: '/container/secret/*' } }, get('/container/secret%2Fx')))
  assert.deepEqual(readingsOf('/container/dir%2Ffile'), ['/container/dir%2Ffile', '/container/dir/file'])
  assert.deepEqual(readingsOf('/.well-known/x..y'), ['/.well-known/x..y'])
})

test('what nobody can read for sure fits what blocks or holds, says so, and fits nothing that allows', () => {
  for (const path of ['/%c0%ae%c0%ae/admin', '/a//b/../%2561;c\\d', `/%${'25'.repeat(60)}61`]) {
    const facts = get(path)
    assert.ok(fits({ action: 'block', match: { path: '/admin/*' } }, facts), path)
    assert.ok(!fits({ action: 'block', match: { path: '/admin/*', method: 'POST' } }, facts), path)
    assert.ok(!fits({ action: 'block', match: { method: 'POST' } }, facts), path)
    assert.ok(!fits({ action: 'allow', match: { path: '*' } }, facts), path)
    const { unread } = compileRule({ id: 'r', action: 'block', match: { path: '/y' } }, { version: 1, rules: [] })
    assert.match(unread(facts) ?? '', /path cannot be read/)
  }
})

test('the route of egress keeps its host', () => {
  const facts = egressFacts({ method: 'GET', target: 'http://h.example/x/../users/7', contentType: '', body: undefined }, [])
  assert.ok(fits({ action: 'block', match: { route: 'h.example:80/users/{id}' } }, facts))
})
