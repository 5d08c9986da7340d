import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openTape } from '../../recorder/index.ts'
import { verifyTape } from '../../recorder/tape/verify.ts'
import { type RecordingFolder, recordingFolder, START } from '../support/recording.ts'

const CHILD = fileURLToPath(new URL('./recorder-child.ts', import.meta.url))

/** Runs the child on the folder, kills it when it has printed `printed` bytes; resolves with its sessions and the last accepted number. */
async function recordUntilKilled(
  folder: RecordingFolder,
  printed: number,
  sizes: string,
): Promise<{ readonly ids: readonly string[]; readonly last: number }> {
  const child = spawn(process.execPath, [CHILD, folder.path, sizes], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.length > printed) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  assert.equal(child.signalCode, 'SIGKILL')
  // The last line may be cut.
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n')
  return { ids: (lines[0] ?? '').split(' '), last: Number(lines.at(-1)) }
}

for (const [printed, sizes] of [
  [70, '300'],
  [2_000, '300,70000,0'],
  [20_000, '40,1000'],
  [150, '1500000,10'],
] as const) {
  test(`after SIGKILL everything accepted is there, each frame once (bodies ${sizes}, after ${printed} bytes of answers)`, async () => {
    await using folder = await recordingFolder()
    const { ids, last } = await recordUntilKilled(folder, printed, sizes)
    const room = await folder.room({ gateway: 'gw2' })
    const report = await room.recover()
    assert.deepEqual(report.problems, [])
    assert.deepEqual(report.sessions.map(({ id }) => id).sort(), [...ids].sort())
    const seen = new Set<unknown>()
    for (const id of ids) {
      const tape = await openTape(folder.store, id)
      assert.equal(tape.state, 'recovered')
      let next = 0
      for await (const frame of tape.frames()) {
        assert.equal(frame.seq, next)
        next += 1
        const index = frame.facts['index']
        if (index !== undefined) {
          assert.ok(!seen.has(index))
          seen.add(index)
        }
        assert.ok(frame.body?.every((byte) => index === undefined || byte === Number(index) % 256))
      }
      const result = await verifyTape(folder.store, id, { gatewayKeys: [folder.signer] })
      assert.equal(result.verdict, 'VALID-INCOMPLETE', JSON.stringify(result.problems))
      assert.equal(result.state, 'recovered')
      assert.equal(result.frames, next)
      assert.equal(result.recovered?.last ?? next - 1, next - 1)
    }
    for (let index = 0; index <= last; index += 1) assert.ok(seen.has(index), `append ${index} was accepted and is not there`)
    assert.deepEqual(await readdir(join(folder.path, 'spool')), ['gw2'])
    assert.deepEqual(await room.recover(), { sessions: [], problems: [] })
  })
}

test('the gateway that comes back takes up its own spool, and its numbers go on without a gap', async () => {
  await using folder = await recordingFolder()
  const { ids } = await recordUntilKilled(folder, 500, '300')
  const room = await folder.room()
  assert.equal((await room.recover()).sessions.length, ids.length)
  const { info } = await room.open(START)
  assert.equal(info.number, 3)
})

test('recovery leaves the spool of a live process alone', async () => {
  await using folder = await recordingFolder()
  const child = spawn(process.execPath, [CHILD, folder.path, '300'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.resume()
    const room = await folder.room({ gateway: 'gw2' })
    assert.deepEqual(await room.recover(), { sessions: [], problems: [] })
    assert.ok((await readdir(join(folder.path, 'spool', 'gw1'))).includes('lock'))
  } finally {
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
  }
})
