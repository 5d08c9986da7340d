import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VOCABULARIES } from '../../../gateway/policy/vocabulary.ts'
import { Match } from '../../../schemas/policy.ts'
import { PROTOCOL_NAMES } from '../../../schemas/session.ts'

test('every fact a rule can ask for is told by some message, and no other is', () => {
  const told = new Set(Object.values(VOCABULARIES).flatMap(({ facts }) => Object.values(facts).flatMap((names) => [...names])))
  assert.deepEqual([...told].sort(), Object.keys(Match.properties).sort())
})

test('whatever asks or is counted is a kind a rule can name', () => {
  assert.deepEqual(Object.keys(VOCABULARIES).sort(), [...PROTOCOL_NAMES].sort())
  for (const { asking, counted, fromClient, facts } of Object.values(VOCABULARIES)) {
    for (const kind of [...asking, ...counted, ...fromClient]) assert.ok(kind in facts, kind)
    for (const kind of fromClient) assert.ok(counted.includes(kind), kind)
  }
})
