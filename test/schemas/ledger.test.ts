import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/compile'
import { LedgerEntry, LedgerStatement } from '../../schemas/ledger.ts'

const checker = Compile(LedgerStatement)
const ENVELOPE = { v: 1, gateway: 'gw1', n: 1, at: '2026-11-20T12:00:00.000Z', sessions: 0 }

test('an entry has what its kind asks for, whatever later versions may add to it', () => {
  assert.ok(checker.Check({ ...ENVELOPE, type: 'key.revoke', key: 'k1' }))
  assert.ok(checker.Check({ ...ENVELOPE, type: 'key.revoke', key: 'k1', reason: 'of a later version' }))
  assert.ok(checker.Check({ ...ENVELOPE, type: 'gateway.interim', open: 1, root: 'ab', tapes: [['s', 1, 2, 'cd']] }))
  for (const wrong of [
    { ...ENVELOPE, type: 'key.revoke' },
    { ...ENVELOPE, type: 'no.such', key: 'k1' },
    { ...ENVELOPE, n: 0, type: 'key.revoke', key: 'k1' },
    { ...ENVELOPE, gateway: 'GW 1', type: 'key.revoke', key: 'k1' },
    { ...ENVELOPE, type: 'gateway.interim', open: 1, root: 'ab', tapes: [['s', 1]] },
    { type: 'key.revoke', key: 'k1' },
  ])
    assert.ok(!checker.Check(wrong), JSON.stringify(wrong))
})

test('no kind has a member that every entry gets when it is written: it would be lost', () => {
  for (const { properties } of LedgerEntry.anyOf) {
    const lost = Object.keys(properties).filter((name) => Object.hasOwn(ENVELOPE, name))
    // It tells the number of sessions itself.
    assert.deepEqual(lost, properties.type.const === 'journal.import' ? ['sessions'] : [], properties.type.const)
  }
})
