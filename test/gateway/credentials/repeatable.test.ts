import assert from 'node:assert/strict'
import { test } from 'node:test'
import { repeatable } from '../../../gateway/credentials/repeatable.ts'
import type { CredentialSource } from '../../../gateway/credentials/upstream.ts'

const of = (protocol: 'http' | 'kubernetes' | 'postgres', source: Partial<CredentialSource>): Promise<readonly string[]> =>
  repeatable({ target: { protocol }, credential: { tls: { mode: 'off' }, from: (path) => path, ...source } }, { WORD: 'a word' })

test('what is sent with requests is known as it is sent', async () => {
  const password = { env: 'WORD' }
  assert.deepEqual(await of('http', { password }), ['a word'])
  assert.deepEqual(await of('kubernetes', { password }), ['a word'])
  assert.deepEqual(await of('http', { password, header: 'x-key', user: 'me' }), ['a word'])
  assert.deepEqual(await of('http', { password, user: 'me' }), ['a word', Buffer.from('me:a word').toString('base64')])
})

test('nothing is known of what no answer repeats, and of what cannot be read', async () => {
  assert.deepEqual(await of('postgres', { password: { env: 'WORD' } }), [])
  assert.deepEqual(await of('http', {}), [])
  assert.deepEqual(await of('http', { password: { env: 'NONE' } }), [])
})
