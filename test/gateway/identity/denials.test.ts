import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Denials } from '../../../gateway/identity/denials.ts'
import type { LedgerEntry } from '../../../schemas/ledger.ts'

test('denied proofs are one entry a minute, by network and reason, and the last come at the end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const told: LedgerEntry[] = []
  const denials = new Denials(
    async (entry) => void told.push(entry),
    (error) => assert.fail(String(error)),
  )
  for (let index = 0; index < 500; index += 1) denials.note(`203.0.113.7:${40_000 + index}`, 'unknown key')
  for (let index = 0; index < 30; index += 1) denials.note(`198.51.100.${index}:1`, 'nothing shown')
  t.mock.timers.tick(59_000)
  assert.equal(told.length, 0)
  t.mock.timers.tick(1_000)
  const [entry] = told
  assert.ok(entry?.type === 'auth.fail')
  assert.deepEqual([entry.count, entry.by.length, entry.others], [530, 20, 11])
  assert.deepEqual(entry.by[0], { network: '203.0.113.7', why: 'unknown key', count: 500 })
  t.mock.timers.tick(600_000)
  assert.equal(told.length, 1)
  denials.note('203.0.113.7:1', 'unknown key')
  await denials[Symbol.asyncDispose]()
  assert.equal(told.length, 2)
})
