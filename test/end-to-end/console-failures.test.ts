import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import type { Page, Route } from 'playwright-core'
import type { FindingView } from '../../schemas/api.ts'
import { ask } from '../recorder/desk/contract.ts'
import { type ApiRig, apiRig, keyOf, type Name } from '../support/api.ts'
import { PAGES, startBrowser, type TestBrowser, type Watched } from '../support/browser.ts'
import { COMPLETE } from '../support/recorded-session.ts'
import { entry, START } from '../support/recording.ts'

async function signedIn(browser: TestBrowser, origin: string, name: Name): Promise<Watched> {
  const seen = await browser.open({ width: 1360 })
  seen.page.setDefaultTimeout(12_000)
  await seen.page.goto(origin)
  await seen.page.getByLabel('Access key').fill(keyOf(name))
  await seen.page.getByRole('button', { name: 'Sign in' }).click()
  await seen.page.getByRole('heading', { name: 'Sessions' }).waitFor()
  return seen
}

async function record({ room }: ApiRig, sql: string): Promise<string> {
  const { info, recorder } = await room.open(START)
  await recorder.append([
    entry({ kind: 'query', body: serialize.query(sql) }),
    entry({ dir: 'out', kind: 'reply', body: COMPLETE, facts: { statement: 1, rows: 1, tag: 'SELECT 1', status: 'I' } }),
  ])
  await recorder.seal('client.left')
  return info.id
}

const busy = (route: Route): Promise<void> =>
  route.fulfill({
    status: 503,
    contentType: 'application/problem+json',
    body: JSON.stringify({ code: 'STORE_FAILED', status: 503, title: 'x', detail: 'the catalog is being started' }),
  })

/** What a page says where there is nothing, and may not say where it does not know. */
const NOTHING =
  /Nothing left in|No finding|No open finding|0 requests? waiting|Nothing has been held|No case yet|None was made|None yet|No session|Nothing found|The ledger has no such|No policy/

async function said(page: Page): Promise<string> {
  return String(await page.evaluate('document.querySelector("main").textContent'))
}

