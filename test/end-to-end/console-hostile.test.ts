import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { BACKEND, message, nulTerminated } from '../../gateway/protocols/postgres/messages.ts'
import { MAX_FRAME_BODY, tapeKeys } from '../../schemas/tape.ts'
import { type ApiRig, apiRig, keyOf } from '../support/api.ts'
import { PAGES, startBrowser, type Watched } from '../support/browser.ts'
import { entry, START } from '../support/recording.ts'

const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script>'
const TERMINAL = '\u001b]0;owned\u0007\u001b[2J\u009b31m'
const BIDI = 'user\u202eetis\u202c\u200b\u2066x\u2069'
const BIG = 'x'.repeat(10 * 1024 * 1024)

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff)
const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

function columns(...names: readonly string[]): Uint8Array {
  const fields = names.map((name) =>
    Buffer.concat([nulTerminated(name), u32(0), u16(0), u32(25), u16(0xffff), u32(0xffffffff), u16(0)]),
  )
  return message(BACKEND.rowDescription, u16(names.length), ...fields)
}

function row(...cells: readonly (Uint8Array | string)[]): Uint8Array {
  const values = cells.map((cell) => Buffer.from(cell))
  return message(BACKEND.dataRow, u16(values.length), ...values.flatMap((value) => [u32(value.length), value]))
}

let rig: ApiRig
let hostile: string
let damaged: string

before(async () => {
  rig = await apiRig({ pages: PAGES })
  const one = await rig.room.open({ ...START, claims: { application_name: `${MARKUP}${BIDI}` } })
  const reply = Buffer.concat([
    columns(MARKUP, 'terminal', 'bidi', 'bytes'),
    row(MARKUP, TERMINAL, BIDI, Uint8Array.of(0xff, 0xfe, 0x41, 0xc3)),
  ])
  await one.recorder.append([
    entry({ kind: 'query', body: serialize.query(`SELECT '${MARKUP}', '${TERMINAL}', '${BIDI}'`) }),
    entry({ dir: 'out', kind: 'reply', body: reply, facts: { rows: 1, tag: MARKUP } }),
    entry({ kind: 'query', body: serialize.query(`SELECT '${BIG}'`) }),
    entry({
      dir: 'out',
      kind: 'reply',
      body: Buffer.concat([columns('big'), row('y'.repeat(3 * MAX_FRAME_BODY))]),
      facts: { rows: 1 },
    }),
    entry({ dir: 'out', kind: 'reply', body: Uint8Array.of(0x44, 0, 0, 0, 1, 0xff, 0xff), facts: {} }),
    entry({ dir: 'note', kind: MARKUP, facts: { [MARKUP]: TERMINAL } }),
  ])
  await one.recorder.seal(`${MARKUP} left`)
  hostile = one.info.id
  const two = await rig.room.open(START)
  for (let at = 0; at < 40; at += 1) {
    const value = Buffer.from(crypto.getRandomValues(new Uint8Array(20_000))).toString('hex')
    // Five chunks, however fast they fill.
    await two.recorder.append([entry({ kind: 'query', body: serialize.query(`SELECT ${at}, '${value}'`) })], {
      durable: at % 8 === 7,
    })
  }
  await two.recorder.seal('the client left')
  damaged = two.info.id
  const file = join(rig.folder.path, tapeKeys.segment(damaged, 0))
  const bytes = await readFile(file)
  // One bit, in the compressed frames of a chunk in the middle.
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  await writeFile(file, bytes)
  await rig.catalog.settle()
})
after(() => rig[Symbol.asyncDispose]())

async function open({ page }: Watched, path: string): Promise<void> {
  const origin = `http://127.0.0.1:${rig.server.port}`
  await page.goto(origin)
  await page.getByLabel('Access key').fill(keyOf('ivan'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  await page.goto(`${origin}${path}`)
}

test('recorded content is shown, and does nothing', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  const seen = await browser.open()
  const { page } = seen
  await open(seen, `/sessions/${hostile}#frame=1`)
  await page.getByRole('button', { name: 'Integrity: VALID', exact: true }).waitFor()

  await t.test('markup is text, in columns, cells, statements, kinds and facts', async () => {
    await page.locator('.trow-head', { hasText: MARKUP }).waitFor()
    await page.locator('.trow:not(.trow-head)', { hasText: '<script>alert(2)</script>' }).waitFor()
    assert.equal(await page.locator('main img, main script').count(), 0)
  })

  await t.test('escapes, overrides and invisible characters are shown as what they are, and marked', async () => {
    const cells = await page.locator('.trow:not(.trow-head) [role=cell]').allTextContents()
    assert.match(cells[1] ?? '', /\\x1b\]0;owned\\x07\\x1b\[2J\\x9b31m/)
    assert.match(cells[2] ?? '', /user\\u\{202e\}etis\\u\{202c\}\\u\{200b\}\\u\{2066\}x\\u\{2069\}/)
    assert.ok((await page.locator('.trow .esc').count()) > 5)
    assert.doesNotMatch((await page.locator('body').textContent()) ?? '', /[\u202a-\u202e\u2066-\u2069\u200b\u001b]/)
  })

  await t.test('bytes that are no text are shown as bytes', async () => {
    const cells = await page.locator('.trow:not(.trow-head) [role=cell]').allTextContents()
    assert.match(cells[3] ?? '', /^\\xfffe41c3$/)
  })

  await t.test('a statement of 10 MB is shown from its beginning, with how much is not shown', async () => {
    await page.locator('.statement').nth(1).click()
    const cut = page.locator('.panel .cut, .panel .muted')
    await cut.first().waitFor()
    assert.match((await cut.first().textContent()) ?? '', /more character|MiB/)
    assert.ok(((await page.locator('.panel').textContent()) ?? '').length < 100_000)
  })

  await t.test('what is no message is named, and everything around it still shown', async () => {
    await page.keyboard.press('End')
    await page.keyboard.press(',')
    await page.locator('.panel', { hasText: 'not a PostgreSQL message' }).waitFor()
  })

  await t.test('a session that is not there says so', async () => {
    await page.goto(`http://127.0.0.1:${rig.server.port}/sessions/20261120T105150Z-gw1-99999999`)
    await page.getByText('There is no session').waitFor()
  })
  assert.deepEqual(seen.problems, [])
})

test('a tape with one bit changed is INVALID, where, and readable around it', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using _browser = browser
  const seen = await browser.open()
  const { page } = seen
  await open(seen, `/sessions/${damaged}#frame=0`)
  await page.getByRole('button', { name: 'Integrity: INVALID' }).click()
  const finding = page.locator('.problems li').first()
  await finding.waitFor()
  assert.match((await finding.textContent()) ?? '', /at byte .*frames? \d+/s)
  assert.deepEqual(await seen.axe(), [])
  await page.keyboard.press('Escape')
  await finding.waitFor({ state: 'hidden' })
  await page.locator('.panel', { hasText: 'SELECT 0' }).waitFor()
  await page.keyboard.press('End')
  await page.locator('.panel', { hasText: 'SELECT 39' }).waitFor()
  await page.getByRole('button', { name: 'Integrity: INVALID' }).click()
  const place = finding.getByRole('button', { name: /^frames? \d/ })
  const [, first = ''] = /^frames? (\d+)/.exec((await place.textContent()) ?? '') ?? []
  await place.click()
  await finding.waitFor({ state: 'hidden' })
  await page.locator('.transport', { hasText: `frame ${first} of 40` }).waitFor()
  assert.deepEqual(seen.problems, [])
})
