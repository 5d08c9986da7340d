import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agent, human, policyOf } from '../../support/policy.ts'

const LABELS = `
labels:
  pii.email: { columns: [public.customers.email, "*.contacts.mail"], names: ["*email*"], entity: email, mask: tag }
  pii.note: { columns: [public.customers.*], entity: note }
exempt:
  - { who: { groups: analysts }, labels: "pii.n*", detectors: email }`
const policy = policyOf('  []', LABELS)

test('a column is labelled by its place', () => {
  const labels = policy.columns(agent)
  const at = (schema: string, table: string, column: string) => labels.labelFor({ schema, table, column })?.label
  assert.equal(at('public', 'customers', 'email'), 'pii.email')
  assert.equal(at('crm', 'contacts', 'mail'), 'pii.email')
  assert.equal(at('public', 'customers', 'city'), 'pii.note')
  assert.equal(at('public', 'orders', 'city'), undefined)
  assert.deepEqual(labels.labelFor({ schema: 'public', table: 'customers', column: 'email' }), {
    label: 'pii.email',
    entity: 'email',
    form: 'tag',
  })
})

test('and by its name, wherever it is from and however it is written', () => {
  const labels = policy.columns(agent)
  assert.equal(labels.labelFor({ schema: 'x', table: 'y', column: 'Work_EMail' })?.label, 'pii.email')
  assert.equal(labels.labelForName('EMAIL_hash')?.label, 'pii.email')
  assert.equal(labels.labelForName('city'), undefined, 'a place is no name')
})

test('whoever is exempt from a label sees the column, and only that one', () => {
  const labels = policy.columns(human)
  assert.equal(labels.labelFor({ schema: 'public', table: 'customers', column: 'city' }), undefined)
  assert.equal(labels.labelFor({ schema: 'public', table: 'customers', column: 'email' })?.label, 'pii.email')
  assert.equal(labels.empty, false)
  assert.equal(policyOf('  []').columns(agent).empty, true)
})

test('the detectors follow the same exemptions', () => {
  assert.equal(policy.masking(agent).detectors.email, 'mask')
  assert.equal(policy.masking(human).detectors.email, 'ignore')
  assert.equal(policy.masking(human).detectors.card, 'mask')
})

test('more names than are remembered change no answer', () => {
  const labels = policy.columns(agent)
  for (let i = 0; i < 10_500; i++) labels.labelForName(`name ${i}`)
  assert.equal(labels.labelForName('email')?.label, 'pii.email')
})

test('a table is touched by labels given by place', () => {
  const labels = policy.columns(agent)
  assert.ok(labels.touches({ schema: 'public', table: 'customers' }))
  assert.ok(labels.touches({ schema: 'crm', table: 'contacts' }))
  assert.ok(!labels.touches({ schema: 'public', table: 'orders' }))
})
