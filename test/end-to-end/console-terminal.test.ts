import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import type { Entry, Facts } from '../../schemas/frame.ts'
import { type ApiRig, apiRig, keyOf } from '../support/api.ts'
import { PAGES, startBrowser } from '../support/browser.ts'
import { entry, START } from '../support/recording.ts'

const said = (text: string | Uint8Array): Partial<Entry> => ({
  dir: 'out',
  channel: 1,
  kind: 'terminal-output',
  body: Buffer.from(text),
})
const asked = (kind: string, facts: Facts): Partial<Entry> => ({ dir: 'in', channel: 1, kind, facts })
const euro = Buffer.from('€')

/** Frame by frame: what a terminal shows, a character cut in two, what a hostile target tries, a resize, the other screen. */
const FRAMES: readonly Partial<Entry>[] = [
  asked('shell', { pty: true, term: 'xterm-256color', cols: 60, rows: 12 }),
  said('user@web-1:~$ '),
  { dir: 'in', channel: 1, kind: 'terminal-input', body: Buffer.from('ls\r') },
  said('ls\r\n\u001b[34msrc\u001b[0m  price 5'),
  said(euro.subarray(0, 1)),
  said(Buffer.concat([euro.subarray(1), Buffer.from('\r\n')])),
  said(
    '\u001b]0;<img src=x onerror=alert(1)>\u0007<script>alert(2)</script>\u001b]8;;javascript:alert(3)\u0007link\u001b]8;;\u0007\u001b]52;c;c3RvbGVu\u0007\r\n',
  ),
  asked('terminal-resize', { cols: 90, rows: 20 }),
  said('\u001b[?1049h\u001b[2J\u001b[Hfull screen'),
  said('\u001b[?1049l'),
  { dir: 'in', channel: 2, kind: 'file', facts: { operations: ['read'], path: '/etc/passwd', statement: 1 } },
]

async function record({ room }: ApiRig, frames: readonly Partial<Entry>[]): Promise<string> {
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol: 'echo' } })
  for (let from = 0; from < frames.length; from += 200) await recorder.append(frames.slice(from, from + 200).map(entry))
  await recorder.seal('the client left')
  return info.id
}

/** The screen as the page draws it, once it is the one behind this frame. */
async function screenAt(page: Page, seq: number): Promise<string> {
  await page.locator(`.terminal-frame[data-frame="${seq}"]`).waitFor()
  // Drawn at the browser's next frame.
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
  return ((await page.locator('.terminal-frame').textContent()) ?? '').replaceAll(/\s+/g, ' ')
}

test('a terminal is replayed frame by frame, in Chromium', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  await using rig = await apiRig({ pages: PAGES })
  const id = await record(rig, FRAMES)
  await rig.catalog.settle()
  const seen = await browser.open()
  const { page } = seen
  const origin = `http://127.0.0.1:${rig.server.port}`
  await page.goto(origin)
  await page.getByLabel('Access key').fill(keyOf('ivan'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()

  await t.test('a link to a frame shows the screen behind it, a step the next', async () => {
    await page.goto(`${origin}/sessions/${id}#frame=3`)
    assert.match(await screenAt(page, 3), /user@web-1:~\$ ls src price 5/)
    await page.keyboard.press('.')
    await page.keyboard.press('.')
    assert.match(await screenAt(page, 5), /price 5€/)
    await page.keyboard.press('Home')
    assert.doesNotMatch(await screenAt(page, 0), /user@web/)
    assert.deepEqual(await seen.axe(), [])
  })

  await t.test('what a target writes is text on the screen, and does nothing to the page', async () => {
    await page.evaluate("navigator.clipboard.writeText('mine')")
    await page.evaluate("location.hash = '#frame=6'")
    assert.match(await screenAt(page, 6), /<script>alert\(2\)<\/script>link/)
    assert.equal(await page.locator('.terminal-frame script, .terminal-frame img, .terminal-frame a').count(), 0)
    assert.match(await page.title(), /^agent-7/)
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), 'mine')
  })

  await t.test('the other screen comes and goes, and the keys are the replay’s also within the terminal', async () => {
    await page.evaluate("location.hash = '#frame=8'")
    assert.match(await screenAt(page, 8), /^ ?full screen/)
    await page.locator('.terminal-frame').click()
    await page.keyboard.press('.')
    assert.match(await screenAt(page, 9), /user@web-1/)
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'Keyboard' }).waitFor({ state: 'hidden' })
  })

  await t.test('a key right behind the one that closes the list of keys counts, and does not open it again', async () => {
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keyboard' }).waitFor()
    // In one task: the browser tells of the closing in a later one.
    const open = await page.evaluate(`(async () => {
      const list = document.querySelector('dialog[open]')
      const told = new Promise((resolve) => list.addEventListener('close', () => resolve(list.open), { once: true }))
      list.close()
      dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))
      return told
    })()`)
    assert.equal(open, false)
    await screenAt(page, 0)
  })

  await t.test('a word is found on the screens, on and back, by keys alone', async () => {
    await page.keyboard.press('Home')
    await screenAt(page, 0)
    await page.keyboard.press('f')
    await page.keyboard.type('PRICE 5€')
    await page.keyboard.press('Enter')
    assert.match(await screenAt(page, 5), /price 5€/)
    await page.getByRole('search', { name: 'Screens of this terminal' }).getByText('Frame 5.').waitFor()
    await page.keyboard.press('Enter')
    // Gone with the other screen, and back with its end.
    assert.match(await screenAt(page, 9), /price 5€/)
    await page.keyboard.press('Shift+Enter')
    await screenAt(page, 5)
    await page.keyboard.press('Shift+Enter')
    await page.getByText('Not on a screen before frame 5.').waitFor()
    assert.deepEqual(await seen.axe(), [])
    await page.locator('.terminal-frame').click()
  })

  await t.test('operations on files are lines of the list', async () => {
    await page.locator('.frame', { hasText: 'read /etc/passwd' }).waitFor()
  })

  assert.deepEqual(seen.problems, [])
})
