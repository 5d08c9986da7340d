import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { testPolicy } from '../../../gateway/policy/command-test.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import { loadShell } from '../../../gateway/policy/shell/facts.ts'
import { policyOf } from '../../support/policy.ts'

await loadShell()

test('the sample policy does what it says of itself', () => {
  const file = new URL('../../../gateway/demo/policy.yaml', import.meta.url)
  const report = testPolicy(compilePolicy(readFileSync(file, 'utf8'), 'policy.yaml'))
  assert.deepEqual(
    report.results.filter(({ ok }) => !ok),
    [],
    report.text,
  )
  assert.ok(report.passed > 50)
})

test('the policies that the documentation shows do what they say of themselves', () => {
  const page = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8')
  const files = [...page.matchAll(/^```yaml\n(version: 1\n.*?)^```$/gms)].map(([, text = '']) => text)
  const reports = files.map((text) => testPolicy(compilePolicy(text, 'docs/policy.md')))
  for (const report of reports) assert.ok(report.ok, report.text)
  assert.deepEqual(
    reports.map(({ text }) => text),
    ['5 of 5 statements judged as expected', '2 of 2 statements and texts judged as expected'],
  )
})

test('requests and commands are tried like statements, each by the rules of its protocol', () => {
  const policy = policyOf(
    `  - { id: no-curl, on: ssh, match: { program: curl }, action: block }
  - { id: no-delete, on: http, match: { method: DELETE }, action: block }
  - { id: pods, on: kubernetes, match: { verb: delete, resource: pods }, action: block }
  - { id: unlisted, on: egress, match: { host: "*.example" }, action: allow }
tests:
  - { as: { kind: agent }, ssh: [sudo curl x, "echo \`curl x\`"], expect: { action: block, rules: [no-curl] } }
  - { as: { kind: agent }, ssh: uptime, expect: { action: allow, rules: [] } }
  - { as: { kind: agent }, http: DELETE /users/7, expect: { action: block, rules: [no-delete] } }
  - { as: { kind: agent }, kubernetes: DELETE /api/v1/namespaces/shop/pods/web-1, expect: { action: block, rules: [pods] } }
  - { as: { kind: agent }, egress: "CONNECT www.example:443", expect: { action: allow, rules: [unlisted] } }
  - { as: { kind: agent }, egress: "CONNECT www.other:443", expect: { action: block, rules: [policy.unknown-host] } }`,
  )
  const report = testPolicy(policy)
  assert.ok(report.ok, report.text)
  assert.equal(report.passed, 7)
})

test('what differs is said for each statement', () => {
  const policy = policyOf(
    `  - { id: no-ddl, on: postgres, match: { ddl: true }, action: block }
  - { id: few, threshold: { rows: 10, per: statement }, action: block }
tests:
  - { name: a, as: { kind: agent }, sql: [SELECT 1, DROP TABLE t], expect: { action: allow } }
  - { as: { kind: agent }, sql: SELECT 1, reply: { rows: 30, bytes: 90 }, expect: { action: block, rules: [no-ddl], keep: 9 } }
  - { name: c, as: { kind: agent }, sql: DROP TABLE t, expect: { action: block, rules: [] } }`,
  )
  const report = testPolicy(policy)
  assert.equal(report.ok, false)
  assert.deepEqual(
    report.results.map(({ name, ok, why }) => [name, ok, why]),
    [
      ['a', true, ''],
      ['a', false, 'expected allow, got block by no-ddl'],
      ['test 2', false, 'did not match: no-ddl; expected to keep 9, kept 10'],
      ['c', false, 'should match no rule, matched no-ddl'],
    ],
  )
  assert.match(report.text, /not ok {2}a\n {8}DROP TABLE t\n/)
  assert.match(report.text, /1 of 4 statements judged as expected$/)
})

test('a test says when it takes place, and is on a Wednesday at noon otherwise', () => {
  const report = testPolicy(
    policyOf(`  - { id: weekend, on: postgres, outside: { days: mon-fri, zone: Europe/Berlin }, match: { writes: true }, action: block }
tests:
  - { as: { kind: agent }, sql: DELETE FROM t, expect: { action: allow } }
  - { as: { kind: agent }, at: 2026-01-10T23:59+01:00, sql: DELETE FROM t, expect: { action: block, rules: [weekend] } }`),
  )
  assert.deepEqual([report.ok, report.passed], [true, 2], report.text)
})
