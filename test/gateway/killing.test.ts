import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killed, killMessage } from '../../gateway/killing.ts'

test('a client is told who ended its session and why, on one line that reads as it was written', () => {
  const message = killMessage('grace@example.com', 'astray\r\n\u202egnihtemos\u200b')
  assert.equal(message, 'grace@example.com ended this session: astray\\r\\n\\u{202e}gnihtemos\\u{200b}')
  assert.deepEqual(killed(message), {
    ...{ why: 'blocked', message, rules: [] },
    evidence: 'grace@example.com ended this session: ',
  })
  assert.equal('evidence' in killed('in words of its own'), false)
})
