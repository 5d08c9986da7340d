import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sqlFacts } from '../../../gateway/policy/sql/facts.ts'
import { TrialMessage } from '../../../gateway/policy/trial.ts'
import { agent, asking, echo, human, policyOf, production, someRows } from '../../support/policy.ts'

const DELETE = `  - id: no-where
    on: postgres
    match: { verb: DELETE, has_where: false }
    action: hold
    reason: whole table
    approval: { groups: [dba], count: 2, timeout: 30s }`

test('a hold says who decides, how many, and how long the wire waits', () => {
  assert.deepEqual(policyOf(DELETE).judge(agent, production).judge(asking('DELETE FROM t')), {
    act: 'hold',
    rules: ['no-where'],
    reason: 'whole table',
    timeoutMs: 30_000,
    approvers: { groups: ['dba'], count: 2 },
  })
})

test('a held statement is parsed in peace and held each time it is executed', () => {
  const judge = policyOf(DELETE).judge(agent, production)
  assert.deepEqual(judge.judge(asking('DELETE FROM t', 1, 'parse')), { act: 'allow', rules: ['no-where'] })
  assert.equal(judge.judge(asking('DELETE FROM t', 1, 'execute')).act, 'hold')
  assert.equal(judge.judge(asking('DELETE FROM t', 2, 'execute')).act, 'hold')
})

test('messages that ask for nothing are let through unlooked at', () => {
  const judge = policyOf(DELETE, 'defaults: { action: block }').judge(agent, production)
  for (const kind of ['startup', 'extended', 'copy-end', 'terminate']) {
    const message = Object.assign(asking('', 1, kind), { facts: () => assert.fail('asked for facts') })
    assert.deepEqual(judge.judge(message), { act: 'allow', rules: [] }, kind)
  }
})

test('what cannot be read is blocked, or held where the policy says so, with the place', () => {
  const blocked = policyOf('  []').judge(human, production).judge(asking('SELEC 1'))
  assert.ok(blocked.act === 'block')
  assert.deepEqual(blocked.rules, ['policy.unparsable'])
  assert.match(blocked.reason, /at character 1$/)
  assert.match(blocked.hint ?? '', /typing error/)
  const held = policyOf('  []', 'defaults: { unparsable: hold, approval: { groups: [dba] } }').judge(human, production)
  assert.equal(held.judge(asking('SELEC 1')).act, 'hold')
})

test('a message without readable facts is unparsable: fastpath calls, names nobody defined', () => {
  const judge = policyOf('  []').judge(human, production)
  assert.deepEqual(judge.judge(new TrialMessage('client', 'function-call', new Uint8Array(4), 0, {})).rules, [
    'policy.unparsable',
  ])
  assert.equal(judge.judge(new TrialMessage('client', 'execute', new Uint8Array(4), 0, { parse_ok: false })).act, 'block')
})

test('a default of block lets through what a rule allows', () => {
  const judge = policyOf(
    '  - { id: reads, on: postgres, match: { verb: SELECT, writes: false }, action: allow }',
    'defaults: { action: block }',
  ).judge(agent, production)
  assert.deepEqual(judge.judge(asking('SELECT 1')), { act: 'allow', rules: ['reads'] })
  assert.deepEqual(judge.judge(asking('SHOW ALL')).rules, ['policy.default'])
  assert.equal(judge.judge(someRows(5)).act, 'allow')
})

test('in shadow everything is noted and nothing is stopped', () => {
  const judge = policyOf(DELETE, 'mode: shadow').judge(agent, production)
  assert.deepEqual(judge.judge(asking('DELETE FROM t')), { act: 'allow', rules: ['shadow:no-where'] })
  assert.deepEqual(judge.judge(asking('DELET FROM t')), { act: 'allow', rules: ['shadow:policy.unparsable'] })
})

test('one rule alone may be in shadow', () => {
  const judge = policyOf(`${DELETE}\n  - { id: new, on: postgres, mode: shadow, match: { writes: true }, action: block }`).judge(
    agent,
    production,
  )
  assert.deepEqual(judge.judge(asking('DELETE FROM t')).rules, ['no-where', 'shadow:new'])
  assert.equal(judge.judge(asking('DELETE FROM t')).act, 'hold')
})

