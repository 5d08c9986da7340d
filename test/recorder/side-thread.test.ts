import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { OWN_MARK } from '../../recorder/process-mark.ts'
import { SideThread } from '../../recorder/side-thread.ts'
import { lockText } from '../../recorder/store/lock-mark.ts'
import { verifyTape } from '../../recorder/tape/verify.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { entry, recordingFolder, START } from '../support/recording.ts'

test('chunks large enough are made beside the event loop, and the tape is as valid as any', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const bodies = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? randomBytes(40_000) : Buffer.alloc(9_000, index)))
  for (const body of bodies) await recorder.append([entry({ kind: 'reply', dir: 'out', body })])
  const seal = await recorder.seal('closed')
  assert.equal(seal.frameCount, bodies.length)
  assert.ok(seal.chunkCount > 2)
  const report = await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })
  assert.equal(report.verdict, 'VALID', JSON.stringify(report))
  assert.equal(report.frames, bodies.length)
})

test('appends beside the event loop conflict as others do, and wait for nobody who is dead', async () => {
  await using folder = await recordingFolder()
  const { store, path } = folder
  await store.append('log', 0, Buffer.from('0'))
  for (let size = 1; size < 40; size++) await store.append('log', size, Buffer.from('x'))
  await assert.rejects(store.append('log', 7, Buffer.from('y')), { code: 'STORE_CONFLICT', message: /it has 40 bytes, not 7/ })
  await assert.rejects(store.append('none', 7, Buffer.from('y')), { code: 'STORE_CONFLICT', message: /does not exist/ })
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', 'console.log(process.pid)'])
  await symlink(lockText({ ...OWN_MARK, pid: Number(stdout), started: '1' }, 0), join(path, '.lock-log'))
  await store.append('log', 40, Buffer.from('z'))
  assert.equal(Buffer.from(await store.get('log')).toString(), `0${'x'.repeat(39)}z`)
  assert.ok(!(await readdir(path)).includes('.lock-log'))
})

test('a thread that dies rejects what was asked of it, and the next task begins another', async () => {
  let begun = 0
  const source = (die: boolean): string => `
    const { parentPort } = require('node:worker_threads')
    parentPort.on('message', ({ id }) => { ${die ? 'process.exit(3)' : 'parentPort.postMessage({ id, error: { message: "no room", code: "STORE_FAILED" } })'} })`
  const thread = new SideThread(() => {
    begun += 1
    return new Worker(source(begun === 1), { eval: true })
  })
  const task = { key: 'k', path: '/nowhere/k', position: 1, bytes: Buffer.from('x') }
  await Promise.all([1, 2].map(() => assert.rejects(thread.run('append', task), { message: 'the recorder’s side thread ended' })))
  await assert.rejects(
    thread.run('append', task),
    (error: unknown) => error instanceof ApplianceError && error.code === 'STORE_FAILED' && error.message === 'no room',
  )
  assert.equal(begun, 2)
})

test('a thread that dies in the middle of an append leaves nobody waiting for its lock', async () => {
  await using folder = await recordingFolder()
  const { store, path } = folder
  await store.append('log', 0, Buffer.from('0'))
  const lock = join(path, '.lock-log')
  const source = `
    const { parentPort, threadId, workerData } = require('node:worker_threads')
    const { symlinkSync } = require('node:fs')
    parentPort.on('message', () => {
      symlinkSync(workerData.replace('THREAD', threadId), ${JSON.stringify(lock)})
      process.exit(3)
    })`
  const text = lockText(OWN_MARK, 987_654_321).replace('987654321', 'THREAD')
  const thread = new SideThread(() => new Worker(source, { eval: true, workerData: text }))
  const task = { key: 'log', path: join(path, 'log'), position: 1, bytes: Buffer.from('1') }
  await assert.rejects(thread.run('append', task), { message: 'the recorder’s side thread ended' })
  await store.append('log', 1, Buffer.from('1'))
  assert.equal(Buffer.from(await store.get('log')).toString(), '01')
  // What another thread of this process holds is nobody's to free.
  await symlink(lockText(OWN_MARK, 0), lock)
  await assert.rejects(thread.run('append', task))
  assert.ok((await readdir(path)).includes('.lock-log'))
})
