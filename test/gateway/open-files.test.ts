import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_LIMITS } from '../../gateway/config.ts'
import { openFilesWarning } from '../../gateway/open-files.ts'

test('fewer open files than sessions may need are warned of, with both numbers and what to do', () => {
  const limits = { ...DEFAULT_LIMITS, sessions: 10_000 }
  assert.match(
    openFilesWarning(limits, 4_096) ?? '',
    /limits\.sessions 10000 needs up to 20600 open files .* may have 4096: .*ulimit -Hn/,
  )
  assert.equal(openFilesWarning(limits, 20_600), undefined)
  assert.equal(openFilesWarning(DEFAULT_LIMITS, 4_096), undefined)
})
