import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRule, compileWho, holdOf, kindsOf } from '../../../gateway/policy/rule.ts'
import type { PolicyFile, Rule } from '../../../schemas/policy.ts'
import { agent, echo, human, production } from '../../support/policy.ts'

const FILE: PolicyFile = { version: 1, rules: [] }
const rule = (more: Partial<Rule>): Rule => ({ id: 'r', action: 'block', ...more })

test('a rule applies where protocol, who and target all fit', () => {
  const applies = (more: Partial<Rule>, identity = agent, target = production): boolean =>
    compileRule(rule(more), FILE).applies(identity, target)
  assert.equal(applies({}), true)
  assert.equal(applies({ on: 'postgres' }, agent, echo), false)
  assert.equal(applies({ who: { kinds: 'agent' } }), true)
  assert.equal(applies({ who: { kinds: 'agent' } }, human), false)
  assert.equal(applies({ who: { kinds: ['agent', 'human'], groups: 'analysts' } }), false)
  assert.equal(applies({ who: { groups: 'analysts' }, except: { subjects: 'ada@*' } }, human), false)
  assert.equal(applies({ targets: { labels: { env: ['production', 'staging'] } } }), true)
  assert.equal(applies({ targets: { labels: { env: '!production' } } }), false)
  assert.equal(applies({ targets: { labels: { region: '*' } } }), false, 'a label it does not have')
  assert.equal(applies({ targets: { names: ['sh*'], labels: { env: 'production' } } }), true)
})

test('who is whoever fits every field given', () => {
  const fits = compileWho({ kinds: ['human', 'agent'], groups: ['agents'], subjects: ['agent-*', '!agent-8'] })
  assert.equal(fits(agent), true)
  assert.equal(fits({ ...agent, subject: 'agent-8' }), false)
  assert.equal(fits({ ...agent, groups: [] }), false)
})

test('a rule judges what asks, a threshold what is counted, unless a kind is named', () => {
  assert.deepEqual(kindsOf({}, 'postgres'), ['query', 'parse', 'execute', 'function-call'])
  assert.deepEqual(kindsOf({ threshold: {} }, 'postgres'), ['reply'])
  assert.deepEqual(kindsOf({ threshold: {}, match: { kind: 'copy-data' } }, 'postgres'), ['copy-data'])
  assert.deepEqual(kindsOf({ threshold: {} }, 'echo'), ['echo'])
})

test('a hold takes what it does not say from the defaults of the file', () => {
  const file: PolicyFile = { ...FILE, defaults: { approval: { groups: ['dba'], count: 2, timeout: '10s' } } }
  assert.deepEqual(holdOf(undefined, file), { groups: ['dba'], count: 2, timeoutMs: 10_000 })
  assert.deepEqual(holdOf({ groups: 'security', timeout: '1m' }, file), { groups: ['security'], count: 2, timeoutMs: 60_000 })
  assert.deepEqual(holdOf({ groups: 'security' }, FILE), { groups: ['security'], count: 1, timeoutMs: 45_000 })
})
