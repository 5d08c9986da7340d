import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyBundleAt } from '../../recorder/bundle/verify-bundle.ts'
import { readGatewayKeys, readLines } from '../../recorder/index.ts'
import { startBrowser } from '../support/browser.ts'
import { startConsole } from '../support/console.ts'
import { AUDITOR } from '../support/gateway.ts'
import { storeOf } from '../support/tapes.ts'

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

  // Every field of the form ends in the manifest, and its reason in the ledger.
  await page.getByLabel('Framework').selectOption('pci')
  await page.getByLabel('Sample').fill('7')
  await page.getByLabel('Seed').fill('another')
  await page.getByLabel('Only targets, with commas').fill('shop')
  await page.getByLabel('Only identities, with commas').fill('nobody@example.com, agent-7')
  await page.getByLabel('Small pack').check()
  await page.getByLabel('Reason').fill('PCI 2026')
  await page.getByRole('button', { name: 'Make it' }).click()
  const second = page.getByRole('link', { name: /Download/ }).nth(1)
  await second.waitFor()
  const [other] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('link', { name: /Download/ })
      .first()
      .click(),
  ])
  const { manifest, verdict } = await verifyBundleAt(await other.path(), {})
  assert.equal(verdict, 'VALID')
  assert.deepEqual(
    [manifest?.framework, manifest?.sample, manifest?.scope],
    ['pci', { seed: 'another', size: 7 }, { target: ['shop'], identity: ['agent-7', 'nobody@example.com'] }],
  )
  assert.deepEqual([manifest?.period.from, manifest?.period.to], ['2026-01-01T00:00:00.000Z', '2099-01-01T00:00:00.000Z'])
  const told: unknown[] = []
  for await (const { entry } of readLines(storeOf(`${gateway.folder.path}/data`)))
    if (entry?.statement.type === 'export.create') told.push(entry.statement['reason'])
  assert.deepEqual(told, [undefined, 'PCI 2026'])

  await page.getByLabel('Only targets, with commas').fill('shpo')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByText('no session of the period is of shpo').waitFor()
  await page.getByLabel('Only targets, with commas').fill('')

  await page.getByLabel('To, before').fill('2025-01-01')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByRole('alert').getByText('the period ends before it begins').waitFor()
  assert.deepEqual(problems, [])
})
