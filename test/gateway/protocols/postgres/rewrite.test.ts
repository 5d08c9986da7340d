import assert from 'node:assert/strict'
import { test } from 'node:test'
import { message, nulTerminated } from '../../../../gateway/protocols/postgres/messages.ts'
import { MessageLength, Rewrite } from '../../../../gateway/protocols/postgres/rewrite.ts'
import { testMasker } from '../../../support/fakes.ts'

const MAIL = ['ada', 'example.org'].join('@')
const FIELD = { path: 'x', action: 'scan' } as const

test('nothing is copied while nothing changes', () => {
  const bytes = message(0x51, nulTerminated('select 1'))
  const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
  rewrite.field(5, bytes.length - 1, FIELD, new MessageLength(1, bytes.length - 1))
  assert.equal(rewrite.finish(bytes).bytes, bytes)
})

test('each message under rewrite keeps a right length, wherever in the source it stands', () => {
  const one = message(0x51, nulTerminated(MAIL), nulTerminated(MAIL))
  const bytes = Buffer.concat([Buffer.from('before'), one, one])
  const rewrite = new Rewrite(bytes, 6, bytes.length, testMasker())
  for (const start of [6, 6 + one.length]) {
    const length = new MessageLength(start + 1, one.length - 1)
    for (const from of [start + 5, start + 5 + MAIL.length + 1]) rewrite.field(from, from + MAIL.length, FIELD, length)
    length.settle()
  }
  const after = Buffer.from(rewrite.finish(bytes).bytes)
  const size = 1 + after.readInt32BE(1)
  assert.equal(after.length, 2 * size)
  assert.equal(after.readInt32BE(size + 1), size - 1)
  assert.ok(!after.includes(MAIL))
})

test('a field that has no NULL cannot become it', () => {
  const bytes = message(0x51, nulTerminated(MAIL))
  const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
  const field = { path: 'x', action: 'mask', nullOnly: true } as const
  assert.throws(() => rewrite.field(5, bytes.length - 1, field, new MessageLength(1, 0)), { code: 'PROTOCOL_MALFORMED' })
})
