import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askingMessage, replyMessage } from '../../../gateway/policy/trial.ts'
import { agent, policyOf } from '../../support/policy.ts'

const policy = policyOf('  []', 'labels: { pii.email: { names: [email], entity: email } }')
const places = { labels: policy.columns(agent), searchPath: policy.searchPath }

test('what would be asked is a first statement, with its facts', () => {
  const message = askingMessage('postgres', 'SELECT 1', places)
  assert.equal(message.kind, 'query')
  assert.equal(message.facts()['statement'], 1)
  assert.deepEqual(message.facts()['verbs'], ['SELECT'])
  assert.deepEqual(askingMessage('echo', 'hello', places).facts(), { text: 'hello', size: 5 })
})

test('a made-up reply splits as a real one does', () => {
  const reply = replyMessage('postgres', 10, 1_000)
  assert.deepEqual([reply.units, reply.bytes.length], [10, 1_000])
  const [head, tail] = reply.split?.(3) ?? []
  assert.deepEqual([head?.units, head?.bytes.length, tail?.units, tail?.bytes.length], [3, 300, 7, 700])
  assert.deepEqual(reply.split?.(0)[0], undefined)
  assert.deepEqual(reply.split?.(10)[1], undefined)
})

test('and with what the policy alone tells of masks and labels', () => {
  const facts = (sql: string) => askingMessage('postgres', sql, places).facts()
  assert.equal(facts("UPDATE t SET a = '[MASKED:card]'")['masked_write'], true)
  assert.equal(facts("SELECT '[MASKED:card]'")['masked_write'], undefined)
  assert.equal(facts('INSERT INTO t (a) SELECT email FROM u')['writes_from_masked'], true)
  assert.equal(facts('INSERT INTO t (email) SELECT email FROM u')['writes_from_masked'], undefined)
})

test('the labels a statement touches are found out where a rule asks for them, by name, by place, by star', () => {
  const labels = `labels:
  pii.email: { names: [email], entity: email }
  pii.note: { columns: [public.customers.note], entity: note }`
  const asking = policyOf('  - { id: a, on: postgres, match: { labels: "pii.*" }, action: block }', labels)
  const facts = (sql: string, of = asking) =>
    askingMessage('postgres', sql, { labels: of.columns(agent), searchPath: of.searchPath }).facts()['labels']
  assert.deepEqual(facts('SELECT count(*) FROM t WHERE email LIKE $$a%$$'), ['pii.email'])
  assert.deepEqual(facts('SELECT note FROM customers'), ['pii.note'])
  assert.deepEqual(facts('SELECT * FROM public.customers'), ['pii.note'])
  assert.equal(facts('SELECT note FROM orders'), undefined)
  assert.equal(facts('SELECT id FROM customers'), undefined)
  assert.equal(facts('SELECT note FROM customers', policyOf('  []', labels)), undefined, 'nobody asks')
})
