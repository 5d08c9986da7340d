import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileCondition } from '../../../gateway/policy/condition.ts'
import { conditionPlace, FACT_TYPES } from '../../../gateway/policy/condition-facts.ts'
import { FACTS, FACTS_OF_MATCH, FLAG_FIELDS, RANGE_FIELDS } from '../../../gateway/policy/fact-table.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import { VOCABULARIES } from '../../../gateway/policy/vocabulary.ts'
import { Match } from '../../../schemas/policy.ts'
import { agent, production } from '../../support/policy.ts'

const fields = Object.keys(Match.properties).sort()

test('every field of a match is in the table, and some message has it', () => {
  assert.deepEqual(Object.keys(FACTS_OF_MATCH).sort(), fields)
  const told = new Set(Object.values(VOCABULARIES).flatMap(({ facts }) => Object.values(facts).flatMap((each) => [...each])))
  assert.deepEqual(
    fields.filter((field) => !told.has(field as keyof typeof FACTS_OF_MATCH)),
    [],
  )
})

test('fields that ask one flag or one number are booleans and ranges in the schema', () => {
  const properties = Match.properties as Readonly<Record<string, { readonly type?: string; readonly properties?: object }>>
  for (const field of FLAG_FIELDS) assert.equal(properties[field]?.type, 'boolean', field)
  for (const field of RANGE_FIELDS) assert.deepEqual(Object.keys(properties[field]?.properties ?? {}), ['min', 'max'], field)
})

test('every fact can be named in a condition, of whatever protocol', () => {
  const place = conditionPlace(agent, production)
  const empty = { text: "''", list: '[]', flag: 'false', number: '0' } as const
  for (const [name, type] of Object.entries(FACTS)) {
    assert.ok(name in FACT_TYPES, name)
    const source = type === 'list' ? `size(facts.${name}) == 0` : `facts.${name} == ${empty[type]}`
    assert.equal(compileCondition(source)({}, 'query', place), true, name)
  }
})

test('a condition on facts that no message of its protocols has is refused', () => {
  const rule = (on: string, when: string) => (): unknown =>
    compilePolicy(`version: 1\nrules:\n  - { id: r, on: ${on}, when: '${when}', action: block }\n`, 'p')
  assert.ok(rule('ssh', 'facts.programs.exists(p, p == "curl")')())
  assert.ok(rule('http', 'facts.path.startsWith("/admin") && facts.method != "GET"')())
  assert.ok(rule('postgres', 'facts.in_transaction && facts.limited')())
  assert.throws(rule('ssh', 'size(facts.verbs) > 0'), /p:3:\d+.*facts.verbs: no message of ssh/)
  assert.throws(rule('postgres', 'facts.path == "facts.method"'), /facts.path: no message of postgres/)
})
