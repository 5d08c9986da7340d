import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/compile'
import { PolicyFile } from '../../schemas/policy.ts'

const policy = Compile(PolicyFile)
const minimal = { version: 1, rules: [] }

test('the smallest policy is a version and no rules', () => {
  assert.equal(policy.Check(minimal), true)
  assert.equal(policy.Check({ version: 2, rules: [] }), false)
  assert.equal(policy.Check({ version: 1, packs: ['privilege'] }), true)
})

test('nothing unknown is let through anywhere', () => {
  const rule = { id: 'a', action: 'block' }
  assert.equal(policy.Check({ ...minimal, rules: [rule] }), true)
  for (const bad of [
    { ...minimal, more: 1 },
    { ...minimal, rules: [{ ...rule, more: 1 }] },
    { ...minimal, rules: [{ ...rule, match: { verbs: 'x' } }] },
    { ...minimal, rules: [{ ...rule, match: {} }] },
    { ...minimal, rules: [{ ...rule, who: {} }] },
    { ...minimal, rules: [{ ...rule, threshold: { rows: 0, per: 'statement' } }] },
    { ...minimal, rules: [{ ...rule, threshold: { bytes: '1MB', per: 'statement' } }] },
    { ...minimal, rules: [{ ...rule, approval: { timeout: '0s' } }] },
    { ...minimal, rules: [{ ...rule, action: 'mask' }] },
    { ...minimal, labels: { 'Upper Case': { entity: 'x', names: ['x'] } } },
    { ...minimal, labels: { x: { entity: 'x', columns: ['customers.email'] } } },
    { ...minimal, detectors: { email: 'report' } },
  ]) {
    assert.equal(policy.Check(bad), false, JSON.stringify(bad))
  }
})
