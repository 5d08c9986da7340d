import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../support/random.ts'
import { partition } from './partition.ts'
import { Account } from './scenario.ts'

test(`chaos, in small: ${partition.about}`, async (t) => {
  const account = new Account()
  const progress = (line: string): void => void process.stderr.write(`${line}\n`)
  await partition.play({ random: new Random(20_261_129), runs: 1, progress }, account)
  if (account.instead !== undefined) t.diagnostic(`NOT RUN: ${account.instead}`)
  assert.deepEqual(account.violations, [])
  assert.ok(account.delivered > 0)
  assert.equal(account.recoverable, account.delivered)
})
