import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '../../../recorder/catalog/database.ts'
import { Decisions } from '../../../recorder/findings/decisions.ts'
import { makeSigner, openTestLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'

test('decisions of writers whose key is trusted are written, some at a time; of others none', async () => {
  const store = new MemoryStore()
  const [own, other] = [makeSigner('gw1'), makeSigner('gw9')]
  const ledger = await openTestLedger(store, own)
  const request = { approval: 'A-1', session: 's-1' } as const
  await ledger.append({
    ...{ type: 'approval.request', ...request, requester: 'agent-7', rules: ['x'], binding: 'b' },
    ...{ approvers: { groups: ['dba'], count: 1 }, expiresAt: '2026-11-18T12:00:00.000Z' },
  })
  const deciders = Array.from({ length: 2_100 }, (_, at) => `hal-${at}`)
  await Promise.all(deciders.map((actor) => ledger.append({ type: 'approval.decide', ...request, act: 'approve', actor })))
  await ledger.close()
  const foreign = await openTestLedger(store, other)
  await foreign.append({ type: 'approval.decide', ...request, act: 'reject', actor: 'mallory' })
  await foreign.close()
  const written: { readonly decider: string }[][] = []
  const database: Database = {
    // What PostgreSQL makes of them, detectors.test.ts asks.
    async query(_sql, values) {
      written.push(JSON.parse(String(values?.[0])))
      return { rows: [] }
    },
    exec: () => assert.fail('not asked for'),
    transaction: () => assert.fail('not asked for'),
    timed: () => assert.fail('not asked for'),
    close: async () => undefined,
  }
  const moments = await new Decisions(database, store, async () => [own]).take()
  assert.equal(moments.length, deciders.length)
  assert.deepEqual(
    written.map(({ length }) => length),
    [1_000, 1_000, 100],
  )
  assert.deepEqual(
    written.flatMap((rows) => rows.map(({ decider }) => decider)),
    deciders,
  )
})
