import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../../../recorder/files.ts'
import { readSpool } from '../../../recorder/tape/spool-reader.ts'
import { readBegin } from '../../../recorder/tape/spool-record.ts'
import { recordsOf } from '../../../recorder/tape/spool-scan.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

interface Newest {
  readonly name: string
  readonly bytes: Buffer
  readonly file: number
  readonly reused: boolean
  /** Where its records end; 0 where there is damage. */
  readonly ends: readonly number[]
}

/** What a dead process would have left. The room goes on meanwhile, and may give a file up that was just listed. */
async function copied(from: string, to: string): Promise<string> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to)
  for (const name of (await readdir(from)).filter((one) => one.endsWith('.wal'))) {
    try {
      await copyFile(join(from, name), join(to, name))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return to
}

/** The file that was written to last. */
async function newestOf(spool: string): Promise<Newest> {
  let newest: Newest = { name: '', bytes: Buffer.alloc(0), file: 0, reused: false, ends: [] }
  for (const name of (await readdir(spool)).filter((one) => one.endsWith('.wal'))) {
    const bytes = await readFile(join(spool, name))
    const begin = readBegin(bytes)
    if (begin === undefined || begin.file <= newest.file) continue
    const ends: number[] = []
    for (const record of recordsOf(bytes, begin.file, begin.mark, begin.end)) ends.push(record.kind === 'damage' ? 0 : record.end)
    newest = { name, bytes, file: begin.file, reused: begin.mark.reused, ends }
  }
  return newest
}

test('in a file that was used before, a crash is silent, and damage is told', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { budgetMs: 600_000 } })
  const { recorder } = await room.open(START)
  const left = (): Promise<string> => copied(join(folder.path, 'spool', 'gw1'), join(folder.path, 'died'))
  // A file is used again once the store has what was in it; how many are made before that is chance.
  while (!(await newestOf(await left())).reused) {
    for (let index = 0; index < 15; index += 1) await recorder.append([entry({ body: Buffer.alloc(60_000, index) })])
    await recorder.append([entry()], { durable: true })
    while (room.waiting().bytes > 0) await delay(5)
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  try {
    for (let index = 0; index < 5; index += 1) await recorder.append([entry({ body: Buffer.alloc(9_000, index + 1) })])
    const spool = await left()
    assert.deepEqual((await readSpool(spool, 'gw1')).problems, [])
    const newest = await newestOf(spool)
    assert.ok(newest.reused && newest.ends.length > 2)
    const path = join(spool, newest.name)
    // Cut anywhere in its last record, what stands behind is of the file's former life.
    const [before = 0, end = 0] = newest.ends.slice(-2)
    const flipped = Buffer.from(newest.bytes)
    flipped[(newest.ends[0] ?? 0) - 1] = (flipped[(newest.ends[0] ?? 0) - 1] ?? 0) ^ 1
    await writeFile(path, flipped)
    const damaged = await readSpool(spool, 'gw1')
    assert.match(damaged.problems[0]?.message ?? '', /damaged from byte .*, where the same file goes on/)
    for (let cut = before; cut < end; cut += before + 24 > cut ? 3 : 997) {
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
