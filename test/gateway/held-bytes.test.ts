import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { HeldBytes, isOver } from '../../gateway/held-bytes.ts'

test('what came goes on as far as the recorded copy, in its order, also where its memory is used again', () => {
  const held = new HeldBytes()
  const memory = Buffer.from('abcdef')
  assert.equal(held.pass(memory, 6), memory, 'the very same where nothing lags')
  assert.equal(String(held.pass(memory, 4)), 'abcd')
  memory.fill('x')
  assert.equal(String(held.pass(Buffer.from('gh'), 3)), 'efg')
  assert.equal(String(held.pass(Buffer.alloc(0), 1)), 'h')
})

test('what is over is not waited for: brackets that are closed, and bytes that are no text; a run that may go on is', () => {
  for (const bytes of ['{"id":1}', '[1,2]', 'Q\0\0\0\x0dSELECT 1\0', '\x01\x02name', 'caf\xe9 name'])
    assert.ok(isOver(Buffer.from(bytes, 'latin1')), bytes)
  for (let round = 0; round < 100; round++) assert.ok(isOver(randomBytes(200)))
  for (const text of [
    'some text that goes o',
    'line\r\n\tnext',
    '\u001b[31mred',
    'Бжэдугхабль',
    'é',
    '',
    `${'日本'.repeat(40)}`,
  ]) {
    const bytes = Buffer.from(text)
    for (let cut = 0; cut < Math.min(3, bytes.length); cut++) assert.ok(!isOver(bytes.subarray(0, bytes.length - cut)), text)
  }
})
