import assert from 'node:assert/strict'
import { serialize } from 'pg-protocol'
import type { Page } from 'playwright-core'
import { BACKEND, message, nulTerminated } from '../../gateway/protocols/postgres/messages.ts'
import { countText } from '../../replay-ui/data/format.ts'
import { API_BASE } from '../../schemas/api-names.ts'
import { type ApiRig, apiRig, keyOf } from '../support/api.ts'
import { launchBrowser, PAGES } from '../support/browser.ts'
import { entry, START } from '../support/recording.ts'
import { benchTerminal, type TerminalResult } from './replay-terminal.ts'
import { median, rounded } from './support.ts'

// Opening and seeking a long recording in real Chromium, beside fetching as many bytes: `npm run bench -- replay [--json]`.

const FRAMES = Number(process.env['BENCH_FRAMES'] ?? 1_000_000)
const FRAMES_PER_STATEMENT = 100
const SEEKS = 50
/** As many messages as one read from a socket carries, so that chunks are as large as they are in life. */
const APPENDED_AT_ONCE = 50
/** What design and issue ask for. */
const GOALS = { interactiveMs: 1_000, seekMs: 200 } as const

interface Round {
  readonly interactiveMs: number
  readonly seeksMs: readonly number[]
  readonly fetchMs: number
  readonly verifiedMs: number
}

interface Result {
  readonly frames: number
  readonly tapeBytes: number
  readonly chunks: number
  readonly goals: typeof GOALS
  /** From asking for the page to its first frame, shown and steppable, nothing cached. */
  readonly interactiveMs: number
  readonly seekMs: { readonly p50: number; readonly p95: number; readonly max: number; readonly count: number }
  /** The same range of the tape by a plain fetch in the same page. */
  readonly fetchMs: number
  /** A seek, as a ratio to that fetch. */
  readonly seekToFetch: number
  /** All frames' signatures, chain and hashes, in the page. */
  readonly verifiedMs: number
  readonly met: boolean
}

type Parts = Partial<Result> & { readonly terminal?: TerminalResult }

/** `only`: `frames`, `terminal`. */
export async function bench({
  rounds,
  only = 'frames,terminal',
  progress,
}: {
  rounds: number
  only?: string
  progress: (line: string) => void
}): Promise<Parts> {
  const parts = only.split(',')
  return {
    ...(parts.includes('frames') ? await benchFrames({ rounds, progress }) : {}),
    ...(parts.includes('terminal') ? { terminal: await benchTerminal(progress) } : {}),
  }
}

async function benchFrames({ rounds, progress }: { rounds: number; progress: (line: string) => void }): Promise<Result> {
  await using rig = await apiRig({ pages: PAGES })
  progress(`recording ${FRAMES} frames ...`)
  const id = await record(rig)
  progress('filling the catalog ...')
  await rig.catalog.settle()
  const results: Round[] = []
  let place = { tapeBytes: 0, chunks: 0 }
  await using browser = await launchBrowser()
  for (let round = 0; round < rounds; round += 1) {
    const { page } = await browser.open()
    await page.addInitScript({ content: WATCH })
    const origin = `http://127.0.0.1:${rig.server.port}`
    await page.goto(origin)
    await page.getByLabel('Access key').fill(keyOf('ivan'))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Sessions' }).waitFor()
    const result = await visit(page, `${origin}/sessions/${id}#frame=${Math.floor(FRAMES / 2)}`, id)
    place = result
    results.push(result)
    progress(
      `round ${round + 1}: interactive ${Math.round(result.interactiveMs)} ms, seek ${Math.round(median(result.seeksMs))} ms`,
    )
    await page.context().close()
  }
  const seeks = results.flatMap(({ seeksMs }) => seeksMs).sort((a, b) => a - b)
  const at = (share: number): number => rounded(seeks[Math.min(seeks.length - 1, Math.floor(seeks.length * share))] ?? Number.NaN)
  const interactiveMs = rounded(median(results.map((one) => one.interactiveMs)))
  const fetchMs = rounded(median(results.map((one) => one.fetchMs)))
  return {
    frames: FRAMES,
    tapeBytes: place.tapeBytes,
    chunks: place.chunks,
    goals: GOALS,
    interactiveMs,
    seekMs: { p50: at(0.5), p95: at(0.95), max: at(1), count: seeks.length },
    fetchMs,
    seekToFetch: rounded(at(0.5) / fetchMs),
    verifiedMs: rounded(median(results.map((one) => one.verifiedMs))),
    met: interactiveMs < GOALS.interactiveMs && at(0.95) < GOALS.seekMs,
  }
}

export function render(parts: Parts): string {
  const lines: string[] = []
  if (isFrames(parts)) lines.push(renderFrames(parts))
  if (parts.terminal !== undefined) {
    const { frames, goalMs, firstMs, seekMs } = parts.terminal
    lines.push(
      `a terminal of ${frames} frames: first screen far into it ${firstMs} ms; ${seekMs.count} random screens p50 ${seekMs.p50}, p90 ${seekMs.p90}, at most ${seekMs.max} ms (goal ${goalMs})`,
    )
  }
  return lines.join('\n')
}

function isFrames(parts: Parts): parts is Result {
  return 'interactiveMs' in parts
}

