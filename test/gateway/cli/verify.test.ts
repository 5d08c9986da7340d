import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Cli } from '../../../gateway/cli/context.ts'
import { verify } from '../../../gateway/cli/verify.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

async function recorded(folder: RecordingFolder): Promise<string> {
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  for (let n = 0; n < 5; n += 1) await recorder.append([entry({ body: Buffer.from(`statement ${n}`) })])
  await recorder.seal('the client left')
  return info.id
}

function terminal(): Cli & { readonly text: () => string } {
  const written: string[] = []
  const out = (text: string): void => void written.push(text)
  return { env: {}, cwd: '/', out, err: out, text: () => written.join('') }
}

test('an untouched tape is VALID, and the output says where the keys came from', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal()
  assert.equal(await verify(folder.path, {}, cli), 0)
  assert.match(cli.text(), new RegExp(`^${id}  VALID  sealed, 5 frames in \\d+ chunks, signed by gw1`))
  assert.match(
    cli.text(),
    /\nledger sallyport\.gw1\/[0-9a-f]{8} {2}VALID {2}2 entries, no checkpoint\nVALID: .* \(1 tape, 5 frames\)\nsignatures were checked with the keys beside the tapes/,
  )
})

test('one flipped bit is INVALID with exit code 20, and the place is named', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const path = join(folder.path, 'tapes', id, '0000.tape')
  const bytes = await readFile(path)
  const at = Math.floor(bytes.length / 2)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  await writeFile(path, bytes)
  const cli = terminal()
  assert.equal(await verify(join(folder.path, 'tapes', id), {}, cli), 20)
  assert.match(cli.text(), /^ {2}INVALID .*(frames? \d+|at byte \d+)/m)
  const json = terminal()
  assert.equal(await verify(folder.path, { json: true }, json), 20)
  assert.equal(JSON.parse(json.text()).verdict, 'INVALID')
})

test('keys of somebody else prove nothing: UNVERIFIABLE, never a pass', async () => {
  await using folder = await recordingFolder()
  await using other = await recordingFolder()
  await recorded(folder)
  const trust = join(folder.path, 'somebody.pub')
  await copyFile(join(other.path, 'keys', 'gateway.pub'), trust)
  assert.equal(await verify(folder.path, { trust }, terminal()), 30)
})

test('where there is no tape it says so instead of passing', async () => {
  await using folder = await recordingFolder()
  await assert.rejects(verify(folder.path, {}, terminal()), { code: 'STORE_MISSING' })
})
