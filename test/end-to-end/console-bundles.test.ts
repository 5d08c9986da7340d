import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyBundleAt } from '../../recorder/bundle/verify-bundle.ts'
import { readGatewayKeys } from '../../recorder/index.ts'
import { startBrowser } from '../support/browser.ts'
import { startConsole } from '../support/console.ts'
import { AUDITOR } from '../support/gateway.ts'

const TIMEOUT_MS = 240_000

test('an auditor makes a bundle in the console: asks for a period, sees it being made, takes the file home, and it verifies', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  await using browser = await startBrowser(t)
  if (browser === undefined) return
  await using rig = await startConsole(t, 'create table t (id int)', {})
  const { gateway, console } = rig
  const watched = await browser.open()
  const { page, problems, axe } = watched
  await page.goto(await console.link(AUDITOR))
  await page.getByRole('link', { name: 'Bundles' }).click()
  await page.getByLabel('From').fill('2026-01-01')
  await page.getByLabel('To, before').fill('2099-01-01')
  await page.getByLabel('Seed').fill('dice 4 2 6')
  await page.getByRole('button', { name: 'Make it' }).click()
  const link = page.getByRole('link', { name: /Download/ })
  await link.waitFor()
  if (process.env['SHOTS'] !== undefined) await page.screenshot({ path: `${process.env['SHOTS']}/bundles.png` })
  assert.deepEqual(await axe(), [])
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  const report = await verifyBundleAt(await download.path(), {
    keys: await readGatewayKeys(`${gateway.folder.path}/data/keys`),
  })
  assert.equal(report.verdict, 'VALID', JSON.stringify(report.problems))
  assert.equal(report.manifest?.sample.seed, 'dice 4 2 6')

  await page.getByLabel('To, before').fill('2025-01-01')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByRole('alert').getByText('the period ends before it begins').waitFor()
  assert.deepEqual(problems, [])
})
