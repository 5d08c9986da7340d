import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import type { Page } from 'playwright-core'
import { startBrowser, type Watched } from '../support/browser.ts'
import { type ConsoleRig, startConsole } from '../support/console.ts'
import { APPROVER } from '../support/gateway.ts'

const SEED = `
create table customers (id int primary key, name text, email text, city text);
insert into customers select n, 'customer ' || n, 'person' || n || '@mail.example', 'Oslo' from generate_series(1, 600) n;
create table stale_carts (id int);
insert into stale_carts select generate_series(1, 40);
`
const POLICY = `
version: 1
defaults:
  approval: { groups: [approvers], count: 1, timeout: 120s }
rules:
  - id: no-drop
    on: postgres
    match: { verb: [DROP] }
    action: block
    reason: dropping is for migrations
  - id: no-where
    on: postgres
    match: { verb: [DELETE, UPDATE], has_where: false }
    action: hold
    reason: DELETE or UPDATE of a whole table
`

/** A connection of the agent, as any driver makes one. */
async function agent({ gateway }: ConsoleRig): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: gateway.port,
    user: 'agent-7',
    password: gateway.folder.keys.agent,
    database: 'shop',
  })
  // Ended from the console in one of the tests.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function signIn(rig: ConsoleRig, watched: Watched): Promise<Page> {
  await watched.page.goto(await rig.console.link(APPROVER.subject))
  await watched.page.getByRole('heading', { name: 'Sessions' }).waitFor()
  return watched.page
}