test('names keep their meaning through the session', () => {
  const judge = policyOf(`${DELETE}\n  - { id: dynamic, on: postgres, match: { dynamic: true }, action: block }`).judge(
    agent,
    production,
  )
  assert.equal(judge.judge(asking('PREPARE p AS DELETE FROM t')).act, 'hold')
  assert.deepEqual(judge.judge(asking('EXECUTE p')).rules, ['no-where'])
  assert.deepEqual(judge.judge(asking('EXECUTE q')).rules, ['dynamic'])
})

test('once the search path was changed, a bare table name may be anywhere', () => {
  const judge = policyOf('  - { id: secret, on: postgres, match: { relations: secret.accounts }, action: block }').judge(
    agent,
    production,
  )
  assert.equal(judge.judge(asking('SELECT * FROM accounts')).act, 'allow')
  judge.judge(asking('SET search_path = secret'))
  assert.equal(judge.judge(asking('SELECT * FROM accounts')).act, 'block')
  assert.equal(judge.judge(asking('SELECT * FROM public.accounts')).act, 'allow')
})

test('a review counts and learns nothing', () => {
  const judge = policyOf(`${DELETE}\n  - { id: secret, on: postgres, match: { relations: secret.t }, action: block }`).judge(
    agent,
    production,
  )
  assert.equal(judge.review(asking('SET search_path = secret')).act, 'allow')
  assert.equal(judge.review(asking('DELETE FROM t')).act, 'hold', 'the search path is as it was')
})

test('the parts of a message follow its first', () => {
  const judge = policyOf('  []').judge(agent, production)
  const part = (name: 'first' | 'middle' | 'last') =>
    Object.assign(new TrialMessage('client', 'query', new Uint8Array(9), 0, { parse_ok: false, size: 999_999 }), { part: name })
  assert.equal(judge.judge(part('first')).act, 'block')
  assert.equal(judge.judge(part('middle')).act, 'block')
  assert.equal(judge.judge(part('last')).act, 'block')
  judge.judge(asking('SELECT 1'))
  assert.equal(judge.judge(part('middle')).act, 'allow', 'of a message that was let through')
})

test('rules judge other protocols by their own facts', () => {
  const judge = policyOf("  - { id: rude, on: echo, match: { text: '*drop*' }, action: block }").judge(agent, echo)
  const say = (text: string) => new TrialMessage('client', 'say', Buffer.from(text), 0, { text, size: text.length })
  assert.equal(judge.judge(say('hello')).act, 'allow')
  assert.deepEqual(judge.judge(say('please DROP it')).rules, ['rude'])
})

test('an error in the facts is never an allow', () => {
  const policies = [
    policyOf('  []'),
    policyOf('  []', 'mode: shadow'),
    policyOf(DELETE),
    policyOf('  - { id: r, threshold: { rows: 1, per: statement }, action: block }'),
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...policies),
      fc.constantFrom('query', 'parse', 'execute', 'function-call'),
      fc.boolean(),
      (policy, kind, review) => {
        const judge = policy.judge(agent, production)
        const broken = Object.assign(asking('', 1, kind), {
          facts: () => {
            throw new Error('cannot be decoded')
          },
        })
        assert.throws(() => (review ? judge.review(broken) : judge.judge(broken)), /cannot be decoded/)
      },
    ),
  )
})

test('a mask that is written back is blocked, held or let through, as the policy says', () => {
  const message = asking('UPDATE t SET a = 1', 1, 'query', { masked_write: true })
  const judged = (before: string) => policyOf('  []', before).judge(agent, production).judge(message)
  const blocked = judged('')
  assert.ok(blocked.act === 'block')
  assert.deepEqual(blocked.rules, ['policy.masked-write'])
  assert.match(blocked.hint ?? '', /leave those that were shown masked/)
  assert.equal(judged('defaults: { masked_write: hold, approval: { groups: [dba] } }').act, 'hold')
  assert.deepEqual(judged('defaults: { masked_write: allow }'), { act: 'allow', rules: [] })
  assert.deepEqual(judged('mode: shadow').rules, ['shadow:policy.masked-write'])
})

test('in copied data as well; in the middle of one message only the end of the session stops it', () => {
  const data = (part: 'whole' | 'first' | 'middle') =>
    Object.assign(new TrialMessage('client', 'copy-data', new Uint8Array(4), 1, { masked_write: true }), { part })
  const judge = policyOf('  []').judge(agent, production)
  assert.equal(judge.judge(data('whole')).act, 'block')
  assert.equal(judge.judge(data('first')).act, 'block')
  assert.throws(() => judge.judge(data('middle')), { code: 'POLICY_BLOCKED' })
  assert.equal(policyOf('  []', 'mode: shadow').judge(agent, production).judge(data('middle')).act, 'allow')
})

