import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../support/cli.ts'

const MAIN = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))
/** A first start on a slow machine seeds in ten seconds; detectors follow some seconds behind. */
const MAX_WAIT_MS = 180_000

/** What the demo says, until its card is there. */
async function cardOf(demo: ChildProcess): Promise<string> {
  let said = ''
  const ended = once(demo, 'exit').then(() => Promise.reject(new Error(`the demo ended: ${said}`)))
  const card = new Promise<string>((resolve) => {
    demo.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      if (said.includes('Ctrl-C stops it')) resolve(said)
    })
    demo.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')))
  })
  return Promise.race([card, ended])
}

test('who took most of the customers is found, seen masked and approved, and proved, by the lines of the README', {
  timeout: 600_000,
}, async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'sallyport-demo-walk-'))
  // As root somebody else runs the sample's server, from a folder in here.
  await chmod(cwd, 0o711)
  const demo = spawn(process.execPath, [MAIN, 'demo'], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(async () => {
    if (demo.exitCode === null && demo.signalCode === null) {
      demo.kill('SIGTERM')
      await once(demo, 'exit')
    }
    await rm(cwd, { recursive: true, force: true })
  })
  const [, key = ''] = /SALLYPORT_KEY=(\S+)/.exec(await cardOf(demo)) ?? []
  const say = (...args: string[]) => runCli(args, { cwd, env: { SALLYPORT_KEY: key } })
  /** Until the catalog has read it. */
  const until = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
    for (const deadline = Date.now() + MAX_WAIT_MS; Date.now() < deadline; await delay(500)) {
      const answer = await ask()
      if (answer !== undefined) return answer
    }
    throw new Error('it was not there in time')
  }

  const most = await until(async () => {
    const [first] = JSON.parse((await say('pulls', '--table', 'customers', '--since', '7d', '--json')).out)
    return first?.rows === 5_200 ? first : undefined
  })
  assert.deepEqual([most.family, most.sessions], ['lin@example.com', 6])

  const finding = await until(async () => {
    const { findings } = JSON.parse((await say('findings', 'list', '--severity', 'high', '--json')).out)
    return findings.find(({ detector }: { detector: string }) => detector === 'stitched-keys')
  })
  const explained = await say('findings', 'explain', finding.id)
  assert.equal(explained.code, 0, explained.err)
  assert.match(explained.out, /evidence {3}6 places in 6 sessions/)
  assert.match(explained.out, /^ {2}about [\d,]+ different rows of customers/m, 'an estimate is called one')
  assert.match(explained.out, /coverage +\d+ different by id, standard error 3\.2 %, of 6000/)
  const table = await say('pulls', '--table', 'customers', '--identity', 'lin@example.com', '--since', '7d')
  assert.match(table.out, /customers +5200 +~\d+ /)

  const held = await say('search', 'identity:agent-9', 'verdict:hold', '--json')
  const [hit] = JSON.parse(held.out).hits
  const { session, frame, statement } = hit
  assert.deepEqual([statement.outcome, statement.rows], ['complete', 1_200], 'approved in its middle, it went on to its end')
  const approval = await say('approvals', 'show', statement.approval)
  assert.match(approval.out, /approve +grace@example\.com at/)
  assert.match(approval.out, /SELECT id, name, email, card, city FROM customers WHERE id BETWEEN 1 AND 1200/)
  assert.match(
    (await say('sessions', 'show', session.slice(-8))).out,
    new RegExp(`^session ${session}$`, 'm'),
    'by the end of its id',
  )
  const rows = await say('replay', session, '--frame', String(frame + 1))
  assert.match(rows.out, /MASKED person x\d+, email x\d+, card x\d+/)
  assert.doesNotMatch(rows.out, /@example\.com\W*\|/)

  const verified = await say('verify', '--session', session)
  assert.deepEqual([verified.code, verified.err], [0, ''])
  assert.equal((await say('verify')).code, 0)
})
