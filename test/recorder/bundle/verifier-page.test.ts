import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import { startBrowser } from '../../support/browser.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
import { Gallery } from '../../support/verifiers.ts'

const TIMEOUT_MS = 180_000

test('the verifier as a page, opened from a folder: a store chosen is VALID, one byte flipped is INVALID and the frame is named', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  await using browser = await startBrowser(t)
  if (browser === undefined) return
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  const room = await folder.room({ store, ledger, codec: 'store' })
  const { info, recorder } = await room.open(START)
  for (const text of ['select 1', 'select 2', 'select 3'])
    await recorder.append([entry({ body: Buffer.from(text) })], { durable: true })
  await recorder.seal('client.left')
  await room.close()
  await ledger.close()

  using gallery = new Gallery([folder.signer])
  const path = gallery.add(store.objects)
  const { page, problems } = await browser.open()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  const url = pathToFileURL(gallery.pagePath()).href
  await page.goto(url)
  const verdict = async (): Promise<readonly [verdict: string, text: string]> => {
    await page.locator('body:not([data-verdict=""])[data-verdict]').waitFor()
    return [(await page.locator('body').getAttribute('data-verdict')) ?? '', (await page.getByRole('status').textContent()) ?? '']
  }
  const choose = async (chosen: string): Promise<readonly [verdict: string, text: string]> => {
    await page.reload()
    await page.getByRole('textbox').fill(readFileSync(gallery.keys, 'utf8'))
    await page.locator('#folder').setInputFiles(chosen)
    return verdict()
  }
  const [good, told] = await choose(path)
  assert.equal(good, 'VALID', told)
  assert.match(told, new RegExp(info.id))

  const segment = join(path, tapeKeys.segment(info.id, 0))
  const bytes = readFileSync(segment)
  const at = bytes.indexOf('select 2')
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(segment, bytes)
  const [bad, why] = await choose(path)
  assert.equal(bad, 'INVALID', why)
  assert.match(why, /INVALID {2}frames: the frame is not the one that was signed \(frame 1, chunk 1,/)
  const [alone] = await choose(join(path, 'tapes', info.id))
  assert.equal(alone, 'INVALID')

  assert.deepEqual(problems, [])
  assert.deepEqual(
    asked.filter((one) => one !== url),
    [],
    'it asks nobody for anything',
  )
})
