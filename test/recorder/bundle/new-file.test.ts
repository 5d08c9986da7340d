import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { NewFile } from '../../../recorder/bundle/new-file.ts'

test('a file that cannot be made is named as it was asked for, and why', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-new-file-'))
  try {
    const long = 'x'.repeat(250)
    await assert.rejects(NewFile.create(join(folder, long)), {
      code: 'STORE_FAILED',
      message: `${long} cannot be written into ${folder} (ENAMETOOLONG)`,
    })
    await assert.rejects(NewFile.create(join(folder, 'no', 'x')), { code: 'STORE_MISSING' })
    await writeFile(join(folder, 'there'), '')
    await assert.rejects(NewFile.create(join(folder, 'there')), { code: 'STORE_CONFLICT' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