const AT_NIGHT = `  - id: at-night
    on: postgres
    outside: { days: mon-fri, hours: "08:00-18:00" }
    match: { writes: true }
    action: block`

test('a rule with hours holds in them alone, also for statements judged before, and whichever way the clock is set', () => {
  let now = Date.parse('2026-01-12T12:00:00Z')
  const judge = policyOf(AT_NIGHT).judge(agent, production, { now: () => now })
  const message = sharing('DELETE FROM t WHERE id = 1')
  assert.equal(judge.judge(message).act, 'allow')
  assert.equal(judge.judge(message).act, 'allow', 'from what was settled')
  now = Date.parse('2026-01-12T18:00:00Z')
  assert.deepEqual([judge.judge(message).act, judge.judge(message).rules], ['block', ['at-night']])
  now = Date.parse('2026-01-12T17:59:59Z')
  assert.equal(judge.judge(message).act, 'allow', 'the clock was set back')
  now = Date.parse('2031-01-11T12:00:00Z')
  assert.equal(judge.review(message).act, 'block', 'and years ahead')
})

test('without a clock a rule with hours opens nothing', () => {
  assert.throws(() => policyOf(AT_NIGHT).judge(agent, production).judge(asking('DELETE FROM t')), /needs a clock/)
})

test('a condition decides beside the fields of a match; one that cannot be evaluated blocks', () => {
  const judge = policyOf(`  - id: wide
    on: postgres
    match: { verb: SELECT }
    when: size(facts.columns) > 2
    action: hold
    approval: { groups: [dba] }
  - { id: broken, on: postgres, match: { verb: UPDATE }, when: 'facts.columns[1] == "x"', action: allow }
  - { id: quiet, on: postgres, mode: shadow, match: { verb: INSERT }, when: 'facts.columns[9] == "x"', action: block }`).judge(
    agent,
    production,
  )
  assert.equal(judge.judge(asking('SELECT a, b FROM t')).act, 'allow')
  assert.deepEqual(judge.judge(asking('SELECT a, b, c FROM t')).rules, ['wide'])
  const broken = judge.judge(asking('UPDATE t SET b = 1 WHERE true'))
  assert.ok(broken.act === 'block')
  assert.deepEqual(broken.rules, ['broken', 'policy.evaluation-failed'])
  assert.match(broken.reason, /condition of rule broken could not be evaluated/)
  assert.deepEqual(judge.judge(asking('INSERT INTO t VALUES (1)')), {
    act: 'allow',
    rules: ['shadow:quiet', 'shadow:policy.evaluation-failed'],
  })
})

test('a threshold whose condition cannot be evaluated blocks the statement it would count', () => {
  const judge = policyOf(
    `  - { id: t, on: postgres, when: 'facts.columns[9] == "x"', threshold: { rows: 5, per: statement }, action: block }`,
  ).judge(agent, production)
  assert.deepEqual(judge.judge(asking('SELECT a FROM t')).rules, ['t', 'policy.evaluation-failed'])
})

/** A message whose facts are those of its text, as the wire shares them. */
function sharing(sql: string): TrialMessage {
  const facts = sqlFacts(sql)
  return Object.assign(new TrialMessage('client', 'query', Buffer.from(sql), 0, facts), { common: () => facts })
}

test('under another policy a session goes on where it was: what it was given, and what its names stand for', () => {
  const budget = (rows: number, id = 's') =>
    `  - { id: ${id}, on: postgres, threshold: { rows: ${rows}, per: session }, action: block }`
  const first = policyOf(budget(100)).judge(agent, production)
  first.judge(asking('PREPARE p AS DELETE FROM t', 1))
  assert.equal(first.judge(someRows(80, 1)).act, 'allow')
  const after = `${budget(90)}\n${DELETE}`
  const second = policyOf(after).judge(agent, production, {}, first)
  assert.deepEqual(second.judge(asking('EXECUTE p', 2)).rules, ['no-where'], 'prepared under the old one')
  const verdict = second.judge(someRows(20, 2))
  assert.deepEqual([verdict.act, 'keep' in verdict && verdict.keep], ['block', 10], '80 of 90 were given before')
  const renamed = policyOf(budget(90, 'other')).judge(agent, production, {}, first)
  assert.equal(renamed.judge(someRows(80, 3)).act, 'allow', 'another rule begins anew')
})
