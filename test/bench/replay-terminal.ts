import { setTimeout as wait } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { Entry, Facts } from '../../schemas/frame.ts'
import { type ApiRig, apiRig, keyOf } from '../support/api.ts'
import { launchBrowser, PAGES } from '../support/browser.ts'
import { entry, START } from '../support/recording.ts'
import { rounded } from './support.ts'

const FRAMES = Number(process.env['BENCH_TERMINAL_FRAMES'] ?? 200_000)
const SEEKS = 40
/** Of two hours with 200,000 frames as many come in the 750 ms after which a chunk is stored. */
const FRAMES_PER_CHUNK = 21
/** For the first screen far into the recording: all before it is read. */
const FIRST_MS = 180_000

export interface TerminalResult {
  readonly frames: number
  readonly goalMs: number
  /** The first screen, at three quarters of the recording; then random ones. */
  readonly firstMs: number
  readonly seekMs: { readonly p50: number; readonly p90: number; readonly max: number; readonly count: number }
}

/** Random screens of a long terminal recording in real Chromium: lines with colours, and a full screen drawn now and then. */
export async function benchTerminal(progress: (line: string) => void): Promise<TerminalResult> {
  await using rig = await apiRig({ pages: PAGES })
  progress(`recording ${FRAMES} frames of a terminal ...`)
  const id = await record(rig)
  progress('filling the catalog ...')
  await rig.catalog.settle()
  await using browser = await launchBrowser()
  const { page } = await browser.open()
  const origin = `http://127.0.0.1:${rig.server.port}`
  await page.goto(origin)
  await page.getByLabel('Access key').fill(keyOf('ivan'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  await page.goto(`${origin}/sessions/${id}#frame=1`)
  await page.locator('.terminal-frame[data-frame="1"]').waitFor({ timeout: FIRST_MS })
  const firstMs = await seek(page, Math.floor(0.75 * FRAMES))
  progress(`first: ${Math.round(firstMs)} ms`)
  const times: number[] = []
  for (let count = 0; count < SEEKS; count++) {
    // Whoever seeks looks at what is there first; what the page does beside that is no part of it.
    await wait(20)
    times.push(await seek(page, 1 + Math.floor(Math.random() * 0.75 * FRAMES)))
  }
  times.sort((a, b) => a - b)
  const at = (share: number): number => rounded(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN)
  return {
    frames: FRAMES,
    goalMs: 200,
    firstMs: rounded(firstMs),
    seekMs: { p50: at(0.5), p90: at(0.9), max: at(1), count: SEEKS },
  }
}

/** From asking for the frame until its screen is drawn; ms, by the page's own clock. */
async function seek(page: Page, seq: number): Promise<number> {
  return Number(
    await page.evaluate(`new Promise((resolve) => {
      const begun = performance.now()
      location.hash = '#frame=${seq}'
      requestAnimationFrame(function look() {
        if (document.querySelector('.terminal-frame[data-frame="${seq}"]')) resolve(performance.now() - begun)
        else requestAnimationFrame(look)
      })
    })`),
  )
}

async function record({ room }: ApiRig): Promise<string> {
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol: 'echo' } })
  const facts: Facts = { pty: true, term: 'xterm-256color', cols: 100, rows: 30 }
  await recorder.append([entry({ dir: 'in', channel: 1, kind: 'shell', facts })])
  for (let seq = 1; seq < FRAMES; seq += FRAMES_PER_CHUNK) {
    const count = Math.min(FRAMES_PER_CHUNK, FRAMES - seq)
    await recorder.append(Array.from({ length: count }, (_, index) => entry(index === count - 1 ? REFUSED : output(seq + index))))
  }
  await recorder.seal('the client left')
  return info.id
}

/** Ends a chunk at once. */
const REFUSED: Partial<Entry> = {
  channel: 1,
  kind: 'terminal-input',
  body: Buffer.from('rm -r /'),
  verdict: { act: 'block', rules: ['r'], policy: 'abababababab' },
}

function output(seq: number): Partial<Entry> {
  const line = (row: number): string =>
    `\u001b[${row + 1};1H\u001b[3${row % 8}m${row} of ${seq}\u001b[0m ${'.'.repeat(40)}\u001b[K`
  const text =
    seq % 500 === 0
      ? `\u001b[2J${Array.from({ length: 29 }, (_, row) => line(row)).join('')}\u001b[30;1H`
      : `\u001b[1;32muser@web\u001b[0m:\u001b[34m~\u001b[0m$ command ${seq} \u001b[33m${(seq * 7919) % 100_003}\u001b[0m\r\n`
  return { dir: 'out', channel: 1, kind: 'terminal-output', body: Buffer.from(text) }
}
