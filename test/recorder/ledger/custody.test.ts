import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFileSigner, StoreLedger } from '../../../recorder/index.ts'
import { custodyOf } from '../../../recorder/ledger/custody.ts'
import type { CustodyQuery } from '../../../schemas/api.ts'
import { recordingFolder } from '../../support/recording.ts'

const by = (actor: string) => ({ actor, proof: `key:${actor}` })

test('custody is read from the end, page by page, of one session or one person; what strangers wrote is told apart', async () => {
  await using folder = await recordingFolder()
  const { store, signer } = folder
  assert.deepEqual((await custodyOf(store, {}, [signer])).entries, [], 'there is no ledger yet')
  const ledger = await StoreLedger.open({ store, gateway: 'gw1-console', signer, publish: false })
  // More than a window of them, so that lines are cut by its edge.
  const long = 'x'.repeat(20_000)
  for (let n = 0; n < 70; n += 1)
    await ledger.append({ type: 'evidence.view', ...by('ivan'), what: 'session', session: `s-${n}`, purpose: long })
  await ledger.append({ type: 'session.kill', ...by('gina'), session: 's-3', reason: 'enough' })
  await ledger.append({ type: 'clock', stepMs: 5 })
  await ledger.append({ type: 'reconcile', opens: 4, tapes: 3, missing: ['s-9'], extra: [] })
  await ledger.append({ type: 'export.create', ...by('audrey'), format: 'csv', sha256: 'ab', sessionIds: ['s-3', 's-4'] })
  await ledger.close()
  const stranger = await openFileSigner(`${folder.path}/elsewhere`, 'gw1')
  const theirs = await StoreLedger.open({ store, gateway: 'gw1-console', signer: stranger, publish: false })
  await theirs.append({ type: 'evidence.view', ...by('nobody'), what: 'nothing' })
  await theirs.close()

  const pages = async (query: CustodyQuery) => {
    const found: Awaited<ReturnType<typeof custodyOf>>['entries'][number][] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof custodyOf>> = await custodyOf(
        store,
        { ...query, limit: 9, ...(cursor === null ? {} : { cursor }) },
        [signer],
      )
      found.push(...page.entries)
      cursor = page.next
    } while (cursor !== null)
    return found
  }
  const all = await pages({})
  assert.deepEqual(all.map(({ actor, act, signed }) => `${actor} ${act} ${signed}`).slice(0, 5), [
    'nobody viewed false',
    'audrey exported true',
    ' verified true',
    'gina decided true',
    'ivan viewed true',
  ])
  assert.deepEqual(
    all.filter(({ actor }) => actor === 'ivan').map(({ session }) => session),
    Array.from({ length: 70 }, (_, n) => `s-${69 - n}`),
    'each once, none left out',
  )
  assert.ok(all.every(({ told }) => told.every(([, value]) => value.length <= 300)))
  assert.deepEqual(
    (await pages({ session: 's-3' })).map(({ actor }) => actor),
    ['audrey', 'gina', 'ivan'],
  )
  assert.deepEqual(
    (await pages({ actor: 'g*a', act: 'decided' })).map(({ session }) => session),
    ['s-3'],
  )
  assert.deepEqual(
    (await pages({ act: 'verified' })).map(({ told }) => told.find(([name]) => name === 'missing')),
    [['missing', '["s-9"]']],
  )
  await assert.rejects(custodyOf(store, { cursor: 'nonsense' }, [signer]), { code: 'API_INVALID' })
})
