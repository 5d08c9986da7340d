import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const RUN = fileURLToPath(new URL('run.ts', import.meta.url))
const PASSES = ''
const FAILS = `throw new Error('always')`
const FAILS_ONCE = `
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
test('steady', () => undefined)
test('now and then', () => {
  const seen = new URL('seen', import.meta.url)
  if (existsSync(seen)) return
  writeFileSync(seen, '')
  throw new Error('the first time')
})`

/** Lies beside the files that test by it. */
const CONTRACT = `
import { test } from 'node:test'
export const contract = () => test('of a contract', () => { throw new Error('always') })`
const BY_CONTRACT = `
import { contract } from './contract.mjs'
contract()`

function run(...sources: readonly string[]): { readonly status: number | null; readonly told: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-run-'))
  try {
    for (const [index, source] of sources.entries()) writeFileSync(join(folder, `${index}.test.mjs`), source)
    writeFileSync(join(folder, 'contract.mjs'), CONTRACT)
    const { NODE_TEST_CONTEXT: _ours, ...env } = process.env
    const { status, stdout } = spawnSync(process.execPath, [RUN, join(folder, '*.test.mjs')], { encoding: 'utf8', env })
    return { status, told: stdout }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('what failed once and then passes is told, with how it failed', () => {
  const { status, told } = run(PASSES, FAILS_ONCE)
  assert.equal(status, 0)
  assert.match(told, /Error: the first time/)
  assert.match(told, /UNSTEADY: \S+1\.test\.mjs: failed once, then passed: now and then\n$/)
})

test('what fails again fails the run, also beside what then passes', () => {
  const { status, told } = run(FAILS, FAILS_ONCE)
  assert.equal(status, 1)
  assert.match(told, /UNSTEADY: \S+1\.test\.mjs/)
  assert.doesNotMatch(told, /UNSTEADY: \S+0\.test\.mjs/)
})

test('a test that is written elsewhere fails the file that runs it', () => {
  const { status, told } = run(BY_CONTRACT)
  assert.equal(status, 1)
  assert.match(told, /once more, alone: \S+0\.test\.mjs/)
  assert.doesNotMatch(told, /UNSTEADY/)
})

test('a test that is not there any more has not passed', () => {
  const gone = `import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
const seen = new URL('seen', import.meta.url)
if (!existsSync(seen)) test('once', () => { writeFileSync(seen, ''); throw new Error('the first time') })`
  assert.equal(run(gone).status, 1)
})

test('a test that is skipped the second time has not passed', () => {
  const skipped = `import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
const seen = new URL('seen', import.meta.url)
test('once', { skip: existsSync(seen) }, () => { writeFileSync(seen, ''); throw new Error('the first time') })`
  assert.equal(run(skipped).status, 1)
})

test('more than three files that fail are broken, not unsteady', () => {
  const { status, told } = run(FAILS_ONCE, FAILS, FAILS, FAILS)
  assert.equal(status, 1)
  assert.match(told, /4 files failed/)
  assert.doesNotMatch(told, /once more, alone/)
})

test('without failures there is one run, and without tests none that passes', () => {
  const { status, told } = run(PASSES)
  assert.equal(status, 0)
  assert.doesNotMatch(told, /once more|UNSTEADY/)
  assert.equal(run().status, 1)
})
