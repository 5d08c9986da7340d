import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { lintPolicy } from '../../../gateway/policy/command-lint.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import { policyOf, production } from '../../support/policy.ts'

test('what is seldom meant is said of each rule, and of the policy', () => {
  const policy = policyOf(`  - { id: a, on: postgres, match: { ddl: true }, action: allow }
  - { id: b, mode: shadow, targets: { labels: { env: test } }, match: { ddl: true }, action: block }
tests:
  - { as: { kind: agent }, sql: DROP TABLE t, expect: { action: allow, rules: ["shadow:b", a] } }`)
  assert.deepEqual(
    lintPolicy(policy, [production]).map(({ rule, remark }) => `${rule}: ${remark}`),
    [
      'a: allows what is allowed anyway: it only takes a note',
      'b: is in shadow: it stops nothing',
      'b: is for targets none of which is configured',
      ': no threshold is for every agent: one may read whole tables (pack bulk-read)',
      ': nothing stops COPY with programs and files of the server (pack exfiltration)',
      ': no column is labelled: only what the detectors recognise is masked',
    ],
  )
})

test('of databases nothing is said where none is configured', () => {
  const policy = policyOf(`  - { id: a, on: ssh, match: { file: ["/etc/*"] }, action: block }
tests:
  - { as: { kind: agent }, ssh: cat /etc/shadow, expect: { action: block, rules: [a] } }`)
  assert.deepEqual(lintPolicy(policy, [{ ...production, protocol: 'ssh' }]), [])
  assert.deepEqual(
    lintPolicy(policy, [{ ...production, protocol: 'http' }]).map(({ remark }) => remark),
    ['no column is labelled: only what the detectors recognise is masked'],
  )
  assert.equal(lintPolicy(policy).length, 3)
})

test('of the sample policy there is nothing to say but that one of its rules is being tried out', () => {
  const file = new URL('../../../gateway/demo/policy.yaml', import.meta.url)
  assert.deepEqual(lintPolicy(compilePolicy(readFileSync(file, 'utf8'), 'policy.yaml'), [production]), [
    { rule: 'shop.night-writes', remark: 'is in shadow: it stops nothing' },
  ])
})
