import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { errorResponse } from '../../../../gateway/protocols/postgres/refuse.ts'
import { readReport, ServerError } from '../../../../gateway/protocols/postgres/startup-error.ts'

test('a report is read by field, as it was written', () => {
  const fields = readReport(
    Buffer.from(errorResponse({ severity: 'FATAL', code: '3D000', message: 'gone', hint: 'h' })).subarray(5),
  )
  assert.deepEqual(
    [...fields],
    [
      ['S', 'FATAL'],
      ['V', 'FATAL'],
      ['C', '3D000'],
      ['M', 'gone'],
      ['H', 'h'],
    ],
  )
  const error = new ServerError(fields)
  assert.deepEqual([error.sqlState, error.severity, error.message], ['3D000', 'FATAL', 'gone'])
})

test('any bytes give a report, perhaps an empty one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) =>
      assert(new ServerError(readReport(Buffer.from(bytes))).sqlState !== ''),
    ),
  )
})
