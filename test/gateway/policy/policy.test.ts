import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import { agent, asking, human, policyOf, production } from '../../support/policy.ts'

test('the hash is of what the policy says, not of how it is laid out', () => {
  const one = compilePolicy('version: 1\nmode: enforce\nrules:\n  - { id: a, action: block }\n', 'a.yaml')
  const two = compilePolicy('# comment\nrules: [{ action: "block", id: a }]\nmode: enforce\nversion: 1\n', 'b.yaml')
  const three = compilePolicy('version: 1\nmode: enforce\nrules:\n  - { id: b, action: block }\n', 'a.yaml')
  assert.match(one.hash, /^[0-9a-f]{64}$/)
  assert.equal(one.hash, two.hash)
  assert.notEqual(one.hash, three.hash)
  assert.equal(two.file, 'b.yaml')
})

test('the order of rules counts, for reasons are those of the first', () => {
  const one = compilePolicy('version: 1\nrules: [{ id: a, action: block }, { id: b, action: block }]', 'p')
  const two = compilePolicy('version: 1\nrules: [{ id: b, action: block }, { id: a, action: block }]', 'p')
  assert.notEqual(one.hash, two.hash)
})

test('each session has a judge of its own', () => {
  const policy = policyOf('  - { id: dynamic, on: postgres, match: { dynamic: true }, action: block }')
  const [first, second] = [policy.judge(agent, production), policy.judge(human, production)]
  first.judge(asking('PREPARE p AS SELECT 1'))
  assert.equal(first.judge(asking('EXECUTE p')).act, 'allow')
  assert.equal(second.judge(asking('EXECUTE p')).act, 'block')
})

test('detectors do as they are told, and as they would where nothing is said', () => {
  const masking = policyOf(
    '  []',
    'detectors: { email: ignore, card: { action: mask, form: partial } }\nlabels: { x: { names: [s], entity: us-ssn, mask: "null" } }',
  ).masking(agent)
  assert.equal(masking.detectors.email, 'ignore')
  assert.equal(masking.detectors.card, 'mask')
  assert.equal(masking.detectors.jwt, 'mask')
  assert.equal(masking.forms['card'], 'partial')
  assert.equal(masking.forms['us-ssn'], 'null')
  assert.equal(masking.forms['phone'], 'plain')
})
