import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { ask } from '../recorder/desk/contract.ts'
import { startBrowser } from '../support/browser.ts'
import { startConsole } from '../support/console.ts'
import { APPROVER, HUMAN } from '../support/gateway.ts'

/** Where pictures of the page go, for whoever wants to look at it. */
const PICTURES = process.env['SALLYPORT_PICTURES']
const HOSTILE =
  'delete from people -- \u202eelpoep\u202c \u200bzero\u0007bell\u001b[2J <img src=x onerror=alert(1)> [MASKED:email:7f3a91c204be]'

test('the approvals page: what is asked is shown as it is, glass is broken and reviewed, access asked for and ended', {
  timeout: 240_000,
}, async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  const target = { groups: [], access: { groups: ['developers'], approvers: { groups: [APPROVER.groups[1]] }, max: '2h' } }
  await using rig = await startConsole(t, 'select 1', { breakGlass: ['developers'], target })
  const desk = await rig.gateway.desk()
  const groups = [APPROVER.groups[1]]
  const before = await desk.submit(ask({ approvers: { groups, count: 1 }, facts: { fingerprint: 'f' }, binding: '1'.repeat(64) }))
  await desk.decide(before.id, { act: 'reject', reason: 'use the archive job' }, APPROVER)
  const held = await desk.submit(
    ask({
      command: HOSTILE,
      facts: { verbs: ['DELETE'], relations: ['people'], labels: ['pii.email'], fingerprint: 'f' },
      approvers: { groups, count: 2 },
      binding: '2'.repeat(64),
    }),
  )
  const picture = async (name: string, page: { screenshot(options: object): Promise<unknown> }): Promise<void> => {
    if (PICTURES !== undefined) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true })
  }

  const one = await browser.open({ width: 1360 })
  await one.page.goto(await rig.console.link(HUMAN))
  await one.page.getByRole('heading', { name: 'Sessions' }).waitFor()
  const origin = new URL(rig.console.url).origin
  await one.page.goto(`${origin}/approvals/${held.id}`)
  await one.page.getByRole('button', { name: 'Break the glass' }).waitFor()
  // Looked up after the request itself.
  await one.page.getByText('use the archive job').first().waitFor()
  const shown = (await one.page.locator('.command pre').textContent()) ?? ''
  assert.ok(!/[\u202e\u200b\u0007\u001b]/.test(shown))
  assert.match(shown, /\\u\{202e\}.*\\u\{200b\}.*\\x07.*\\x1b/)
  assert.match(shown, /<img src=x onerror=alert\(1\)>/)
  const text = (await one.page.locator('.request').textContent()) ?? ''
  assert.match(text, /pii\.email/)
  assert.match(text, /Decided before, about the like[\s\S]*use the archive job/)
  await picture('held', one.page)
  await one.page.locator('.request').getByLabel('Reason').first().fill('the site is down')
  await one.page.getByRole('button', { name: 'Break the glass' }).click()
  await one.page.getByText('nobody has reviewed it yet').waitFor()
  const { state, decisions } = await desk.get(held.id)
  assert.deepEqual([state, decisions[0]?.act, decisions[0]?.by], ['approved', 'break-glass', HUMAN])

  const other = await browser.open({ width: 1360 })
  await other.page.goto(await rig.console.link(APPROVER.subject))
  await other.page.getByRole('heading', { name: 'Sessions' }).waitFor()
  await other.page.goto(`${origin}/approvals/${held.id}`)
  await other.page.locator('.request').getByLabel('Reason').first().fill('it was down indeed')
  await picture('broken', other.page)
  await other.page.getByRole('button', { name: 'Write the review' }).click()
  await other.page.getByText('Reviewed by').waitFor()
  assert.equal((await desk.get(held.id)).review?.note, 'it was down indeed')

  // A tab that hears nothing any more decides what another tab decided before it.
  const raced = await desk.submit(ask({ approvers: { groups, count: 1 }, facts: { fingerprint: 'f' }, binding: '4'.repeat(64) }))
  const twin = await browser.tab(other)
  await twin.page.route('**/events', (route) => route.abort())
  for (const { page } of [other, twin]) {
    await page.goto(`${origin}/approvals/${raced.id}`)
    await page
      .locator('.request')
      .getByLabel(/^Reason/)
      .first()
      .fill('not tonight')
  }
  await other.page.locator('.bar .waiting').waitFor()
  assert.equal(await other.page.title(), '(1) Approvals · Sallyport')
  await other.page.getByRole('button', { name: 'Reject', exact: true }).click()
  await other.page.locator('.request h2 .mark-a-rejected').waitFor()
  await twin.page.getByRole('button', { name: /^Approve/ }).click()
  const told = (await twin.page.getByRole('alert').first().textContent()) ?? ''
  assert.match(told, /rejected/)
  await picture('raced', twin.page)
  await twin.page.locator('.request h2 .mark-a-rejected').waitFor()
  assert.deepEqual(
    (await desk.get(raced.id)).decisions.map(({ act }) => act),
    ['reject'],
  )
  await twin.page.close()

  // Somebody who is kept out asks in the form, and gets in for as long as somebody says.
  const knock = async (): Promise<string> => {
    const client = new Client({
      host: '127.0.0.1',
      port: rig.gateway.port,
      user: 'human',
      password: rig.gateway.folder.keys.human,
      database: 'shop',
    })
    try {
      await client.connect()
      return String((await client.query('select 42 as answer')).rows[0].answer)
    } catch (error) {
      return String(error)
    } finally {
      await client.end()
    }
  }
  assert.match(await knock(), /may reach shop once somebody has approved it/)
  await one.page.goto(`${origin}/approvals`)
  await one.page.getByText('Ask for access', { exact: true }).click()
  const form = one.page.locator('.ask-access form')
  assert.match((await form.getByLabel('Target').textContent()) ?? '', /shop \(at most 120 min\)/)
  await form.getByRole('button', { name: 'Ask' }).click()
  assert.deepEqual(
    (await desk.list()).filter(({ about }) => about === 'access'),
    [],
    'nothing is asked for without a reason',
  )
  await form.getByLabel('Minutes').fill('45')
  await form.getByLabel('Reason').fill('ticket 4711 <b>urgent</b>')
  await picture('ask', one.page)
  await form.getByRole('button', { name: 'Ask' }).click()
  await one.page.getByText('for 45 minutes').first().waitFor()
  const [access] = (await desk.list()).filter(({ about }) => about === 'access')
  assert.ok(access)
  assert.deepEqual(
    [access.requester, access.target, access.access, access.command],
    [HUMAN, 'shop', { forMs: 2_700_000 }, 'ticket 4711 <b>urgent</b>'],
  )
  assert.equal(await one.page.getByRole('button', { name: 'Approve: access begins now' }).count(), 0, 'nobody lets themselves in')
  await other.page.goto(`${origin}/approvals/${access.id}`)
  await other.page.getByRole('button', { name: 'Approve: access begins now' }).waitFor()
  await picture('access', other.page)
  await other.page.getByRole('button', { name: 'Approve: access begins now' }).click()
  await other.page.getByRole('button', { name: 'End access now' }).waitFor()
  assert.equal(await knock(), '42')
  await other.page.getByRole('button', { name: 'End access now' }).click()
  await other.page.getByText('withdrawn', { exact: true }).first().waitFor()
  assert.equal((await desk.get(access.id)).withdrawn?.by, APPROVER.subject)
  assert.match(await knock(), /once somebody has approved it/)
  assert.deepEqual([...(await other.axe()), ...one.problems, ...other.problems], [])
})
