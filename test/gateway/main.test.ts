import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { openSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('the program: version on stdout, exit codes passed on', () => {
  const main = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
  const version = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
  assert.equal(version.status, 0)
  assert.equal(spawnSync(process.execPath, [main, 'nope']).status, 2)
})

test('where what is printed finds no room the command fails, and says so', (t) => {
  if (process.platform !== 'linux') return t.diagnostic('/dev/full is of Linux')
  const main = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
  const run = spawnSync(process.execPath, [main, '--help'], {
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    encoding: 'utf8',
  })
  assert.equal(run.status, 1)
  assert.match(run.stderr, /^sallyport: stdout takes no more \(ENOSPC\)/)
})

test('an older Node is told how to get the right one', () => {
  const main = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
  const script = `Object.defineProperty(process.versions, 'node', { value: '22.18.0' }); await import(${JSON.stringify(main)})`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(run.status, 1)
  assert.match(run.stderr, /needs Node 24 or newer; this is 22.18.0/)
  assert.match(run.stderr, /npx sallyport/)
})

test('what the sources are compiled to is kept for the next start', () => {
  const main = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
  const kept = fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url))
  spawnSync(process.execPath, [main, '--version'])
  const files = readdirSync(kept, { recursive: true, withFileTypes: true })
  assert.ok(files.some((file) => file.isFile()))
})
