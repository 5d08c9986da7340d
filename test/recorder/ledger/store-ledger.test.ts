import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readOldJournal } from '../../../recorder/ledger/journal.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import type { Store } from '../../../recorder/store/store.ts'
import { FileStore } from '../../../recorder/store/store-file.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { type Fault, FaultyStore } from '../../support/faulty-store.ts'
import { makeSigner, openTestLedger, readLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'

function opened(number: number, gateway = 'gw1'): LedgerEntry {
  const session = `20261120T120000Z-${gateway}-${String(number).padStart(8, '0')}`
  const told = { identity: 'agent-7', target: 'shop', policy: 'ab', durability: 'process' } as const
  return { type: 'session.open', session, number, header: 'cd', ...told }
}

async function* stores(): AsyncGenerator<readonly [string, Store]> {
  yield ['memory', new MemoryStore()]
  const path = await mkdtemp(join(tmpdir(), 'sallyport-ledger-'))
  try {
    yield ['file', new FileStore(path)]
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

describe('one writer', () => {
  test('entries are numbered without gaps in the order of the calls, over restarts too, on every store', async () => {
    for await (const [name, store] of stores()) {
      const signer = makeSigner()
      for (let start = 0; start < 3; start += 1) {
        const ledger = await openTestLedger(store, signer)
        assert.equal(ledger.lastSession(), start * 20)
        await Promise.all(Array.from({ length: 20 }, (_, index) => ledger.append(opened(start * 20 + index + 1))))
        await ledger.close()
      }
      const { entries, result } = await readLedger(store, [signer])
      assert.deepEqual(result.problems, [], name)
      assert.deepEqual([result.size, result.malformed, result.checkpoints], [60, 0, 3])
      for (const [index, { statement }] of entries.entries())
        assert.deepEqual([statement.n, statement['number'], statement.gateway], [index + 1, index + 1, 'gw1'])
    }
  })

  test('what waits together is written together', async () => {
    const inner = new MemoryStore()
    const store = new FaultyStore(inner)
    const ledger = await openTestLedger(store, makeSigner())
    let appends = 0
    store.fault = (operation) => {
      if (operation === 'append') appends += 1
      return undefined
    }
    await Promise.all(Array.from({ length: 1500 }, (_, index) => ledger.append(opened(index + 1))))
    assert.equal(ledger.size, 1500)
    assert.ok(appends <= 3, `${appends} appends`)
  })

  test('objects are ended at their limit, and the sequence goes on in the next', async () => {
    const store = new MemoryStore()
    const signer = makeSigner()
    const limits = { sequenceLines: 10, batchEntries: 4 }
    const ledger = await openTestLedger(store, signer, { limits })
    await Promise.all(Array.from({ length: 50 }, (_, index) => ledger.append(opened(index + 1))))
    await ledger.close()
    const keys: string[] = []
    for await (const key of store.list(ledgerKeys.sequencePrefix)) keys.push(key)
    assert.deepEqual(keys, ['ledger/seq/0000', 'ledger/seq/0001', 'ledger/seq/0002', 'ledger/seq/0003', 'ledger/seq/0004'])
    assert.ok(store.objects.get('ledger/seq/0000')?.toString().endsWith('\n"end"\n'))
    const { result, entries } = await readLedger(store, [signer])
    assert.deepEqual([result.verdict, entries.length], ['VALID', 50])
    const again = await openTestLedger(store, signer, { limits })
    await again.append(opened(51))
    await again.close()
    assert.equal((await readLedger(store, [signer])).result.verdict, 'VALID')
  })

  test('an entry that is too long is refused by itself', async () => {
    const signer = makeSigner()
    const store = new MemoryStore()
    const ledger = await openTestLedger(store, signer)
    const [long, short] = await Promise.allSettled([
      ledger.append({ type: 'gateway.stop', reason: 'x'.repeat(70_000) }),
      ledger.append({ type: 'gateway.stop', reason: 'x' }),
    ])
    assert.equal(long.status === 'rejected' && long.reason.code, 'RECORDER_FAILED')
    assert.equal(short.status, 'fulfilled')
    await ledger.close()
    assert.equal((await readLedger(store, [signer])).result.verdict, 'VALID')
  })

  test('session numbers go on from the journal there was before, and the ledger says so', async () => {
    const path = await mkdtemp(join(tmpdir(), 'sallyport-journal-'))
    try {
      await writeFile(join(path, 'gw1.jsonl'), '{"n":1,"sessions":6}\n{"n":2,"sessions":7}\n{"n":3,"ses')
      const oldJournal = await readOldJournal(path, 'gw1')
      assert.equal(await readOldJournal(path, 'gw2'), undefined)
      assert.ok(oldJournal)
      const store = new MemoryStore()
      const signer = makeSigner()
      for (let start = 0; start < 2; start += 1) {
        const ledger = await openTestLedger(store, signer, { oldJournal })
        assert.equal(ledger.lastSession(), 7)
        await ledger.close()
      }
      const { facts, entries } = await readLedger(store, [signer])
      assert.equal(facts.imported.get('gw1'), 7)
      assert.equal(entries.length, 1)
      await writeFile(join(path, 'gw1.jsonl'), 'nonsense\n')
      await assert.rejects(readOldJournal(path, 'gw1'), { code: 'RECORDER_FAILED' })
    } finally {
      await rm(path, { recursive: true, force: true })
    }
  })
})

describe('a store that fails', () => {
  for (const fault of ['not-done', 'done', 'half-done'] as const satisfies readonly Fault[]) {
    test(`every entry is there exactly once when appends fail (${fault})`, async () => {
      const store = new FaultyStore(new MemoryStore())
      const signer = makeSigner()
      const ledger = await openTestLedger(store, signer)
      let count = 0
      store.fault = (operation) => {
        if (operation !== 'append') return undefined
        count += 1
        return count % 3 === 0 ? undefined : fault
      }
      for (let round = 0; round < 6; round += 1)
        await Promise.all(Array.from({ length: 3 }, (_, index) => ledger.append(opened(round * 3 + index + 1))))
      store.fault = () => undefined
      await ledger.close()
      assert.ok(store.faults >= 4)
      const { result, entries } = await readLedger(store, [signer])
      assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
      assert.deepEqual(
        entries.map(({ statement }) => statement['number']),
        Array.from({ length: 18 }, (_, index) => index + 1),
      )
      if (fault === 'half-done') assert.ok(result.malformed > 0)
    })
  }

  test('what the store does not take in time is refused, and never written later', async () => {
    const store = new FaultyStore(new MemoryStore())
    const signer = makeSigner()
    const ledger = await openTestLedger(store, signer, { limits: { patienceMs: 500 } })
    store.fault = () => 'not-done'
    const results = await Promise.allSettled([1, 2].map((number) => ledger.append(opened(number))))
    // Tried, and nobody knows what became of it: it stays in the ledger's hands.
    assert.deepEqual(
      results.map((one) => one.status === 'rejected' && one.reason.code),
      ['STORE_FAILED', 'STORE_FAILED'],
    )
    store.fault = () => undefined
    await ledger.append(opened(3))
    await ledger.close()
    const { entries } = await readLedger(store, [signer])
    assert.deepEqual(
      entries.map(({ statement }) => statement['number']),
      [1, 2, 3],
    )
  })

  test('a store that says nothing at all keeps nobody waiting for longer than they may be', async () => {
    const store = new FaultyStore(new MemoryStore())
    const signer = makeSigner()
    const ledger = await openTestLedger(store, signer, { limits: { patienceMs: 60 } })
    await ledger.append(opened(1))
    const speaks = Promise.withResolvers<void>()
    store.gate = speaks.promise
    const tried = ledger.append(opened(2))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const behind = ledger.append(opened(3))
    await assert.rejects(tried, { code: 'STORE_FAILED', message: /not known: the store has not answered within 60 ms/ })
    await assert.rejects(behind, { code: 'RECORDER_FAILED', message: /cannot be written/ })
    speaks.resolve()
    await ledger.append(opened(4))
    await ledger.close()
    const { entries } = await readLedger(store, [signer])
    assert.deepEqual(
      entries.map(({ statement }) => [statement.n, statement['number']]),
      [
        [1, 1],
        [2, 2],
        [3, 4],
      ],
    )
  })

  test('where the outcome is not known the number is not given again, and the next one is another', async () => {
    const store = new FaultyStore(new MemoryStore())
    const signer = makeSigner()
    const ledger = await openTestLedger(store, signer, { limits: { patienceMs: 30 } })
    let failing = true
    store.fault = (operation) => (operation === 'append' && failing ? 'done' : undefined)
    // Reading back shows it is there.
    await ledger.append(opened(1))
    failing = false
    assert.equal(ledger.lastSession(), 1)
    await ledger.close()
  })
})

describe('strangers with the right to append', () => {
  test('garbage, half lines, forged entries of ours and forged ends stop nobody', async () => {
    const store = new MemoryStore()
    const signer = makeSigner()
    const stranger = makeSigner()
    const ledger = await openTestLedger(store, signer)
    await ledger.append(opened(1))
    const append = async (text: string): Promise<void> => {
      const key = ledgerKeys.sequence(0)
      await store.append(key, await store.size(key), Buffer.from(text))
    }
    await append('not json\n\n\n{"half')
    await ledger.append(opened(2))
    await append(
      `[{"at":"2026-11-20T12:00:00.000Z","gateway":"gw1","n":900,"sessions":900,"type":"x","v":1},"${'a'.repeat(16)}","AAAA"]\n`,
    )
    await ledger.append(opened(3))
    const theirs = await openTestLedger(store, stranger)
    await theirs.append(opened(77))
    await ledger.append(opened(4))
    await append(`${'x'.repeat(200_000)}\n`)
    await append('"end"\n')
    await ledger.append(opened(5))
    await ledger.close()
    const again = await openTestLedger(store, signer)
    assert.equal(again.lastSession(), 5)
    await again.append(opened(6))
    await again.close()
    const { result, entries } = await readLedger(store, [signer])
    assert.deepEqual(
      entries.map(({ statement }) => [statement.n, statement['number']]),
      [1, 2, 3, 4, 5, 6].map((n) => [n, n]),
    )
    assert.equal(result.malformed, 2)
    // Two keys that nobody trusts have written: that is said, and nothing they say is believed.
    assert.deepEqual(
      result.problems.map(({ verdict, part }) => [verdict, part]),
      [
        ['UNVERIFIABLE', 'entry'],
        ['UNVERIFIABLE', 'entry'],
      ],
    )
  })
})

describe('several writers', () => {
  test('race one ledger: each is numbered without gaps, nothing is lost, all come to the same tree', async () => {
    for await (const [name, store] of stores()) {
      const signers = ['gw1', 'gw2', 'gw3'].map((gateway) => makeSigner(gateway))
      const ledgers = await Promise.all(signers.map((signer) => openTestLedger(store, signer)))
      await Promise.all(
        ledgers.flatMap((ledger, writer) =>
          Array.from({ length: 40 }, (_, index) => ledger.append(opened(index + 1, signers[writer]?.gateway))),
        ),
      )
      await Promise.all(ledgers.map((ledger) => ledger.publish()))
      const notes = ledgers.map((ledger) => Buffer.from(ledger.checkpoint() ?? []).toString())
      assert.equal(new Set(notes.map((note) => note.split('\n').slice(0, 3).join())).size, 1, name)
      for (const ledger of ledgers) await ledger.close()
      const { result } = await readLedger(store, signers)
      assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
      assert.deepEqual([result.size, result.checkpoint?.size], [120, 120])
    }
  })

  test('commands that share one name do not share numbers', async () => {
    const store = new MemoryStore()
    const signer = makeSigner()
    const options = { gateway: 'gw1-cli', publish: false }
    const commands = await Promise.all([1, 2, 3].map(() => openTestLedger(store, signer, options)))
    await Promise.all(commands.map((command, index) => command.append({ type: 'key.revoke', key: `k${index}` })))
    for (const command of commands) await command.close()
    const { entries, result } = await readLedger(store, [signer])
    assert.deepEqual(
      entries.map(({ statement }) => statement.n),
      [1, 2, 3],
    )
    assert.equal(result.verdict, 'VALID')
  })

  test('one ledger has one name', async () => {
    const store = new MemoryStore()
    const [one, two] = await Promise.all([openTestLedger(store, makeSigner('gw1')), openTestLedger(store, makeSigner('gw2'))])
    assert.equal(one.origin, two.origin)
    await assert.rejects(openTestLedger(store, makeSigner('gw3'), { origin: 'log.example/other' }), { code: 'CONFIG_INVALID' })
    await openTestLedger(store, makeSigner('gw3'), { origin: one.origin })
  })

  test('a ledger whose name is damaged is not opened: checkpoints under half a name could never be taken away', async () => {
    const store = new MemoryStore()
    const signer = makeSigner()
    const ledger = await openTestLedger(store, signer)
    await ledger.append(opened(1))
    await ledger.close()
    const whole = store.objects.get(ledgerKeys.origin) ?? assert.fail()
    const before = [...store.objects.keys()]
    for (const damaged of ['', '\n', whole.toString().trim(), `${whole}x`, 'log example\n', '\ufeffx\n']) {
      store.objects.set(ledgerKeys.origin, Buffer.from(damaged))
      await assert.rejects(openTestLedger(store, signer), { code: 'LEDGER_MALFORMED', message: /put back a copy/ }, damaged)
    }
    assert.deepEqual([...store.objects.keys()], before)
    store.objects.set(ledgerKeys.origin, whole)
    await (await openTestLedger(store, signer)).close()
  })
})
