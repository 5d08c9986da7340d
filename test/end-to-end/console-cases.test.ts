import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { StoreLedger } from '../../recorder/index.ts'
import { keepPolicy } from '../../recorder/policy-texts.ts'
import { type ApiRig, apiRig, keyOf, type Name } from '../support/api.ts'
import { PAGES, startBrowser, type TestBrowser, type Watched } from '../support/browser.ts'
import { COMPLETE } from '../support/recorded-session.ts'
import { entry, START } from '../support/recording.ts'

const HOSTILE = '<img src=x onerror=alert(1)>'

async function record(
  { room }: ApiRig,
  statements: readonly (readonly [sql: string, table: string, rows: number])[],
): Promise<string> {
  const { info, recorder } = await room.open(START)
  for (const [at, [sql, table, rows]] of statements.entries()) {
    const facts = { statement: at + 1, relations: [table], fingerprint: sql.replaceAll(/\d+/g, '?') }
    await recorder.append([
      entry({
        ...{ kind: 'query', body: serialize.query(sql), facts },
        ...(sql.startsWith('DROP') ? { verdict: { act: 'allow', rules: ['pg.no-drop'], policy: 'abababababab' } as const } : {}),
      }),
      entry({
        dir: 'out',
        kind: 'reply',
        body: COMPLETE,
        facts: { statement: at + 1, rows, tag: `SELECT ${rows}`, status: 'I' },
      }),
    ])
  }
  await recorder.seal('client.left')
  return info.id
}

async function signedIn(
  browser: TestBrowser,
  origin: string,
  name: Name,
  width = 1360,
  colorScheme: 'dark' | 'light' = 'dark',
): Promise<Watched> {
  const seen = await browser.open({ width, colorScheme })
  await seen.page.goto(origin)
  await seen.page.getByLabel('Access key').fill(keyOf(name))
  await seen.page.getByRole('button', { name: 'Sign in' }).click()
  await seen.page.getByRole('heading', { name: 'Sessions' }).waitFor()
  return seen
}

