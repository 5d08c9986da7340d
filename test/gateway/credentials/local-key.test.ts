import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { localKey } from '../../../gateway/credentials/local-key.ts'

test('every process that shares the folder gets the same key; every name has its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-local-'))
  try {
    const all = await Promise.all(Array.from({ length: 6 }, () => localKey(folder, 'approval-binding')))
    assert.equal(new Set(all.map((key) => Buffer.from(key).toString('hex'))).size, 1)
    assert.equal(all[0]?.length, 32)
    assert.notDeepEqual(await localKey(folder, 'mask-fingerprint'), all[0])
    assert.equal((await stat(join(folder, 'approval-binding.key'))).mode & 0o777, 0o600)
    await writeFile(join(folder, 'approval-binding.key'), 'short')
    await assert.rejects(localKey(folder, 'approval-binding'), { code: 'CONFIG_INVALID', message: /5 bytes/ })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
