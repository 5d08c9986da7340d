import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayRepeat, repeatable } from '../../../gateway/credentials/repeatable.ts'

test('what is sent with requests is known as it is sent', () => {
  const password = 'a word'
  assert.deepEqual(repeatable({ user: '', password }), ['a word'])
  assert.deepEqual(repeatable({ user: 'me', password, header: 'x-key' }), ['a word'])
  assert.deepEqual(repeatable({ user: 'me', password }), ['a word', Buffer.from('me:a word').toString('base64')])
  assert.deepEqual(repeatable({ user: 'me' }), [])
})

test('nothing is to be known of what no answer repeats', () => {
  const source = { tls: { mode: 'off' }, from: (path: string) => path, password: { env: 'WORD' } } as const
  assert.equal(mayRepeat('http', source), true)
  assert.equal(mayRepeat('kubernetes', source), true)
  assert.equal(mayRepeat('postgres', source), false)
  assert.equal(mayRepeat('http', { ...source, managedIdentity: { scope: 'https://vault.azure.net/.default' } }), false)
})