test('a page that does not know says so, in Chromium', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using rig = await apiRig({ pages: PAGES })
  const [one, other] = [await record(rig, 'SELECT 1'), await record(rig, 'SELECT 2')]
  await rig.catalog.settle()
  const origin = `http://127.0.0.1:${rig.server.port}`
  const seen = await signedIn(browser, origin, 'audrey')
  const { page } = seen
  const api = (what: string): RegExp => new RegExp(`/api/v1/${what}`)

  await t.test('no page takes a server that fails or is slow for there being nothing, and each asks again', async () => {
    const pages = ['/sessions', '/search?q=x', '/findings', '/approvals', '/cases', '/evidence', '/policy', '/bundles']
    for (const path of pages) {
      const asked = api('(?!me$|events|sign-in).*')
      await page.route(asked, busy)
      await page.goto(origin + path)
      const alert = page.locator('main .notice-error', { hasText: 'the catalog is being started' })
      await alert.first().waitFor()
      assert.doesNotMatch(await said(page), NOTHING, `${path} at 503`)
      assert.deepEqual(await seen.axe(), [], path)
      await page.unroute(asked)
      await page.evaluate("document.querySelectorAll('main .notice-error button').forEach((again) => again.click())")
      await page.locator('main .notice-error button').first().waitFor({ state: 'detached' })
      const held = Promise.withResolvers<void>()
      await page.route(asked, async (route) => {
        await held.promise
        await route.continue().catch(() => undefined)
      })
      await page.goto(origin + path)
      await page.locator('main .spinner').first().waitFor()
      assert.doesNotMatch(await said(page), NOTHING, `${path} while it loads`)
      held.resolve()
      await page.unrouteAll({ behavior: 'wait' })
    }
    assert.deepEqual(seen.problems, [])
  })

  await t.test('of two questions, each has its own answer: totals that fail are no totals of nothing', async () => {
    await page.route(api('pulls'), busy)
    await page.goto(`${origin}/findings`)
    const finding = page.getByRole('region', { name: 'The finding' })
    await finding.getByText('the catalog is being started').waitFor()
    await page.getByText('No finding').waitFor()
    await page.unrouteAll()
    await finding.getByRole('button', { name: 'Try again' }).click()
    await finding.getByText('Nothing left in the last 7 days').waitFor()
  })

  await t.test('a question that is wrong is told to be, and not offered to be asked again', async () => {
    await page.goto(`${origin}/search?q=colour%3Ared`)
    await page.getByRole('alert').getByText('colour: is not known here').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 0)
  })

  await t.test('the finding in the address is the one that is shown and judged, however slow the one before was', async () => {
    const ivan = await signedIn(browser, origin, 'ivan')
    const ids = ['F-AAAAAAAAAA', 'F-CCCCCCCCCC']
    const slow = Promise.withResolvers<void>()
    const judged: string[] = []
    const dispose = (route: Route): Promise<void> => {
      const [, id = ''] = /findings\/([^/]+)\//.exec(route.request().url()) ?? []
      judged.push(id)
      return route.fulfill({ json: { ...findingOf(id), state: 'benign' } })
    }
    await ivan.page.route(api('findings\\?'), (route) => route.fulfill({ json: { findings: ids.map(findingOf), next: null } }))
    await ivan.page.route(api('findings/F-\\w+$'), async (route) => {
      const id = route.request().url().split('/').at(-1) ?? ''
      if (id === ids[0]) await slow.promise
      await route.fulfill({ json: findingOf(id) }).catch(() => undefined)
    })
    await ivan.page.route(api('findings/F-\\w+/disposition'), dispose)
    await ivan.page.goto(`${origin}/findings`)
    const row = (id: string) => ivan.page.locator(`.request-row[href="/findings/${id}"]`)
    await row('F-AAAAAAAAAA').click()
    await row('F-CCCCCCCCCC').click()
    const shown = ivan.page.locator('.request .mono', { hasText: /^F-/ })
    await shown.filter({ hasText: 'F-CCCCCCCCCC' }).waitFor()
    slow.resolve()
    await ivan.page.waitForTimeout(300)
    assert.equal(await shown.textContent(), 'F-CCCCCCCCCC')
    await ivan.page.getByRole('textbox', { name: /Reason/ }).fill('seen')
    await ivan.page.getByRole('button', { name: 'It is, and may be' }).click()
    await ivan.page.locator('.request .about', { hasText: 'benign' }).waitFor()
    assert.deepEqual(judged, ['F-CCCCCCCCCC'])
    assert.deepEqual(ivan.problems, [])
    await ivan.page.unrouteAll({ behavior: 'ignoreErrors' })
  })

  await t.test('the case and the session in the address are the ones that are shown', async () => {
    const ivan = await signedIn(browser, origin, 'ivan')
    const person = await rig.as('ivan')
    const begin = async (title: string): Promise<string> => (await person.ask('/cases', { body: { title } })).json.id
    const [slowCase, quickCase] = [await begin('The slow one'), await begin('The quick one')]
    const slow = Promise.withResolvers<void>()
    await ivan.page.route(api(`(?:cases/${slowCase}|sessions/${one})$`), async (route) => {
      const answer = await route.fetch()
      await slow.promise
      await route.fulfill({ response: answer }).catch(() => undefined)
    })
    await ivan.page.goto(`${origin}/cases`)
    await ivan.page.locator('.request-row', { hasText: 'The slow one' }).click()
    await ivan.page.locator('.request-row', { hasText: 'The quick one' }).click()
    await ivan.page.getByRole('heading', { name: 'The quick one' }).waitFor()
    await ivan.page.goto(`${origin}/sessions/${one}`)
    await ivan.page.evaluate(`history.pushState(null, '', '/sessions/${other}'); dispatchEvent(new PopStateEvent('popstate'))`)
    await ivan.page.locator('.replay-head .id', { hasText: other }).waitFor()
    slow.resolve()
    await ivan.page.waitForTimeout(300)
    assert.equal(await ivan.page.locator('.replay-head .id').textContent(), other)
    await ivan.page.goto(`${origin}/cases/${quickCase}`)
    await ivan.page.getByRole('heading', { name: 'The quick one' }).waitFor()
    assert.deepEqual(ivan.problems, [])
    await ivan.page.unrouteAll({ behavior: 'ignoreErrors' })
  })

  await t.test('the request that somebody reads stays in sight when another arrives', async () => {
    const gus = await signedIn(browser, origin, 'gus')
    await rig.desk.submit(ask({ target: 'shop', command: 'DELETE FROM first' }))
    await gus.page.goto(`${origin}/approvals`)
    const command = gus.page.locator('.pane.request .command')
    await command.filter({ hasText: 'DELETE FROM first' }).waitFor()
    await rig.desk.submit(ask({ target: 'shop', command: 'DELETE FROM second', binding: 'b'.repeat(64) }))
    await gus.page.locator('.request-row', { hasText: 'DELETE FROM second' }).waitFor()
    assert.match((await command.textContent()) ?? '', /DELETE FROM first/)
    assert.deepEqual(gus.problems, [])
  })

  assert.deepEqual(seen.problems, [])
})

function findingOf(id: string): FindingView {
  return {
    ...{ id, code: 'D1', detector: 'large-pull', version: 1, title: `Pull ${id}`, severity: 'high', score: 0.9 },
    ...{ summary: 'took much', family: 'agent-7', target: 'shop', object: 'customers', value: 10, threshold: 1, unit: 'rows' },
    ...{ attack: ['T1005'], coverage: null, from: '2026-11-20T10:00:00Z', to: '2026-11-20T11:00:00Z', addends: [], sessions: 0 },
    ...{ contributions: [], left: 0, dispositions: [], state: 'open', may: { dispose: true } },
  } as unknown as FindingView
}
