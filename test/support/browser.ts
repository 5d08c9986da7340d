import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { missing } from './clients.ts'

/** Debian's; where another stands, PLAYWRIGHT-like variables would be one more thing to explain, so there is one of ours. */
const CHROMIUM = process.env['SALLYPORT_CHROMIUM'] ?? '/usr/bin/chromium'
/** No sandbox, as tests run as root; nothing in the background that would ask the network for anything. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
/** Far longer than anything takes; what is not there by then does not come. */
const WAIT_MS = 60_000
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PAGES = `${ROOT}replay-ui/dist`

/** What a page told while it was looked at. */
export interface Watched {
  readonly page: Page
  /** Errors of scripts and of the Content-Security-Policy; a refused request is not one. */
  readonly problems: string[]
  /** Serious and critical findings of axe, as text; none is wanted. */
  axe(): Promise<string[]>
}

export interface TestBrowser extends AsyncDisposable {
  /** A page of a person of their own: cookies are not shared with other calls. */
  open(options?: { readonly colorScheme?: 'dark' | 'light'; readonly width?: number }): Promise<Watched>
  /** Another tab of the same person. */
  tab(beside: Watched): Promise<Watched>
}

/** Real Chromium, and the console built; undefined (and said) where this machine has no Chromium. */
export async function startBrowser(t: TestContext): Promise<TestBrowser | undefined> {
  if (!existsSync(CHROMIUM)) {
    missing(t, 'Chromium is not on this machine')
    return undefined
  }
  return launchBrowser()
}

/** As startBrowser; rejects where this machine has no Chromium. */
export async function launchBrowser(): Promise<TestBrowser> {
  buildConsole()
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  return {
    async open({ colorScheme = 'dark', width = 1440 } = {}) {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme,
        permissions: ['clipboard-read', 'clipboard-write'],
      })
      context.setDefaultTimeout(WAIT_MS)
      return watched(context)
    },
    tab: ({ page }) => watched(page.context()),
    async [Symbol.asyncDispose]() {
      await browser.close()
    },
  }
}

/** As `npm start` and `npm test` do before they begin: nothing where it is built already. */
export function buildConsole(): void {
  const built = spawnSync(process.execPath, [`${ROOT}.ci/install.mjs`], { encoding: 'utf8' })
  assert.equal(built.status, 0, built.stderr)
}

async function watched(context: BrowserContext): Promise<Watched> {
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`))
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) problems.push(message.text())
  })
  return { page, problems, axe: () => axe(page) }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

async function axe(page: Page): Promise<string[]> {
  // By the debugger and not as a script of the page, whose policy would refuse it.
  await page.evaluate(AXE)
  const found: unknown = await page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] })
    .then(({ violations }) => violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ target, failureSummary }) => target.join(' ') + ' ' + failureSummary).join('; ')))`)
  assert.ok(Array.isArray(found))
  return found.map(String)
}