test('the console, in Chromium, before a real gateway', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using rig = await startConsole(t, SEED, { policy: POLICY })
  const seen = await browser.open()
  const { page } = seen
  const origin = new URL(rig.console.url).origin

  await t.test('a key that is none is refused with a reason, and the form stays', async () => {
    await page.goto(origin)
    await page.getByLabel('Access key').fill('nobody’s')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()
    assert.deepEqual(await seen.axe(), [])
  })

  await t.test('a one-time link signs in once, and leaves the address', async () => {
    const link = await rig.console.link(APPROVER.subject)
    await page.goto(link)
    await page.getByRole('heading', { name: 'Sessions' }).waitFor()
    assert.ok(!page.url().includes('sign-in='), page.url())
    await page.getByText('No session yet').waitFor()
    assert.deepEqual(await seen.axe(), [])
    const other = await browser.open()
    await other.page.goto(link)
    assert.match((await other.page.getByRole('alert').textContent()) ?? '', /used already, or has expired/)
    await other.page.context().close()
  })

  await using connected = { client: await agent(rig), [Symbol.asyncDispose]: () => connected.client.end() }
  const { client } = connected

  await t.test('a session appears while it runs, and its replay goes on with it', async () => {
    await page.locator('.state-live').waitFor()
    await client.query('select id, name, email, city from customers order by id limit 25')
    await page.locator('.row-link').first().click()
    await page.locator('.statement').first().waitFor()
    await page.getByRole('button', { name: 'Following live' }).waitFor()
    // It follows from where it is now, and not from the first frame.
    await page.locator('.frame-head h2', { hasText: /^#[1-9]/ }).waitFor()
    await page.getByRole('button', { name: 'Copy the session’s id' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    assert.ok(page.url().includes(String(await page.evaluate('navigator.clipboard.readText()'))))
    await client.query('select count(*) from customers where city = $1', ['Oslo'])
    await page.locator('.statement', { hasText: 'where city' }).waitFor()
    await page.locator('.badge', { hasText: 'Valid so far' }).waitFor()
    assert.deepEqual(await seen.axe(), [])
  })

  await t.test('it is stepped through by keys, and shows rows with what was masked named', async () => {
    await page.keyboard.press('0')
    await page.keyboard.press('[')
    await page.keyboard.press('Home')
    await page.keyboard.press(']')
    const heading = page.locator('.frame-head h2')
    await page.locator('.frame-head h2', { hasText: 'query' }).waitFor()
    const before = await heading.textContent()
    await page.keyboard.press('.')
    await page.locator('.frame-head h2', { hasText: 'reply' }).waitFor()
    assert.notEqual(await heading.textContent(), before)
    await page.locator('.trow-head', { hasText: 'email' }).waitFor()
    const masked = page.locator('.trow .masked').first()
    assert.match((await masked.textContent()) ?? '', /^\[MASKED:email/)
    assert.match((await masked.getAttribute('title')) ?? '', /^email, masked by \S+/)
    await page.keyboard.press(',')
    await page.locator('.frame-head h2', { hasText: 'query' }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    assert.deepEqual(await seen.axe(), [])
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('kind:query verdict:allow city')
    await page.keyboard.press('Enter')
    await page.getByText('found').waitFor()
    await page.keyboard.press('Escape')
  })

  await t.test('a link to a row opens at that row, for whoever may see it', async () => {
    await page.keyboard.press('Home')
    await page.keyboard.press(']')
    await page.keyboard.press('.')
    await page.locator('.trow', { hasText: 'customer 7' }).first().click()
    await page.keyboard.press('c')
    await page.getByRole('button', { name: 'Link copied' }).waitFor()
    const link = String(await page.evaluate('navigator.clipboard.readText()'))
    assert.match(link, /#frame=\d+\.6$/)
    const other = await browser.open({ colorScheme: 'light' })
    await signIn(rig, other)
    await other.page.goto(link)
    await other.page.locator('.trow.current', { hasText: 'customer 7' }).waitFor()
    assert.deepEqual(await other.axe(), [])
    assert.deepEqual(other.problems, [])
    await other.page.context().close()
  })

  await t.test('decoded, hex and raw point at the same bytes', async () => {
    await page.keyboard.press('b')
    await page.locator('.field', { hasText: 'column 2' }).first().click()
    await page.locator('.hex-bytes .picked').first().waitFor()
    assert.match((await page.locator('.raw .picked').first().textContent()) ?? '', /name|·/)
    assert.deepEqual(await seen.axe(), [])
    await page.keyboard.press('b')
  })

  await t.test('a held DELETE is approved in the page, once, and the client goes on', async () => {
    const held = client.query('delete from stale_carts')
    await page.getByRole('link', { name: /Approvals/ }).click()
    await page.locator('.request-row', { hasText: 'delete from stale_carts' }).waitFor()
    const twin = await browser.tab(seen)
    await twin.page.goto(`${origin}/approvals`)
    await twin.page.getByRole('button', { name: /^Approve/ }).waitFor()
    assert.match((await page.locator('.command').textContent()) ?? '', /The whole command, \d+ characters/)
    assert.deepEqual(await seen.axe(), [])
    await page.getByRole('button', { name: /^Approve/ }).click()
    assert.equal((await held).rowCount, 40)
    // The other tab is told without being asked.
    await twin.page.locator('.request h2 .mark-a-consumed').waitFor()
    assert.equal(await twin.page.getByRole('button', { name: /^Approve/ }).count(), 0)
    assert.deepEqual(twin.problems, [])
    await twin.page.close()
  })

  await t.test('a rejection needs its reason, and the client is told it', async () => {
    const refused = client.query('update customers set city = null').then(
      () => 'went through',
      (error: Error) => error.message,
    )
    await page.locator('.request-row', { hasText: 'update customers' }).click()
    assert.ok(await page.getByRole('button', { name: 'Reject' }).isDisabled())
    await page.getByLabel(/^Reason/).fill('not on a Friday')
    await page.getByRole('button', { name: 'Reject' }).click()
    await page.locator('.request .mark-a-rejected').first().waitFor()
    assert.notEqual(await refused, 'went through')
  })

  await t.test('a running session is ended, with a reason', async () => {
    await page.getByRole('link', { name: 'Sessions', exact: true }).click()
    await page.locator('.row-link').first().click()
    await page.getByRole('button', { name: /^End session/ }).click()
    await page.getByLabel(/^Reason/).fill('agent went \u202eastray')
    assert.deepEqual(await seen.axe(), [])
    const told = new Promise<Error>((resolve) => client.once('error', resolve))
    const ended = new Promise((resolve) => client.once('end', resolve))
    await page.getByRole('button', { name: 'End session', exact: true }).click()
    await ended
    await page.locator('.state-sealed').waitFor()
    await page.getByRole('button', { name: 'Integrity: VALID', exact: true }).waitFor()
    // Who ended it is told to the client, and by the recording.
    const words = `${APPROVER.subject} ended this session: agent went \\u{202e}astray`
    assert.equal((await told).message, words)
    await page.reload()
    await page.locator('.narrative li', { hasText: words }).waitFor({ state: 'attached' })
  })

  await t.test('filters stand in the address, and a wrong one says what is wrong', async () => {
    await page.goto(`${origin}/sessions?q=verdict%3Ahold`)
    await page.locator('.row-link').first().waitFor()
    await page.goto(`${origin}/sessions?q=identity%3Anobody-*`)
    await page.getByText('No session matches').waitFor()
    await page.goto(`${origin}/sessions?q=colour%3Ared`)
    assert.match((await page.getByRole('alert').textContent()) ?? '', /colour: is not known here/)
  })

  await t.test('narrow and light, it is as accessible', async () => {
    const phone = await browser.open({ colorScheme: 'light', width: 420 })
    await signIn(rig, phone)
    assert.deepEqual(await phone.axe(), [])
    await phone.page.locator('.row-link').first().click()
    await phone.page.locator('.frame').first().waitFor()
    assert.deepEqual(await phone.axe(), [])
    await phone.page.goto(`${origin}/approvals`)
    await phone.page.locator('.request-row').first().waitFor()
    assert.deepEqual(await phone.axe(), [])
    assert.deepEqual(phone.problems, [])
  })

  await t.test('signed out, nothing is shown any more', async () => {
    const twin = await browser.tab(seen)
    await twin.page.goto(`${origin}/sessions`)
    await twin.page.locator('.row-link').first().waitFor()
    // The list by keys: into it from anywhere, and from row to row.
    await twin.page.keyboard.press('/')
    assert.equal(await twin.page.evaluate('document.activeElement.className'), 'filter')
    await twin.page.locator('#sessions-list .vl-scroll').focus()
    await twin.page.keyboard.press('ArrowDown')
    await twin.page.locator('.row-link:focus').waitFor()
    const kept = await page.evaluate(`(async () => {
      const { sessions } = await (await fetch('/api/v1/sessions')).json()
      const path = '/api/v1/sessions/' + sessions.find(({ state }) => state !== 'live').id + '/objects/0000.tape'
      const answer = await fetch(path)
      await answer.arrayBuffer()
      return [path, answer.status, answer.headers.get('cache-control')]
    })()`)
    assert.ok(Array.isArray(kept))
    const [path, ...told] = kept
    assert.deepEqual(told, [200, 'private, max-age=31536000, immutable'])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Access key').waitFor()
    // Nor of what the browser keeps, to whoever is next at it.
    assert.equal(await page.evaluate(`fetch(${JSON.stringify(path)}).then(({ status }) => status)`), 401)
    // Nor in the other tab, whose next question says so.
    await twin.page.getByRole('link', { name: /Approvals/ }).click()
    await twin.page.getByText('Your sign-in has ended').waitFor()
    assert.equal(await twin.page.locator('.request-row, .row-link').count(), 0)
    assert.deepEqual(twin.problems, [])
    await twin.page.close()
    await page.goto(`${origin}/sessions`)
    await page.getByLabel('Access key').waitFor()
  })

  assert.deepEqual(seen.problems, [])
})
