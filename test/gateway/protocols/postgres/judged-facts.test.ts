import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelled, variant } from '../../../../gateway/protocols/postgres/judged-facts.ts'

const facts = { parse_ok: true, size: 8 }

test('what a moment adds to a text’s facts makes the same object each time, so that verdicts can be kept by it', () => {
  assert.equal(variant(facts, false, false, false), facts)
  assert.equal(variant(facts, true, false, false), variant(facts, true, false, false))
  assert.deepEqual(variant(facts, true, true, true), {
    ...facts,
    in_transaction: true,
    masked_write: true,
    writes_from_masked: true,
  })
})

test('so do the labels it touches, and others make another', () => {
  assert.equal(labelled(facts, []), facts)
  const email = labelled(facts, ['pii.email'])
  assert.deepEqual(email, { ...facts, labels: ['pii.email'] })
  assert.equal(labelled(facts, ['pii.email']), email)
  assert.notEqual(labelled(facts, ['pii.email', 'pii.ssn']), email)
  assert.equal(variant(email, true, false, false)['labels'], email['labels'])
})
