import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { startBrowser } from '../support/browser.ts'
import { startConsole } from '../support/console.ts'
import { APPROVER } from '../support/gateway.ts'
import { PEOPLE } from '../support/gateway-people.ts'
import { receiver } from '../support/receiver.ts'

const SEED = `
create table customers (id int primary key, name text, email text, city text);
insert into customers select n, 'customer ' || n, 'person' || n || '@mail.example', (array['Oslo', 'Ghent'])[1 + n % 2] from generate_series(1, 3000) n;
`
const POLICY = `
version: 1
defaults:
  approval: { groups: [approvers], count: 1, timeout: 120s }
exempt:
  - { who: { kinds: [agent] }, detectors: card }
rules:
  - id: no-drop
    on: postgres
    match: { verb: [DROP] }
    action: block
    reason: dropping is for migrations
`

const PICTURES = process.env['SALLYPORT_PICTURES']

test('search and findings in Chromium, before a real gateway', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using model = await receiver()
  const more = { summary: { url: `${model.url}/v1/chat/completions`, model: 'small' } }
  await using rig = await startConsole(t, SEED, { policy: POLICY, more })
  const card = String(PEOPLE[0]?.card)
  // Five small sessions that take half of the table, and the same rows now and then.
  for (let part = 0; part < 5; part += 1) {
    const client = new Client({
      ...{ host: '127.0.0.1', port: rig.gateway.port, user: 'agent-7', database: 'shop' },
      password: rig.gateway.folder.keys.agent,
    })
    await client.connect()
    await client.query(`select id, name, email, city from customers where id > ${part * 300} order by id limit 320`)
    if (part === 0) {
      // Agents may see cards here, so the recording has it; a model may not.
      await client.query(`select 1 where '${card}' = 'x'`)
      await client.query('drop table customers').catch(() => undefined)
    }
    await client.end()
  }
  const seen = await browser.open()
  const { page } = seen
  await page.goto(await rig.console.link(APPROVER.subject))
  // The catalog has read all five.
  await page.locator('.state-sealed').nth(4).waitFor()
  await page.getByRole('link', { name: 'Search' }).click()
  await page.getByText('Find what was asked').waitFor()
  assert.deepEqual(await seen.axe(), [])
  const picture = async (name: string): Promise<void> => {
    if (PICTURES !== undefined) await page.screenshot({ path: `${PICTURES}/${name}.png` })
  }
  const find = async (words: string): Promise<void> => {
    await page.getByRole('searchbox').fill(words)
    await page.keyboard.press('Enter')
  }

  await t.test('a row of a result is found by what stands in it, and the replay opens at that row', async () => {
    // Until the catalog has read it.
    for (;;) {
      await find('"customer 77" in:result')
      await page.locator('.empty-title, .hit mark').first().waitFor()
      if ((await page.locator('.hit mark').count()) > 0) break
    }
    assert.deepEqual(await seen.axe(), [])
    await picture('search')
    await page.locator('.hit .row-link').last().click()
    await page.locator('.trow.current', { hasText: 'customer 77' }).waitFor()
    assert.match(page.url(), /\/sessions\/\S+#frame=\d+\.76$/)
    await page.goBack()
  })
  await t.test('terms narrow it, and counts add to them', async () => {
    await find('table:customers rows>0')
    await page.locator('.facets').waitFor()
    assert.equal(await page.locator('.hit').count(), 5)
    await find('table:customers')
    await page.locator('.facet', { hasText: 'block' }).click()
    await page.locator('.hit', { hasText: 'drop table customers' }).waitFor()
    assert.equal(await page.locator('.hit').count(), 1)
    await find('colour:red')
    await page.getByRole('alert').getByText('colour: is not known here').waitFor()
    assert.deepEqual(await seen.axe(), [])
  })
  await t.test(
    'a model summarises on demand: it is sent nothing in clear, and what it writes is text, said to be no evidence',
    async () => {
      await find('"drop table customers"')
      await page.locator('.hit .row-link', { hasText: 'drop table' }).click()
      await page.locator('.statement', { hasText: card }).waitFor()
      // A refusal is in it: what happened stands there unasked.
      await page.locator('.narrative li', { hasText: 'Refused' }).waitFor()
      const written = 'It read <img src=x onerror=alert(1)> customers,\nthen tried to drop the table.'
      model.script.push(503, { body: JSON.stringify({ choices: [{ message: { content: written } }] }) })
      const button = page.getByRole('button', { name: 'Have a model summarise it' })
      await button.click()
      await page.getByText('the model that writes summaries did not: answered 503').waitFor()
      await button.click()
      const figure = page.getByRole('figure', { name: 'Written by a model, not evidence' })
      await figure.getByText('<img src=x onerror=alert(1)>').waitFor()
      assert.equal(await figure.locator('img').count(), 0)
      assert.deepEqual(await seen.axe(), [])
      await picture('summary')
      const sent = model.received.map(({ body }) => body)
      assert.equal(sent.length, 2)
      for (const body of sent) {
        assert.ok(body.includes('drop table customers'))
        for (const clear of [card, '@mail.example', 'agent-7', '127.0.0.1']) assert.ok(!body.includes(clear), clear)
      }
      await page.goBack()
    },
  )
  await t.test('stitched pulls are a finding, led back to their frames, judged with a reason', async () => {
    await page.getByRole('link', { name: 'Findings' }).click()
    await page.getByText('Who took the most in the last 7 days').waitFor()
    await page.locator('.totals td', { hasText: 'customers' }).waitFor()
    await picture('findings')
    assert.deepEqual(await seen.axe(), [])
    await page.locator('.request-row', { hasText: 'let through' }).waitFor({ timeout: 90_000 })
    await page.locator('.request-row', { hasText: 'let through' }).click()
    await page.locator('.evidence li').first().waitFor()
    await page.getByRole('button', { name: 'Run the detector again' }).click()
    await page.getByText('The same, to the last number.').waitFor()
    await page.getByRole('textbox', { name: /Reason/ }).fill('a test of ours')
    await page.getByRole('button', { name: 'It is, and may be' }).click()
    await page.getByText('a test of ours').waitFor()
    assert.deepEqual(await seen.axe(), [])
    await picture('finding')
    const link = page.url()
    const light = await browser.open({ colorScheme: 'light' })
    await light.page.goto(await rig.console.link(APPROVER.subject))
    await light.page.getByRole('heading', { name: 'Sessions' }).waitFor()
    await light.page.goto(link)
    await light.page.getByText('a test of ours').waitFor()
    assert.deepEqual(await light.axe(), [])
    await light.page.goto(new URL('/search?q=customer+77', link).href)
    await light.page.locator('.hit').first().waitFor()
    if (PICTURES !== undefined) await light.page.screenshot({ path: `${PICTURES}/search-light.png` })
    assert.deepEqual(await light.axe(), [])
    assert.deepEqual(light.problems, [])
    await light.page.context().close()
    await page.locator('.evidence a').first().click()
    await page.locator('.frame-head h2', { hasText: 'query' }).waitFor()
  })
  assert.deepEqual(seen.problems, [])
})
