import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileCondition } from '../../../gateway/policy/condition.ts'
import { conditionPlace } from '../../../gateway/policy/condition-facts.ts'
import { sqlFacts } from '../../../gateway/policy/sql/facts.ts'
import { cpuClock } from '../../support/cpu-time.ts'
import { agent, production } from '../../support/policy.ts'

const place = conditionPlace({ ...agent, principal: 'ada@example.com' }, production)

function says(condition: string, sql: string): boolean {
  return compileCondition(condition)(sqlFacts(sql), 'query', place)
}

test('a condition looks at facts, identity and target', () => {
  for (const [condition, sql, expected] of [
    ['facts.columns.exists(c, c.matches("^ss"))', 'SELECT ssn FROM t', true],
    ['facts.columns.exists(c, c.matches("^ss"))', 'SELECT id FROM t', false],
    ['facts.limit > 1000', 'SELECT * FROM t', true],
    ['facts.limit > 1000', 'SELECT * FROM t LIMIT 1000', false],
    ['!facts.limited', 'SELECT * FROM t LIMIT 5', false],
    ['"DELETE" in facts.verbs && !facts.has_where', 'DELETE FROM t', true],
    ['facts.relations.exists(r, ["orders", "carts"].exists(x, r.endsWith(x)))', 'SELECT 1 FROM app.orders', true],
    ['identity.kind == "agent" && "agents" in identity.groups', 'SELECT 1', true],
    ['identity.principal.endsWith("@example.com")', 'SELECT 1', true],
    ['has(target.labels.env) && target.labels.env == "production"', 'SELECT 1', true],
    ['has(target.labels.region) && target.labels.region == "eu"', 'SELECT 1', false],
    ['facts.kind == "query" && facts.version == 1', 'SELECT 1', true],
    ['size(facts.columns) >= 2', 'SELECT a, b FROM t', true],
  ] as const) {
    assert.equal(says(condition, sql), expected, `${condition}: ${sql}`)
  }
})

test('no fact is ever missing: of what cannot be read lists are empty and flags false', () => {
  assert.equal(says('!facts.parse_ok && size(facts.verbs) == 0 && !facts.ddl && facts.limit == 0', 'SELEC'), true)
})

test('what is wrong with a condition is said at once, with its place', () => {
  for (const [condition, why] of [
    ['facts.verbz == "x"', /No such key: verbz, at character 7/],
    ['facts.limit', /says int, not true or false/],
    ['true', /looks at nothing/],
    ['facts.columns.exists(c, c >', /Unexpected token: EOF, at character 28/],
    ['facts.limit > "x"', /no such overload/i],
    ['now() > 1', /at character 1/],
    ['facts.columns.exists(c, c.matches("(?=a)"))', /RE2's syntax.*at character 35/],
    ['facts.columns.exists(c, c.matches(facts.kind))', /a pattern written out/],
    ['facts.columns.exists(c, c.matches( // matches\n "^ss"))', /no comment/],
    ['facts.text.split("").size() > 1', /split\(\) is not for conditions/],
    ['facts.columns.all(a, facts.columns.all(b, a == b))', /may take \d+ steps/],
    ['(facts.columns + facts.columns).all(a, facts.columns.exists(b, a == b))', /may take \d+ steps/],
    [`${'('.repeat(500)}facts.ddl${')'.repeat(500)}`, /at character/],
    [`facts.ddl${' || facts.ddl'.repeat(400)}`, /at character/],
  ] as const) {
    assert.throws(() => compileCondition(condition), { name: 'ConditionError', message: why }, condition)
  }
})

test('what goes wrong while it is evaluated is thrown, never an answer', () => {
  assert.throws(() => says('facts.verbs[7] == "SELECT"', 'SELECT 1'))
  assert.throws(() => says('target.labels.nope == "x"', 'SELECT 1'))
  assert.throws(() => says('facts.size / (facts.size - facts.size) == 1', 'SELECT 1'))
})

test('the costliest condition that is let in takes next to no time for the largest facts', () => {
  const columns = Array.from({ length: 1_000 }, (_, index) => `c${index}`)
  const facts = sqlFacts(`SELECT ${columns.join(', ')} FROM t`)
  assert.equal(facts.columns?.length, 1_000)
  const tests = Array.from({ length: 11 }, (_, index) => `c == "x${index}"`).join(' || ')
  const condition = compileCondition(`facts.columns.exists(c, ${tests})`)
  const usedMs = cpuClock()
  assert.equal(condition(facts, 'query', place), false)
  // Milliseconds at rest: what is not bounded would take hours.
  assert.ok(usedMs() < 30_000)
})
