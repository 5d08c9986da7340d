import assert from 'node:assert/strict'
import { rename, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CatalogEntry, reconcile, reconciledExit } from '../../recorder/reconcile.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { makeSigner, openTestLedger } from '../support/ledger.ts'
import { entry, recordingFolder, START } from '../support/recording.ts'

test('ledger, store and catalog are compared: what is missing, too much, damaged, live, not listed', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const ids: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const { info, recorder } = await room.open(START)
    await recorder.append([entry({ body: Buffer.from('x') })])
    await recorder.seal('client.left')
    ids.push(info.id)
  }
  const running = await room.open(START)
  // A block closes the chunk at once.
  const verdict = { act: 'block', rules: ['x'], policy: 'abababababab' } as const
  await running.recorder.append([entry({ body: Buffer.from('x'), verdict })])
  const frames = 1
  async function* rows(entries: readonly CatalogEntry[]): AsyncGenerator<CatalogEntry> {
    yield* entries
  }
  const complete = ids.map((id): CatalogEntry => ({ id, state: 'sealed', frames }))
  const first = await reconcile(folder.store, [folder.signer], {
    rows: rows([...complete, { id: running.info.id, state: 'live', frames }]),
  })
  const none = { released: [], missing: [], extra: [], damaged: [], unlisted: [], stale: [] }
  assert.deepEqual(first, { opens: 6, tapes: 6, rows: 6, ended: 5, deleted: 0, never: 0, live: [running.info.id], ...none })
  assert.equal(reconciledExit(first), 0)

  const [gone = '', moved = '', cut = '', late = '', off = ''] = ids
  const fewer = complete.flatMap((row) => (row.id === late ? [{ ...row, state: 'live' as const }] : row.id === off ? [] : [row]))
  const behind = await reconcile(folder.store, [folder.signer], { rows: rows(fewer) })
  assert.deepEqual([behind.unlisted, reconciledExit(behind)], [[late, off], 10])

  assert.deepEqual((await reconcile(folder.store, [folder.signer], { rows: rows(fewer), from: off })).unlisted, [off])
  const at = (id: string): string => join(folder.path, 'tapes', id)
  await rm(at(gone), { recursive: true })
  await rename(at(moved), at(`${moved}x`))
  await truncate(join(at(cut), '0000.tape'), 40)
  const second = await reconcile(folder.store, [folder.signer], { rows: rows(complete) })
  assert.deepEqual(
    [second.missing, second.extra, second.damaged, second.stale],
    [[gone, moved], [`${moved}x`], [cut], [gone, moved]],
  )
  assert.equal(reconciledExit(second), 20)
  const alone = await reconcile(folder.store, [folder.signer], undefined)
  assert.deepEqual([alone.rows, alone.unlisted, alone.stale, alone.missing], [null, [], [], [gone, moved]])
})

test('a deletion counts where a trusted key has signed it; until its tape is gone it is released, not too much', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const ids: string[] = []
  for (let n = 0; n < 4; n += 1) {
    const { info, recorder } = await room.open(START)
    await recorder.append([entry({ body: Buffer.from('x') })])
    await recorder.seal('client.left')
    ids.push(info.id)
  }
  const [removed = '', waiting = '', parted = '', stolen = ''] = ids
  const gone = (session: string): LedgerEntry => ({
    ...{ type: 'retention.delete', actor: 'grace', proof: 'key:k1' },
    ...{ session, rule: 'after-90-days', objects: 2 },
  })
  const own = await openTestLedger(folder.store, { ...folder.signer, gateway: 'gw1-cli' })
  for (const id of [removed, waiting, parted]) await own.append(gone(id))
  await own.close()
  const foreign = await openTestLedger(folder.store, makeSigner('gw9'))
  await foreign.append(gone(stolen))
  await foreign.append({
    ...{ type: 'session.open', session: `${stolen}x`, number: 9, header: 'ab'.repeat(32), identity: 'agent-7' },
    ...{ target: 'shop', policy: 'ab'.repeat(32), durability: 'process' },
  })
  await foreign.close()
  const at = (id: string): string => join(folder.path, 'tapes', id)
  await rm(at(removed), { recursive: true })
  // A lifecycle rule removes object by object.
  await truncate(join(at(parted), '0000.tape'), 40)
  const before = await reconcile(folder.store, [folder.signer], undefined)
  const { deleted, released, ended, missing, extra, damaged } = before
  assert.deepEqual(
    { deleted, released, ended, missing, extra, damaged },
    { deleted: 1, released: [waiting, parted], ended: 1, missing: [], extra: [], damaged: [] },
  )
  assert.equal(reconciledExit(before), 0)
  await rename(at(stolen), at(`${stolen}x`))
  const after = await reconcile(folder.store, [folder.signer], undefined)
  assert.deepEqual([after.opens, after.missing, after.extra], [4, [stolen], [`${stolen}x`]])
  assert.equal(reconciledExit(after), 20)
})
