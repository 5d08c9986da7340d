import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Queries } from '../../../recorder/catalog/database.ts'
import { DeletedSessions } from '../../../recorder/catalog/deleted-sessions.ts'
import { Ingest } from '../../../recorder/catalog/ingest.ts'
import type { LedgerEntry } from '../../../schemas/ledger.ts'
import { makeSigner, openTestLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { recordingFolder, START } from '../../support/recording.ts'

const [FIRST, SECOND] = ['20261120T120000Z-gw1-00000001', '20261120T120000Z-gw1-00000002'] as const

test('what was deleted is forgotten as soon as a key that is believed says so, however often it had to be tried', async () => {
  const store = new MemoryStore()
  const [own, other] = [makeSigner('gw1'), makeSigner('gw2')]
  const trusted = [own]
  let present: readonly string[] = [FIRST, SECOND]
  let failures = 0
  const forgotten: unknown[] = []
  const queries: Queries = {
    async query(text: string, values: readonly unknown[] = []) {
      if (text.startsWith('delete from catalog.sessions')) forgotten.push(...values)
      return { rows: text.startsWith('select id from catalog.sessions') ? present.map((id) => ({ id })) : [] } as never
    },
    exec: async () => undefined as never,
  }
  await using ingest = new Ingest({
    database: {
      ...queries,
      async transaction(work) {
        failures -= 1
        if (failures >= 0) throw new Error('the database went away')
        return work(queries)
      },
      timed: () => assert.fail('not asked for'),
      close: async () => undefined,
    },
    tapes: {
      store,
      arrivals: {
        // Looks when it is asked to settle, and at no other time.
        pace: { livePollMs: 1, maxIdlePollMs: 1, discoverMs: Number.POSITIVE_INFINITY },
        ids: async () => present,
        async wait(stop) {
          if (!stop.aborted) await once(stop, 'abort')
          return false
        },
        [Symbol.dispose]: () => undefined,
      },
    },
    deleted: new DeletedSessions(store, async () => trusted),
    describers: { target: () => undefined } as never,
    secret: 'of this test',
    onChange: () => undefined,
    onStored: () => undefined,
    onLag: () => undefined,
    onProblem: assert.fail,
  })
  await ingest.start()
  present = []
  await ingest.settle()
  const gone = (session: string): LedgerEntry => ({
    ...{ type: 'retention.delete', actor: 'grace', proof: 'key:k1' },
    ...{ session, rule: 'after-90-days', objects: 2 },
  })
  const ledgers = [await openTestLedger(store, own), await openTestLedger(store, other)]
  await ledgers[0]?.append(gone(FIRST))
  await ledgers[1]?.append(gone(SECOND))
  failures = 1
  await assert.rejects(ingest.settle(), /went away/)
  assert.equal(forgotten.length, 0)
  for (let look = 0; look < 2; look += 1) await Promise.all([ingest.settle(), ingest.settle()])
  assert.ok(!forgotten.includes(SECOND))
  assert.ok(forgotten.includes(FIRST))
  trusted.push(other)
  await ingest.settle()
  assert.ok(forgotten.includes(SECOND))
  for (const ledger of ledgers) await ledger.close()
})

test('a tape of which there is news is read at once, whatever the clock says', { timeout: 60_000 }, async () => {
  const store = new MemoryStore()
  const asked: string[] = []
  let heard: () => void = () => undefined
  const size = store.size.bind(store)
  store.size = (key, ...rest) => {
    asked.push(key)
    heard()
    return size(key, ...rest)
  }
  await using ingest = new Ingest({
    database: { query: async () => ({ rows: [] }) as never, exec: async () => undefined as never } as never,
    tapes: {
      store,
      arrivals: {
        // By itself it never looks again.
        pace: { livePollMs: 1e9, maxIdlePollMs: 1e9, discoverMs: Number.POSITIVE_INFINITY },
        ids: async () => [FIRST],
        async wait(stop) {
          if (!stop.aborted) await once(stop, 'abort')
          return false
        },
        [Symbol.dispose]: () => undefined,
      },
    },
    deleted: new DeletedSessions(store, async () => []),
    describers: { target: () => undefined } as never,
    secret: 'of this test',
    onChange: () => undefined,
    onStored: () => undefined,
    onLag: () => undefined,
    onProblem: assert.fail,
  })
  await ingest.start()
  const looked = async (id: string, times: number): Promise<void> => {
    while (asked.filter((key) => key.includes(id)).length < times) await new Promise<void>((resolve) => (heard = resolve))
  }
  await looked(FIRST, 1)
  ingest.grew([FIRST, SECOND])
  await looked(FIRST, 2)
  await looked(SECOND, 1)
})

test('old tapes are written while the next are read, one batch after the other, and settled is what is written', {
  timeout: 60_000,
}, async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store })
  for (let n = 0; n < 60; n += 1) await (await room.open(START)).recorder.seal('client.left')
  await room.close()
  const ids = [
    ...new Set([...store.objects.keys()].filter((key) => key.startsWith('tapes/')).map((key) => key.split('/')[1] ?? '')),
  ]
  assert.equal(ids.length, 60)
  const asked = new Set<string>()
  const size = store.size.bind(store)
  const readOn = Promise.withResolvers<void>()
  store.size = (key, ...rest) => {
    asked.add(key.split('/')[1] ?? '')
    if (asked.size > 50) readOn.resolve()
    return size(key, ...rest)
  }
  const log: string[] = []
  const queries: Queries = {
    async query(text: string, values: readonly unknown[] = []) {
      if (text.startsWith('insert into catalog.sessions')) log.push(`${JSON.parse(String(values[0])).length} sessions`)
      return { rows: [] } as never
    },
    exec: async () => undefined as never,
  }
  const stored: string[] = []
  await using ingest = new Ingest({
    database: {
      ...queries,
      async transaction(work) {
        log.push('begin')
        // The first does not end before more is read than it writes.
        await readOn.promise
        const result = await work(queries)
        log.push('end')
        return result
      },
      timed: () => assert.fail('not asked for'),
      close: async () => undefined,
    },
    tapes: {
      store,
      arrivals: {
        pace: { livePollMs: 1e9, maxIdlePollMs: 1e9, discoverMs: Number.POSITIVE_INFINITY },
        ids: async () => ids,
        async wait(stop) {
          if (!stop.aborted) await once(stop, 'abort')
          return false
        },
        [Symbol.dispose]: () => undefined,
      },
    },
    deleted: new DeletedSessions(store, async () => []),
    describers: {},
    secret: 'of this test',
    onChange: () => undefined,
    onStored: ({ id }) => stored.push(id),
    onLag: () => undefined,
    onProblem: assert.fail,
  })
  await ingest.start()
  await ingest.settle()
  assert.deepEqual(log, ['begin', '50 sessions', 'end', 'begin', '10 sessions', 'end'])
  assert.deepEqual(stored, ids.sort().reverse())
})
