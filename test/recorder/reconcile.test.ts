import assert from 'node:assert/strict'
import { rename, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CatalogEntry, reconcile, reconciledExit } from '../../recorder/reconcile.ts'
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
  const first = await reconcile(folder.store, { rows: rows([...complete, { id: running.info.id, state: 'live', frames }]) })
  const none = { missing: [], extra: [], damaged: [], unlisted: [], stale: [] }
  assert.deepEqual(first, { opens: 6, tapes: 6, rows: 6, ended: 5, deleted: 0, never: 0, live: [running.info.id], ...none })
  assert.equal(reconciledExit(first), 0)

  const [gone = '', moved = '', cut = '', late = '', off = ''] = ids
  const fewer = complete.flatMap((row) => (row.id === late ? [{ ...row, state: 'live' as const }] : row.id === off ? [] : [row]))
  const behind = await reconcile(folder.store, { rows: rows(fewer) })
  assert.deepEqual([behind.unlisted, reconciledExit(behind)], [[late, off], 10])

  assert.deepEqual((await reconcile(folder.store, { rows: rows(fewer), from: off })).unlisted, [off])
  const at = (id: string): string => join(folder.path, 'tapes', id)
  await rm(at(gone), { recursive: true })
  await rename(at(moved), at(`${moved}x`))
  await truncate(join(at(cut), '0000.tape'), 40)
  const second = await reconcile(folder.store, { rows: rows(complete) })
  assert.deepEqual(
    [second.missing, second.extra, second.damaged, second.stale],
    [[gone, moved], [`${moved}x`], [cut], [gone, moved]],
  )
  assert.equal(reconciledExit(second), 20)
  const alone = await reconcile(folder.store, undefined)
  assert.deepEqual([alone.rows, alone.unlisted, alone.stale, alone.missing], [null, [], [], [gone, moved]])
})
