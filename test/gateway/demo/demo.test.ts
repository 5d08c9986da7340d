import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Two minutes: a first start on a slow machine seeds in ten seconds. */
const MAX_DEMO_MS = 120_000

interface Summary {
  readonly sessions: number
  readonly frames: number
  readonly verdicts: { readonly allow: number; readonly mask: number; readonly block: number; readonly hold: number }
  readonly maskedCells: number
  readonly verify: string
  readonly tapes: readonly string[]
}

function sallyport(...args: string[]): { readonly stdout: string; readonly stderr: string; readonly status: number | null } {
  return spawnSync(process.execPath, ['gateway/main.ts', ...args], { cwd: ROOT, encoding: 'utf8', timeout: MAX_DEMO_MS })
}

test('demo --once --json masks, blocks, holds and lets through, and leaves tapes that verify and replay', () => {
  const { stdout, stderr, status } = sallyport('demo', '--once', '--json', '--keep')
  assert.equal(status, 0, stderr)
  const lines = stdout.trimEnd().split('\n')
  const summary: Summary = JSON.parse(lines.at(-1) ?? '')
  const { sessions, frames, verdicts, maskedCells, verify, tapes } = summary
  try {
    assert.equal(sessions, 1)
    assert.ok(frames > 20, `frames: ${frames}`)
    assert.ok(verdicts.allow > 0 && verdicts.mask > 0 && verdicts.block > 0 && verdicts.hold > 0, JSON.stringify(verdicts))
    assert.ok(maskedCells >= 15, 'five customers with at least e-mail, social security number and card masked')
    assert.equal(verify, 'VALID')
    assert.equal(tapes.length, 1)
    for (const tape of tapes) {
      assert.ok(statSync(tape).isDirectory() || statSync(tape).size > 0)
      const verified = sallyport('verify', tape, '--json')
      assert.equal(verified.status, 0, verified.stdout + verified.stderr)
    }
    const personal = /\w+\.\w+\d+@example\.com|\b4\d{15}\b|\b\d{3}-\d{2}-\d{4}\b/
    assert.doesNotMatch(stdout + stderr, personal, 'nothing that was masked shows up elsewhere')
  } finally {
    // Its own folder, as told by the paths of its tapes.
    const [tape = ''] = tapes
    const folder = /^(.*?sallyport-demo-[^/]+)/.exec(tape)?.[1]
    assert.ok(folder !== undefined && existsSync(folder))
    rmSync(folder, { recursive: true, force: true })
  }
})
