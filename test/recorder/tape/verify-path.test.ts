import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { listSessions } from '../../../recorder/tape/reader.ts'
import { verifyPath } from '../../../recorder/tape/verify-path.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

test('a data folder, its tapes, one tape and one of its files are all verified; the worst verdict is the answer', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const ids: string[] = []
  for (let index = 0; index < 3; index += 1) {
    const { info, recorder } = await room.open(START)
    await recorder.append([entry({ body: Buffer.from(`session ${index}`) })])
    if (index < 2) await recorder.seal('client.left')
    ids.push(info.id)
  }
  const states: string[] = []
  for await (const { state } of listSessions(folder.store)) states.push(state)
  assert.deepEqual(states, ['sealed', 'sealed', 'open'])
  const all = await verifyPath(folder.path)
  assert.deepEqual(
    all.tapes.map(({ verdict }) => verdict),
    ['VALID', 'VALID', 'VALID-INCOMPLETE'],
  )
  assert.deepEqual([all.verdict, all.exit, all.trust], ['VALID-INCOMPLETE', 10, 'beside'])
  assert.equal((await verifyPath(join(folder.path, 'tapes'))).tapes.length, 3)
  const one = join(folder.path, 'tapes', ids[0] ?? '')
  assert.equal((await verifyPath(one)).verdict, 'VALID')
  const given = await verifyPath(join(one, '0000.tape'), { gatewayKeys: [folder.signer] })
  assert.deepEqual([given.verdict, given.trust], ['VALID', 'given'])
  const bytes = await readFile(join(one, '0000.tape'))
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(join(one, '0000.tape'), bytes)
  assert.equal((await verifyPath(folder.path)).exit, 20)
  await rm(join(folder.path, 'keys'), { recursive: true })
  const keyless = await verifyPath(join(folder.path, 'tapes', ids[1] ?? ''))
  assert.deepEqual([keyless.verdict, keyless.exit, keyless.trust], ['UNVERIFIABLE', 30, 'none'])
})

test('where there is no tape that is said', async () => {
  await using folder = await recordingFolder()
  for (const path of [folder.path, join(folder.path, 'nothing'), devNull]) {
    await assert.rejects(verifyPath(path), (error) => error instanceof ApplianceError && error.code === 'STORE_MISSING')
  }
})

test('a copy of a session is verified under any name, anywhere; so is a folder of such copies', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const ids: string[] = []
  for (const text of ['one', 'two']) {
    const { info, recorder } = await room.open(START)
    await recorder.append([entry({ body: Buffer.from(text) })])
    await recorder.seal('client.left')
    ids.push(info.id)
  }
  const tape = (index: number): string => join(folder.path, 'tapes', ids[index] ?? '')
  const evidence = join(folder.path, 'evidence for ana')
  await cp(tape(0), join(evidence, 'the one'), { recursive: true })
  const trusted = { gatewayKeys: [folder.signer] }
  const copied = await verifyPath(join(evidence, 'the one'), trusted)
  assert.deepEqual([copied.verdict, copied.tapes[0]?.session], ['VALID', ids[0]])
  assert.equal((await verifyPath(join(evidence, 'the one', '0000.tape'), trusted)).verdict, 'VALID')
  const keyless = await verifyPath(join(evidence, 'the one'))
  assert.deepEqual([keyless.verdict, keyless.trust], ['UNVERIFIABLE', 'none'])
  await cp(tape(1), join(evidence, 'tapes of mine', 'two'), { recursive: true })
  await cp(tape(0), join(evidence, 'tapes of mine', 'one'), { recursive: true })
  await cp(join(folder.path, 'keys'), join(evidence, 'keys'), { recursive: true })
  const both = await verifyPath(join(evidence, 'tapes of mine'))
  assert.deepEqual(
    both.tapes.map(({ session, verdict }) => [session, verdict]),
    [
      [ids[0], 'VALID'],
      [ids[1], 'VALID'],
    ],
  )
  assert.equal(both.trust, 'beside')
  const bytes = await readFile(join(evidence, 'the one', '0000.tape'))
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(join(evidence, 'the one', '0000.tape'), bytes)
  assert.equal((await verifyPath(join(evidence, 'the one'), trusted)).verdict, 'INVALID')
})

test('in a data folder a tape under another session’s name is none of it', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  await rename(join(folder.path, 'tapes', info.id), join(folder.path, 'tapes', `${info.id.slice(0, -1)}0`))
  assert.equal((await verifyPath(folder.path)).verdict, 'INVALID')
})

test('a folder has more copied tapes than a process may have files open', { skip: process.platform === 'win32' }, async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.append([entry({ body: Buffer.from('one') })])
  await recorder.seal('client.left')
  await room.close()
  const copies = join(folder.path, 'copies')
  for (let index = 0; index < 300; index += 1)
    await cp(join(folder.path, 'tapes', info.id), join(copies, `${index}`), { recursive: true })
  const keys = join(folder.path, 'keys', 'gateway.pub')
  const main = join(import.meta.dirname, '../../../gateway/main.ts')
  const command = 'ulimit -n 100 && exec "$0" "$@"'
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', command, process.execPath, main, 'verify', copies, '--json', '--trust', keys],
    { maxBuffer: 1 << 24 },
  )
  const { verdict, tapes } = JSON.parse(stdout) as { readonly verdict: string; readonly tapes: readonly unknown[] }
  assert.deepEqual([verdict, tapes.length], ['VALID', 300])
})