test('gathering evidence and who looked at it, in Chromium', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using rig = await apiRig({ pages: PAGES })
  const one = await record(rig, [
    ['SELECT * FROM orders WHERE id = 7', 'orders', 1],
    ['SELECT * FROM customers', 'customers', 4_000],
  ])
  const other = await record(rig, [
    ['SELECT * FROM orders WHERE id = 9', 'orders', 1],
    [`SELECT '${HOSTILE}'`, 'notes', 1],
  ])
  const ledger = await StoreLedger.open({
    store: rig.folder.store,
    gateway: 'gw1-cli',
    signer: rig.folder.signer,
    publish: false,
  })
  await ledger.append({ type: 'evidence.view', actor: 'ivan', proof: 'key:k', what: HOSTILE, session: one })
  const run = { type: 'evidence.verify', actor: 'cron', proof: 'os', with: 'command line', problems: 0 } as const
  await ledger.append({ ...run, verdict: 'VALID', tapes: 2 })
  await ledger.append({ ...run, verdict: 'INVALID', problems: 1, session: one })
  await ledger.append({ type: 'hold.set', actor: 'audrey', proof: 'key:k', session: one, matter: 'case-1', reason: 'audit' })
  await ledger.close()
  await rig.catalog.settle()
  const origin = `http://127.0.0.1:${rig.server.port}`
  const ivan = await signedIn(browser, origin, 'ivan')
  const { page } = ivan
  const folder = process.env['SALLYPORT_SHOTS']
  const shot = async (name: string, of = page): Promise<void> => {
    if (folder !== undefined) await of.screenshot({ path: `${folder}/${name}.png` })
  }

  await t.test('a frame is bookmarked by a key, into a new case, with a note', async () => {
    const noted = page.waitForResponse((response) => response.url().endsWith(`/sessions/${one}/verification`))
    await page.goto(`${origin}/sessions/${one}#frame=2`)
    await page.locator('.frame.current', { hasText: 'customers' }).waitFor()
    assert.equal((await noted).status(), 200)
    const { actor, session, verdict } = rig.notes.findLast(({ type }) => type === 'evidence.verify') ?? {}
    assert.deepEqual([actor, session, verdict], ['ivan', one, 'VALID'])
    await page.keyboard.press('m')
    const dialog = page.getByRole('dialog', { name: 'Bookmark this frame' })
    await dialog.getByLabel('Note').fill('never mind')
    // Closed and wanted again before the page has heard of the one.
    await page.evaluate(`document.querySelector('dialog[open]').close()
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'm', bubbles: true }))`)
    await dialog.getByLabel('Where').selectOption('new')
    await dialog.getByLabel('Note').fill(`all of them ${HOSTILE}`)
    await dialog.getByRole('button', { name: 'Add' }).click()
    await dialog.getByText('needs a title').waitFor()
    await dialog.getByLabel('Title').fill('Customers')
    await dialog.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('button', { name: 'Bookmarks 1' }).click()
    await page.locator('.bookmark-list', { hasText: HOSTILE }).waitFor()
    assert.equal(await page.locator('.bookmark-list img').count(), 0)
    assert.deepEqual(await ivan.axe(), [])
    await shot('bookmarks')
  })

  await t.test('a case leads back to the frame, takes notes, and is closed with a reason', async () => {
    await page.locator('.bookmark-list').getByRole('link', { name: 'Customers' }).click()
    await page.getByRole('heading', { name: 'Customers' }).waitFor()
    await page.getByLabel('Note', { exact: true }).fill('Asked the team: nobody knows why.')
    await page.getByRole('button', { name: 'Add the note' }).click()
    await page.locator('.case-note', { hasText: 'nobody knows' }).waitFor()
    await page.getByText('Take the bookmarked frames out').click()
    await page.getByText(`sallyport excerpt ${one} --frames 2`).waitFor()
    assert.deepEqual(await ivan.axe(), [])
    await shot('case')
    await page.getByLabel('Reason').fill('a report that marketing wanted')
    await page.getByRole('button', { name: 'Close the case' }).click()
    await page.locator('.case-note', { hasText: 'Closed: a report' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Take out' }).count(), 0)
    await page.getByRole('link', { name: 'frame 2' }).click()
    await page.locator('.frame.current', { hasText: 'customers' }).waitFor()
    assert.deepEqual(
      rig.notes.filter(({ type }) => type === 'case.change').map(({ act }) => act),
      ['create', 'add', 'note', 'close'],
    )
  })

  await t.test('two sessions side by side: what both did, what one alone touched', async () => {
    await page.getByRole('link', { name: 'Compare' }).click()
    await page.locator('.hit .row-link').first().click()
    await page.getByText('1 in common, 2 in one alone').waitFor()
    const rows = page.locator('.compare-table tbody tr')
    assert.deepEqual(await rows.evaluateAll((all) => all.map((row) => row.className)), ['', 'only-left', 'only-right'])
    await page.locator('.alone', { hasText: 'customers' }).waitFor()
    assert.equal(await page.locator('.compare img').count(), 0)
    assert.deepEqual(await ivan.axe(), [])
    await shot('compare')
  })

  await t.test('custody of a session, for who may see it; of everything for an auditor', async () => {
    await page.goto(`${origin}/evidence`)
    await page.getByText('Name a session').waitFor()
    await page.goto(`${origin}/sessions/${one}`)
    await page.getByRole('link', { name: 'Custody' }).click()
    await page.locator('.custody-table tr', { hasText: HOSTILE }).waitFor()
    assert.equal(await page.locator('.custody-table img').count(), 0)
    // Of this session alone, and of everything for an auditor.
    assert.equal(await page.locator('.runs-card tbody tr').count(), 1)
    assert.deepEqual(await ivan.axe(), [])
    const audrey = await signedIn(browser, origin, 'audrey')
    await audrey.page.goto(`${origin}/evidence?act=kept`)
    await audrey.page.locator('.custody-table tr', { hasText: 'held or deleted' }).waitFor()
    await audrey.page.locator('.ledger-card', { hasText: 'case-1' }).waitFor()
    await audrey.page.locator('.runs-card tr', { hasText: '2 tapes and the ledger' }).getByText('VALID').waitFor()
    assert.equal(await audrey.page.locator('.runs-card tr', { hasText: 'INVALID' }).count(), 1)
    assert.deepEqual(await audrey.axe(), [])
    await shot('evidence', audrey.page)
    await audrey.page.getByLabel('Who').fill('nobody-*')
    await audrey.page.getByRole('button', { name: 'Show' }).click()
    await audrey.page.getByText('The ledger has no such entry').waitFor()
    assert.match(audrey.page.url(), /actor=nobody-\*|actor=nobody-%2A/)
    assert.deepEqual(audrey.problems, [])
  })

  await t.test('a search is saved for everybody, and found by others', async () => {
    await page.goto(`${origin}/sessions?q=verdict:block`)
    await page.getByRole('button', { name: 'Saved' }).click()
    await page.getByLabel('Save verdict:block as').fill('Blocked ones')
    await page.getByLabel('for everybody').check()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('link', { name: 'Blocked ones' }).waitFor()
    assert.deepEqual(await ivan.axe(), [])
    const gina = await signedIn(browser, origin, 'gina')
    await gina.page.getByRole('button', { name: 'Saved 1' }).click()
    await gina.page.getByRole('link', { name: 'Blocked ones' }).click()
    await gina.page.waitForURL(/q=verdict/)
    assert.deepEqual(gina.problems, [])
  })

  await t.test('the policy in force, what its rules hit, what changed, and what it says of a command', async () => {
    await record(rig, [
      ['DROP TABLE carts', 'carts', 0],
      ['DROP TABLE notes', 'notes', 0],
    ])
    const texts = [
      { rules: [{ action: 'block', id: 'pg.no-drop', reason: 'no table is dropped here' }] },
      { rules: [{ action: 'hold', id: 'pg.no-drop', match: { verb: 'DROP' }, reason: `somebody looks first ${HOSTILE}` }] },
    ].map((content) => JSON.stringify(content))
    const [before = '', inForce = ''] = texts.map((text) => createHash('sha256').update(text).digest('hex'))
    await keepPolicy(rig.folder.store, { hash: before, text: texts[0] ?? '' })
    await keepPolicy(rig.folder.store, { hash: inForce, text: texts[1] ?? '' })
    // After the sessions, which tell of a policy of their own.
    const rules = await StoreLedger.open({
      store: rig.folder.store,
      gateway: 'gw1-rules',
      signer: rig.folder.signer,
      publish: false,
    })
    await rules.append({ type: 'policy.activate', policy: before })
    await rules.append({ type: 'policy.activate', policy: inForce, previous: before, by: 'file:ops', request: 'A-12345678' })
    await rules.close()
    await rig.catalog.settle()
    for (const [width, scheme] of [
      [1360, 'dark'],
      [390, 'light'],
    ] as const) {
      const audrey = await signedIn(browser, origin, 'audrey', width, scheme)
      const policies = audrey.page
      await policies.goto(`${origin}/policy`)
      await policies.locator('.policy-hash', { hasText: inForce }).waitFor()
      const hits = policies.locator('.policy-rules tr', { hasText: 'pg.no-drop' }).getByRole('link', { name: '2', exact: true })
      await hits.waitFor()
      await policies.getByRole('button', { name: 'What changed' }).click()
      await policies.locator('.policy-come', { hasText: 'somebody looks first' }).waitFor()
      await policies.locator('.policy-gone', { hasText: 'no table is dropped here' }).waitFor()
      await policies.getByRole('textbox', { name: 'Target' }).fill('shop')
      await policies.getByRole('textbox', { name: 'Command' }).fill('DROP TABLE customers')
      await policies.getByRole('button', { name: 'Judge it' }).click()
      await policies.locator('.policy-tried .rule', { hasText: 'pg.no-drop' }).waitFor()
      assert.equal(await policies.locator('.policy img').count(), 0)
      await shot(`policy-${scheme}`, policies)
      assert.deepEqual(await audrey.axe(), [])
      await hits.click()
      await policies.waitForURL(/search\?q=rule/)
      await policies.locator('.hit', { hasText: 'DROP TABLE carts' }).waitFor()
      assert.deepEqual(audrey.problems, [])
    }
  })

  await t.test('every page has its keys, by ?', async () => {
    for (const path of ['/sessions', '/search', '/findings', '/approvals', '/cases', '/evidence']) {
      await page.goto(origin + path)
      await page.locator('main h1').first().waitFor()
      await page.locator('main').click({ position: { x: 2, y: 2 } })
      await page.keyboard.press('?')
      await page.getByRole('dialog').getByRole('heading', { name: 'Keyboard' }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })
    }
  })

  await t.test('arrows go from session to session, from the page and from the filter, and back', async () => {
    await page.goto(`${origin}/sessions`)
    const link = (index: number) => page.locator('.srow .row-link').nth(index)
    await link(1).waitFor()
    const at = (): Promise<unknown> =>
      page.evaluate('document.activeElement.getAttribute("href") ?? document.activeElement.className')
    const [first, second] = [await link(0).getAttribute('href'), await link(1).getAttribute('href')]
    await page.keyboard.press('ArrowDown')
    assert.equal(await at(), first)
    await page.keyboard.press('ArrowDown')
    assert.equal(await at(), second)
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('ArrowUp')
    assert.equal(await at(), 'filter')
    await page.keyboard.press('ArrowDown')
    assert.equal(await at(), first)
    // What is typed into the filter is not left by them.
    await page.keyboard.press('/')
    await page.keyboard.type('verdict:block')
    await page.keyboard.press('ArrowDown')
    assert.equal(await at(), 'filter')
  })

  await t.test('narrow, verdicts and counts are in sight; a long title is whole', async () => {
    const phone = await signedIn(browser, origin, 'audrey', 390, 'light')
    const within = async (selector: string): Promise<boolean> => {
      const box = await phone.page.locator(selector).first().boundingBox()
      return box !== null && box.x >= 0 && box.x + box.width <= 390
    }
    await phone.page.goto(`${origin}/evidence`)
    await phone.page.locator('.runs-card tbody tr').first().waitFor()
    assert.ok(await within('.runs-card td:last-child .mark'))
    await phone.page.goto(`${origin}/search?q=customers`)
    await phone.page.locator('.facet').first().waitFor()
    assert.ok(await within('.facet'))
    const title = `${'What was taken of the customers '.repeat(4)}and by whom`
    const { id } = (await (await rig.as('ivan')).ask('/cases', { body: { title } })).json
    await page.goto(`${origin}/cases/${id}`)
    for (const selector of ['.request h2', '.request-row.current b']) {
      await page.locator(selector, { hasText: 'by whom' }).waitFor()
      const cut = await page.locator(selector).evaluate((shown) => shown.scrollWidth > shown.clientWidth && shown.clientWidth > 0)
      assert.equal(cut, false, selector)
    }
    assert.ok(((await page.locator('.request-row.current').boundingBox())?.height ?? 0) > 50)
    assert.deepEqual(phone.problems, [])
  })

  await t.test('narrow, middling and wide, dark and light: nothing overflows, axe finds nothing', async () => {
    const paths = [
      '/sessions',
      '/search?q=customers',
      '/findings',
      '/approvals',
      '/cases/mine',
      '/evidence',
      '/bundles',
      '/policy',
      `/compare/${one}/${other}`,
      `/sessions/${one}#frame=2`,
    ]
    for (const [width, scheme] of [
      [390, 'light'],
      [768, 'dark'],
      [1360, 'light'],
    ] as const) {
      const audrey = await signedIn(browser, origin, 'audrey', width, scheme)
      for (const path of paths) {
        await audrey.page.goto(origin + path)
        await audrey.page.locator('main h1, main h2').first().waitFor()
        await audrey.page.waitForLoadState('networkidle').catch(() => undefined)
        assert.deepEqual(await audrey.axe(), [], `${path} at ${width}, ${scheme}`)
        const over = await audrey.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        assert.ok(Number(over) <= 0, `${path} at ${width} is ${over} px too wide`)
        if (folder !== undefined) await shot(`w${width}-${path.split(/[/?#]/)[1] ?? ''}`, audrey.page)
      }
      assert.deepEqual(audrey.problems, [])
    }
  })

  assert.deepEqual(ivan.problems, [])
})