function renderFrames(result: Result): string {
  const { frames, interactiveMs, seekMs, verifiedMs, seekToFetch } = result
  return `${frames} frames: interactive in ${interactiveMs} ms (goal ${GOALS.interactiveMs}); ${seekMs.count} random seeks p50 ${seekMs.p50}, p95 ${seekMs.p95} ms (goal ${GOALS.seekMs}), ${seekToFetch} times a plain fetch; verified whole in ${verifiedMs} ms`
}

async function record({ room }: ApiRig): Promise<string> {
  const { info, recorder } = await room.open(START)
  const complete = message(BACKEND.commandComplete, nulTerminated('SELECT 1'))
  for (let seq = 0; seq < FRAMES; seq += APPENDED_AT_ONCE) {
    const entries = Array.from({ length: Math.min(APPENDED_AT_ONCE, FRAMES - seq) }, (_, index) => {
      const number = seq + index
      const statement = Math.floor(number / FRAMES_PER_STATEMENT)
      return number % FRAMES_PER_STATEMENT === 0
        ? entry({ body: serialize.query(`SELECT * FROM orders WHERE id = ${statement}`), facts: { statements: 1 } })
        : entry({ dir: 'out', kind: 'reply', body: row(number, complete), facts: { statement, rows: 1 } })
    })
    await recorder.append(entries)
  }
  await recorder.seal('the client left')
  return info.id
}

function row(number: number, complete: Uint8Array): Uint8Array {
  const text = Buffer.from(`order ${number}, customer ${(number * 7919) % 100_003}`)
  const count = Buffer.alloc(6)
  count.writeUInt16BE(1)
  count.writeInt32BE(text.length, 2)
  return Buffer.concat([message(BACKEND.dataRow, count, text), complete])
}

// What runs in the page is text: it is the page's JavaScript, and none of ours.

/** Before the page's scripts: notes when the first frame can be read and stepped from. */
const WATCH = `
if (location.pathname.startsWith('/sessions/')) requestAnimationFrame(function look() {
  const shown = document.querySelector('.frame-head h2') && document.querySelector('.panel .trow, .panel .piece')
  if (shown && document.querySelector('.frame .kind')) performance.mark('bench-interactive')
  else requestAnimationFrame(look)
})`
const INTERACTIVE = `new Promise((resolve) => requestAnimationFrame(function look() {
  const [mark] = performance.getEntriesByName('bench-interactive')
  if (mark) resolve(mark.startTime)
  else requestAnimationFrame(look)
}))`

/** What was asked for when, for whoever wants to know where the time goes. */
const WHERE = `performance.getEntries().filter(({ entryType }) => ['mark', 'resource', 'paint'].includes(entryType))
  .map(({ name, startTime, duration }) => [Math.round(startTime), Math.round(duration), name.replace(/.*[/]/, '')].join(' ')).join('\\n')`

/** To the frame, until its head and its content stand there; ms. */
function seekTo(seq: number): string {
  const wanted = `#${countText(seq)} `
  return `new Promise((resolve) => {
    const begun = performance.now()
    location.hash = '#frame=${seq}'
    requestAnimationFrame(function look() {
      const head = document.querySelector('.frame-head h2')?.textContent ?? ''
      if (head.startsWith('${wanted}') && document.querySelector('.panel .trow, .panel .piece')) resolve(performance.now() - begun)
      else requestAnimationFrame(look)
    })
  })`
}

/** As many bytes of the tape as a chunk has; ms, and the tape's size. */
function plainFetch(id: string): string {
  return `(async () => {
    const { objects } = await (await fetch('${API_BASE}/sessions/${id}/objects')).json()
    const tapeBytes = objects[0].size
    const took = []
    for (let time = 0; time < 21; time += 1) {
      const from = Math.floor(Math.random() * (tapeBytes - 65536))
      const begun = performance.now()
      const range = 'bytes=' + from + '-' + (from + 65535)
      await (await fetch('${API_BASE}/sessions/${id}/objects/0000.tape', { headers: { Range: range }, cache: 'no-store' })).arrayBuffer()
      took.push(performance.now() - begun)
    }
    return [took.sort((a, b) => a - b)[10], tapeBytes]
  })()`
}

async function visit(page: Page, url: string, id: string): Promise<Round & { tapeBytes: number; chunks: number }> {
  await page.goto(url)
  await page.locator('.frame-head').waitFor()
  const interactiveMs = Number(await page.evaluate(INTERACTIVE))
  if (process.env['BENCH_WHERE'] !== undefined) process.stderr.write(`${String(await page.evaluate(WHERE))}\n`)
  // Verification reads all of the tape beside; a reader who seeks at once must not wait for it.
  const seeksMs: number[] = []
  for (let seek = 0; seek < SEEKS; seek += 1)
    seeksMs.push(Number(await page.evaluate(seekTo(Math.floor(Math.random() * FRAMES)))))
  await page.getByRole('button', { name: 'Integrity: VALID', exact: true }).waitFor({ timeout: 120_000 })
  const verified = (await page.locator('#integrity .pairs').textContent()) ?? ''
  const [, chunks = '0', seconds = '0'] = /in ([\d,]+) chunks, ([\d.]+) s/.exec(verified) ?? []
  const plain: unknown = await page.evaluate(plainFetch(id))
  assert.ok(Array.isArray(plain))
  const [fetchMs = Number.NaN, tapeBytes = 0] = plain.map(Number)
  assert.ok(Number.isFinite(interactiveMs))
  return {
    interactiveMs,
    seeksMs,
    fetchMs,
    verifiedMs: Number(seconds) * 1000,
    tapeBytes,
    chunks: Number(chunks.replaceAll(',', '')),
  }
}
