import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const LAUNCH = fileURLToPath(new URL('../../gateway/launch.mjs', import.meta.url))

/** The command on a Node that says it is an older one. */
function onOldNode(launch: string, args: readonly string[]) {
  const script = `Object.defineProperty(process.versions, 'node', { value: '20.19.0' }); await import(${JSON.stringify(launch)})`
  return spawnSync(process.execPath, ['--input-type=module', '-e', script, 'sallyport', ...args], { encoding: 'utf8' })
}

test('on the right Node the command runs at once', () => {
  const ran = spawnSync(process.execPath, [LAUNCH, '--version'], { encoding: 'utf8' })
  assert.match(ran.stdout, /^\d+\.\d+\.\d+\n$/)
  assert.equal(ran.status, 0)
})

test('an older Node hands over to the one that came with the packages, arguments and exit codes included', () => {
  const version = onOldNode(LAUNCH, ['--version'])
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/, version.stderr)
  assert.equal(version.status, 0)
  const wrong = onOldNode(LAUNCH, ['nope'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.stderr, /nope/)
})

test('where there are no packages yet it is told what to do', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-launch-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(LAUNCH, join(folder, 'launch.mjs'))
  const ran = onOldNode(join(folder, 'launch.mjs'), ['--version'])
  assert.equal(ran.status, 1)
  assert.match(ran.stderr, /needs Node 24 or newer; this is 20.19.0/)
  assert.match(ran.stderr, /npm start/)
})
