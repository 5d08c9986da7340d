import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync, watch } from 'node:fs'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { codeOf } from '../../../recorder/files.ts'
import { OWN_MARK } from '../../../recorder/process-mark.ts'
import { lockText, ownerOf } from '../../../recorder/store/lock-mark.ts'
import { FileStore } from '../../../recorder/store/store-file.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { storeContract } from './contract.ts'

const run = promisify(execFile)
const STORE_MODULE = new URL('../../../recorder/store/store-file.ts', import.meta.url).href

async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-store-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

storeContract('a folder', async () => {
  const at = await folder()
  return { store: new FileStore(at.path), [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() }
})

storeContract('the tests’ memory', async () => ({ store: new MemoryStore(), [Symbol.asyncDispose]: async () => undefined }))

test('stores of one process on one folder write beside each other, and nothing unfinished stays', async () => {
  await using at = await folder()
  const [one, other] = [new FileStore(at.path), new FileStore(at.path)]
  await Promise.all(
    Array.from({ length: 50 }, (_, n) => [one.put(`notes/a${n}`, Buffer.of(n)), other.put(`notes/b${n}`, Buffer.of(n))]).flat(),
  )
  assert.deepEqual((await readdir(join(at.path, 'notes'))).length, 100)
})

test('processes that append to one object at once each find their place: nothing is lost, nothing doubled', async () => {
  await using at = await folder()
  const appender = `
    const { FileStore } = await import(${JSON.stringify(STORE_MODULE)})
    const [path, name] = process.argv.slice(1)
    const store = new FileStore(path)
    let done = 0
    while (done < 40) {
      const size = await store.size('log').catch(() => 0)
      try { await store.append('log', size, Buffer.from(name + '\\n')); done += 1 } catch (error) { if (error.code !== 'STORE_CONFLICT') throw error }
    }`
  await Promise.all(['a', 'b', 'c'].map((name) => run(process.execPath, ['--input-type=module', '-e', appender, at.path, name])))
  const lines = Buffer.from(await new FileStore(at.path).get('log'))
    .toString()
    .trim()
    .split('\n')
  assert.equal(lines.length, 120)
  for (const name of ['a', 'b', 'c']) assert.equal(lines.filter((line) => line === name).length, 40)
})

test('the lock of a process that died does not keep others out', async () => {
  await using at = await folder()
  const store = new FileStore(at.path)
  await store.append('log', 0, Buffer.from('a'))
  const { stdout } = await run(process.execPath, ['-e', 'console.log(process.pid)'])
  const dead = { ...OWN_MARK, pid: Number(stdout), started: '1' }
  // As earlier versions wrote it, and as this one does.
  for (const [index, text] of [JSON.stringify(dead), lockText(dead, 1)].entries()) {
    await symlink(text, join(at.path, '.lock-log'))
    await store.append('log', 1 + index, Buffer.from('b'))
    assert.equal(await store.size('log'), 2 + index)
  }
})

test('a lock is never without the mark of its owner: whoever is killed at any moment, the next goes on at once', async () => {
  await using at = await folder()
  const appender = `
    const { FileStore } = await import(${JSON.stringify(STORE_MODULE)})
    const store = new FileStore(process.argv[1])
    console.log('going')
    for (;;) await store.append('log', await store.size('log').catch(() => 0), Buffer.from('a')).catch(() => undefined)`
  const watcher = watch(at.path)
  const unmarked: string[] = []
  watcher.on('change', () => {
    try {
      if (ownerOf(readlinkSync(join(at.path, '.lock-log'))) === undefined) unmarked.push('a text that names nobody')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') unmarked.push(String(error))
    }
  })
  for (let round = 0; round < 5; round += 1) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', appender, at.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await delay(50 + round * 7)
    child.kill('SIGKILL')
    await once(child, 'close')
    const store = new FileStore(at.path)
    const size = await store.size('log').catch(() => 0)
    const before = performance.now()
    await store.append('log', size, Buffer.from('b'))
    assert.ok(performance.now() - before < 20_000, 'waited for nobody')
  }
  watcher.close()
  assert.deepEqual(unmarked, [])
})
