import assert from 'node:assert/strict'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { readSpool } from '../../../recorder/tape/spool-reader.ts'
import { readBegin } from '../../../recorder/tape/spool-record.ts'
import { recordsOf } from '../../../recorder/tape/spool-scan.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

test('in files that were used before, a crash is silent, and damage is told', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { budgetMs: 600_000 } })
  const { recorder } = await room.open(START)
  for (let index = 0; index < 100; index += 1) {
    await recorder.append([entry({ body: Buffer.alloc(60_000, index) })])
    // What the store has not taken yet counts against the budget, and a file is used again only when it has.
    if (index % 15 === 14) await recorder.append([entry()], { durable: true })
    while (index % 15 === 14 && room.waiting().bytes > 0) await delay(5)
  }
  while (room.waiting().bytes > 0) await delay(5)
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  try {
    for (let index = 0; index < 10; index += 1) await recorder.append([entry({ body: Buffer.alloc(30_000, index) })])
    const spool = join(folder.path, 'died')
    await cp(join(folder.path, 'spool', 'gw1'), spool, { recursive: true })
    assert.deepEqual((await readSpool(spool, 'gw1')).problems, [])
    let newest = { name: '', bytes: Buffer.alloc(0), file: 0, from: 0, ends: [0] }
    for (const name of (await readdir(spool)).filter((one) => one.endsWith('.wal'))) {
      const bytes = await readFile(join(spool, name))
      const begin = readBegin(bytes)
      if (begin === undefined || begin.file <= newest.file) continue
      assert.ok(begin.file < 3 || begin.mark.reused)
      const ends: number[] = []
      for (const record of recordsOf(bytes, begin.file, begin.mark, begin.end))
        ends.push(record.kind === 'damage' ? 0 : record.end)
      newest = { name, bytes, file: begin.file, from: begin.end, ends }
    }
    assert.ok(newest.ends.length > 2 && newest.file > 2)
    const path = join(spool, newest.name)
    // Cut anywhere in its last record, what stands behind is of the file's former life.
    const [before = 0, end = 0] = newest.ends.slice(-2)
    const flipped = Buffer.from(newest.bytes)
    flipped[(newest.ends[0] ?? 0) - 1] = (flipped[(newest.ends[0] ?? 0) - 1] ?? 0) ^ 1
    await writeFile(path, flipped)
    const damaged = await readSpool(spool, 'gw1')
    assert.match(damaged.problems[0]?.message ?? '', /damaged from byte .*, where the same file goes on/)
    for (let cut = before; cut < end; cut += before + 24 > cut ? 3 : 4_999) {
      const torn = Buffer.from(newest.bytes)
      Buffer.from('of a former life').copy(torn, cut)
      torn.fill(0x5a, cut + 16, end)
      await writeFile(path, torn)
      assert.deepEqual((await readSpool(spool, 'gw1')).problems, [], `cut at ${cut}`)
    }
  } finally {
    resolve()
  }
})
