import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFile, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal } from '../../../recorder/ledger/journal.ts'
import { type RecordingFolder, recordingFolder } from '../../support/recording.ts'

async function lines(folder: RecordingFolder): Promise<string[]> {
  return (await readFile(join(folder.path, 'gw1.jsonl'), 'utf8')).trimEnd().split('\n')
}

test('entries are numbered without gaps and chained, over restarts too', async () => {
  await using folder = await recordingFolder()
  for (let start = 0; start < 3; start += 1) {
    const journal = await Journal.open(folder.path, 'gw1')
    assert.equal(journal.lastSession(), start * 20)
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => journal.append({ type: 'session.open', number: start * 20 + index + 1 })),
    )
    await journal.close()
  }
  let prev = '0'.repeat(64)
  const all = await lines(folder)
  assert.equal(all.length, 60)
  for (const [index, line] of all.entries()) {
    const entry = JSON.parse(line) as { n: number; prev: string; number: number }
    assert.deepEqual([entry.n, entry.prev, entry.number], [index + 1, prev, index + 1])
    prev = createHash('sha256').update(line).digest('hex')
  }
})

test('a line cut by a crash, at any byte, was never acknowledged and is cut off', async () => {
  await using folder = await recordingFolder()
  const path = join(folder.path, 'gw1.jsonl')
  const first = await Journal.open(folder.path, 'gw1')
  await first.append({ type: 'session.open', number: 1 })
  await first.close()
  const kept = await readFile(path)
  for (let size = 1; size < kept.length; size += 7) {
    await appendFile(path, kept.subarray(0, size))
    const journal = await Journal.open(folder.path, 'gw1')
    assert.equal(journal.lastSession(), 1)
    await journal.append({ type: 'x' })
    await journal.close()
    const all = await lines(folder)
    assert.equal(all.length, 2)
    assert.equal((JSON.parse(all[1] ?? '') as { n: number }).n, 2)
    await truncate(path, kept.length)
  }
})

test('a last line longer than one read is found', async () => {
  await using folder = await recordingFolder()
  const journal = await Journal.open(folder.path, 'gw1')
  await journal.append({ type: 'session.open', number: 9 })
  await journal.append({ type: 'long', text: 'x'.repeat(300_000) })
  await journal.close()
  const again = await Journal.open(folder.path, 'gw1')
  assert.equal(again.lastSession(), 9)
  await again.close()
})
