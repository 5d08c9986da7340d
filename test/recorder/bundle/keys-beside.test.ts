import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, type TestContext, test } from 'node:test'
import { makeExcerpt, verifyPath } from '../../../recorder/index.ts'
import { readKeyFile } from '../../../recorder/tape/signer-file.ts'
import { encodeExcerpt } from '../../../schemas/excerpt.ts'
import { MAX_KEYS_SIZE } from '../../../schemas/gateway-keys.ts'
import type { Verification } from '../../../schemas/verification.ts'
import { clientHere } from '../../support/clients.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'

const KEYS = 'keys/gateway.pub'

let folder: RecordingFolder
let gallery: Gallery
let session: string
const store = new MemoryStore()

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  const room = await folder.room({ store, codec: 'gzip' })
  const { info, recorder } = await room.open(START)
  session = info.id
  await recorder.append([entry({ body: Buffer.from('select 1') })], { durable: true })
  await recorder.seal('client.left')
  await room.close()
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

/** A data folder with its keys, and an excerpt in it. */
async function evidence(): Promise<string> {
  const objects = new Map(store.objects)
  objects.set(KEYS, readFileSync(gallery.keys))
  objects.set('one.excerpt.json', Buffer.from(encodeExcerpt(await makeExcerpt(store, session, [[0, 0]]))))
  return gallery.add(objects)
}

function programs(t: TestContext): (readonly [string, ...string[]])[] {
  const python = clientHere(t, 'python3')
  const own = [process.execPath, gallery.singleFilePath()] as const
  return python === undefined ? [own] : [own, [python, '-B', PYTHON_VERIFIER]]
}

/** What each says by the keys beside the tapes. */
async function byKeysBeside(t: TestContext, path: string): Promise<Verification[]> {
  const results = [await verifyPath(path)]
  for (const [program, ...args] of programs(t)) {
    const { stdout, stderr } = spawnSync(program, [...args, '--json', path], { encoding: 'utf8', timeout: 60_000 })
    assert.equal(stderr, '')
    results.push(JSON.parse(stdout))
  }
  return results
}

test('keys beside tapes are a regular file in a real folder: what a link leads to, and a pipe, is none of them', async (t) => {
  const moved = (key: string) => (path: string) => {
    renameSync(join(path, key), `${path}-moved`)
    symlinkSync(`${path}-moved`, join(path, key))
  }
  const replaced = (put: (file: string) => void) => (path: string) => {
    rmSync(join(path, KEYS))
    put(join(path, KEYS))
  }
  const rows: readonly (readonly [name: string, change: (path: string) => void, found: boolean])[] = [
    ['as it is', () => {}, true],
    ['the folder of keys is a link', moved('keys'), false],
    ['the file of keys is a link', moved(KEYS), false],
    ['the file of keys is a pipe', replaced((file) => assert.equal(spawnSync('mkfifo', [file]).status, 0)), false],
    ['the file of keys is a folder', replaced((file) => mkdirSync(file)), false],
  ]
  for (const [name, change, found] of rows) {
    const path = await evidence()
    change(path)
    for (const at of ['', `tapes/${session}`, 'one.excerpt.json'])
      for (const { verdict, trust } of await byKeysBeside(t, join(path, at)))
        assert.deepEqual([verdict, trust], found ? ['VALID', 'beside'] : ['UNVERIFIABLE', 'none'], `${name}: ${at}`)
  }
})

test('a file of keys has at most 1 MiB: what is larger is not read, and there is no verdict by it', async (t) => {
  const path = await evidence()
  const file = join(path, KEYS)
  const line = readFileSync(file, 'utf8')
  writeFileSync(file, `${line}#${'x'.repeat(MAX_KEYS_SIZE - line.length - 1)}`)
  for (const { verdict, trust } of await byKeysBeside(t, path)) assert.deepEqual([verdict, trust], ['VALID', 'beside'])
  await readKeyFile(file)

  // What comes out of a pipe, as a shell makes one of a command, has no size to go by, nor has a device that never ends.
  const pipe = join(path, 'pipe')
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0)
  const reads: readonly [string, (from: string) => unknown][] = [
    ['sallyport verify', (from) => readKeyFile(from)],
    ...programs(t).map(([program, ...args]): [string, (from: string) => unknown] => [
      program,
      async (from) => {
        const child = spawn(program, [...args, '--json', '--trust', from, path], { stdio: ['ignore', 'pipe', 'pipe'] })
        const [said, stderr] = await Promise.all([child.stdout, child.stderr].map((stream) => text(stream)))
        if (child.exitCode === null) await once(child, 'exit')
        if (child.exitCode !== 0) throw new Error(stderr)
        assert.equal(JSON.parse(said ?? '').trust, 'given')
      },
    ]),
  ]
  for (const [name, read] of reads) {
    const writing = writeFile(pipe, line)
    await read(pipe)
    await writing
    await assert.rejects(async () => read('/dev/zero'), /more than 1048576 bytes/, name)
  }

  writeFileSync(file, 'x', { flag: 'a' })
  await assert.rejects(verifyPath(path), { code: 'CONFIG_INVALID', message: /more than 1048576 bytes/ })
  await assert.rejects(readKeyFile(file), { code: 'CONFIG_INVALID' })
  for (const [program, ...args] of programs(t)) {
    const beside = spawnSync(program, [...args, '--json', path], { encoding: 'utf8' })
    const { error, verdict } = JSON.parse(beside.stdout)
    assert.deepEqual([beside.status, verdict], [1, undefined])
    assert.match(error, /keys\/gateway\.pub has .*bytes: it is no file of public keys/)
    const named = spawnSync(program, [...args, '--json', '--trust', file, dirname(path)], { encoding: 'utf8' })
    assert.deepEqual([named.status, named.stdout], [2, ''])
    assert.match(named.stderr, /has .*bytes: it is no file of public keys/)
  }
})
