import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patiently } from '../../../recorder/store/patiently.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { makeSigner, openTestLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const busy = (): ApplianceError => new ApplianceError('STORE_FAILED', 'reading failed: 503 ServerBusy')

test('what a store fails at is asked for again and told once; what it refuses rejects at once', async () => {
  const told: unknown[] = []
  let asked = 0
  const answer = await patiently(
    async () => {
      asked += 1
      if (asked < 4) throw busy()
      return 'there'
    },
    30_000,
    (error) => told.push(error),
  )
  assert.deepEqual([answer, asked, told.length], ['there', 4, 1])
  for (const code of ['STORE_DENIED', 'STORE_MISSING', 'CONFIG_INVALID'] as const) {
    let tries = 0
    const refused = async (): Promise<never> => {
      tries += 1
      throw new ApplianceError(code, 'no')
    }
    await assert.rejects(
      patiently(refused, 30_000, () => assert.fail('told')),
      { code },
    )
    assert.equal(tries, 1)
  }
  await assert.rejects(
    patiently(
      () => Promise.reject(busy()),
      120,
      () => undefined,
    ),
    { code: 'STORE_FAILED' },
  )
})

test('a gateway whose ledger is in a store that is busy opens it a moment later; a command says so at once', async () => {
  const store = new MemoryStore()
  const first = await openTestLedger(store, makeSigner(), {})
  await first.close()
  let failures = 3
  const get = store.get.bind(store)
  store.get = async (...args) => {
    if (failures > 0) {
      failures -= 1
      throw busy()
    }
    return get(...args)
  }
  const problems: unknown[] = []
  const onProblem = (error: unknown): void => void problems.push(error)
  const ledger = await openTestLedger(store, makeSigner(), { onProblem })
  assert.equal(ledger.origin, first.origin)
  assert.ok(problems.length >= 1)
  await ledger.close()
  failures = 1
  await assert.rejects(openTestLedger(store, makeSigner(), { publish: false }), { code: 'STORE_FAILED' })
})
