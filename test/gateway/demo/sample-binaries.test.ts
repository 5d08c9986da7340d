import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { homeFor, postgresFor, runAs } from '../../../gateway/demo/sample-binaries.ts'

const temp = mkdtempSync(join(tmpdir(), 'sallyport-sample-binaries-'))
after(() => rmSync(temp, { recursive: true, force: true }))

test('the PostgreSQL that npm installed is found', () => {
  assert.ok(existsSync(join(postgresFor(undefined), 'bin/postgres')))
})

test('as root somebody else runs the server, otherwise we do', () => {
  const user = runAs()
  if (process.getuid?.() === 0) assert.ok(user !== undefined && user.uid !== 0 && user.gid !== 0)
  else assert.equal(user, undefined)
})

test('a folder that the unprivileged user cannot enter is exchanged for one it can, the same each time', () => {
  const somebody = { uid: 65534, gid: 65534 }
  const open = join(temp, 'open')
  mkdirSync(open, { mode: 0o755 })
  chmodSync(temp, 0o711)
  assert.equal(homeFor(join(open, 'sample'), somebody), join(open, 'sample'))
  chmodSync(open, 0o700)
  const other = homeFor(join(open, 'sample'), somebody)
  try {
    assert.notEqual(other, join(open, 'sample'))
    assert.equal(homeFor(join(open, 'sample'), somebody), other)
    assert.equal(statSync(other).mode & 0o022, 0, 'nobody else may put files there')
  } finally {
    rmSync(other, { recursive: true })
  }
  assert.equal(homeFor(join(open, 'own'), undefined), join(open, 'own'), 'ourselves, we enter what is ours')
})
