import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestRate } from '../../../recorder/desk/request-rate.ts'

test('a requester is stopped at the limit, another is not, and time helps', () => {
  const rate = new RequestRate()
  for (let count = 0; count < 200; count += 1) rate.count('agent:claude', 1_000, count)
  assert.throws(() => rate.count('agent:claude', 1_000, 999), { code: 'LIMIT_REACHED' })
  rate.count('agent:other', 1_000, 999)
  rate.count('agent:claude', 1_000, 1_000)
  assert.throws(() => rate.count('agent:claude', 1_000, 1_000), { code: 'LIMIT_REACHED' })
})
