import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainStatement, renderExplanation } from '../../../gateway/policy/command-explain.ts'
import { agent, human, policyOf, production } from '../../support/policy.ts'

const policy = policyOf(`  - id: no-where
    on: postgres
    who: { kinds: agent }
    match: { verb: DELETE, has_where: false }
    action: hold
    reason: a whole table
    approval: { groups: [dba] }`)

test('an explanation has facts, verdict and the policy it stands for', () => {
  const explanation = explainStatement(policy, { identity: agent, target: production, atMs: 0 }, 'DELETE FROM t')
  assert.equal(explanation.verdict.act, 'hold')
  assert.deepEqual(explanation.facts['without_where'], ['DELETE'])
  assert.equal(explanation.policy, policy.hash.slice(0, 12))
  assert.equal(JSON.parse(JSON.stringify(explanation)).identity.subject, 'agent-7')
})

test('people read the verdict first, then why, then what was seen', () => {
  const text = renderExplanation(explainStatement(policy, { identity: agent, target: production, atMs: 0 }, 'DELETE FROM t'))
  assert.match(text, /^hold: no-where\n {2}reason {3}a whole table\n {2}approval 1 of dba, waits 45 s\n/)
  assert.match(text, /\n {2}verbs +DELETE\n/)
  assert.match(
    renderExplanation(explainStatement(policy, { identity: human, target: production, atMs: 0 }, 'DELETE FROM t')),
    /^allow: no rule matches\n/,
  )
  assert.match(
    renderExplanation(explainStatement(policy, { identity: human, target: production, atMs: 0 }, 'DELET')),
    /^block: policy.unparsable\n.*\n {2}hint /,
  )
})
