import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { bundleFiles } from '../../../gateway/bundle-files.ts'
import { createBundle } from '../../../recorder/bundle/create-bundle.ts'
import { startBrowser } from '../../support/browser.ts'
import { bundleRig, unpack } from '../../support/bundle-rig.ts'

const TIMEOUT_MS = 180_000

test('an auditor with a browser and nothing else: the player of a bundle opens from its folder, replays and verifies a recording, and asks nobody for anything', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  await using browser = await startBrowser(t)
  if (browser === undefined) return
  await using rig = await bundleRig()
  const made = await createBundle({ ...rig.parts(), files: await bundleFiles() }, rig.wish('play.zip', { sampleSize: 10 }))
  const folder = join(rig.folder.path, 'unpacked')
  await mkdir(folder)
  await unpack(made.path, folder)

  const { page, problems, axe } = await browser.open()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await page.context().setOffline(true)
  const [id = ''] = rig.sealed

  await page.goto(pathToFileURL(join(folder, 'index.html')).href)
  await page.getByRole('link', { name: id, exact: true }).click()
  await page.locator('#folder').setInputFiles(folder)
  // The link named the recording: it is there at once.
  await page
    .getByText('frames verified')
    .or(page.getByText('VALID', { exact: false }))
    .first()
    .waitFor()
  await page.getByText('statement 0').first().waitFor()
  if (process.env['SHOTS'] !== undefined) await page.screenshot({ path: `${process.env['SHOTS']}/player.png` })
  assert.deepEqual(await axe(), [])

  await page.goto(pathToFileURL(join(folder, 'player/player.html')).href)
  await page.reload()
  if (process.env['SHOTS'] !== undefined) await page.screenshot({ path: `${process.env['SHOTS']}/player-choose.png` })
  await page.locator('#archive').setInputFiles(made.path)
  await page.getByRole('link', { name: rig.sealed[1] ?? '', exact: true }).click()
  await page.getByText('statement 0').first().waitFor()

  assert.deepEqual(problems, [])
  assert.deepEqual(
    asked.filter((url) => !url.startsWith('file:') && !url.startsWith('blob:') && !url.startsWith('data:')),
    [],
    'it asks nobody for anything',
  )
})
