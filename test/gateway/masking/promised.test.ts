import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../../gateway/masking/explain.ts'
import { keptPromise, promising, unquoted } from '../../../gateway/masking/promised.ts'
import { DEFAULT_RULES, type MaskingRules } from '../../../gateway/masking/rules.ts'
import type { Field } from '../../../gateway/message.ts'

const BODY: Field = { path: 'body', action: 'scan' }
// Put together here, so that no file holds anything like one.
const HORSE = ['correct', 'Horse9', 'battery'].join('-')
const KEY = `${'A1b'.repeat(13)}x`

function fieldOf(key: string, pair = false): Field {
  const bytes = Buffer.from(key)
  return promising(BODY, [bytes, 0, bytes.length], pair)
}

function judged(field: Field, value: string, rules: MaskingRules = DEFAULT_RULES): string | undefined {
  const bytes = Buffer.from(value)
  return field.promised === undefined ? undefined : keptPromise(field.promised, [bytes, 0, bytes.length], rules)
}

const KEYS = 'password Passwd DB_PASSWORD userPwd client_secret api_key apiKey aws_secret_access_key token accessToken auth authorization x-credential password_hash_file token_type token_id tokens author passenger key public_key secretName max_tokens nextPageToken page_token continuationToken progressToken jsonwebtoken next-auth id_token_signing_alg_values_supported refresh_token_expires_in is_password nickname'.split(' ') // biome-ignore format: a list
const VALUES = [HORSE, KEY, 'abc123def456', '^9.0.2', '4.17.21-beta.1', 'RS256', 'bearer', 'string', 'null', 'true', 'password1', 'your-password-here', '[MASKED:x]', '/etc/passwd', 'aaaaaaaa', 'abc', 'a', 'production', '$TOKEN', 'two words', 'sha-256'] // biome-ignore format: a list

test('a key and its value are judged as in a text', () => {
  for (const key of KEYS) {
    for (const value of VALUES) {
      const [found] = explain(`"${key}": "${value}"`)
      const whole = found !== undefined && found.end - found.start === value.length ? found.entity : undefined
      assert.equal(judged(fieldOf(key), value), whole, `${key}: ${value}`)
    }
  }
  assert.equal(judged(unquoted(fieldOf('refresh_token')), '15811200'), undefined, 'a number counts something')
  for (const value of ['12345678', '12345', 'true', 'null', '3.141592', '1e5']) {
    assert.equal(judged(unquoted(fieldOf('password')), value), explain(`"password": ${value} `)[0]?.entity, value)
  }
})

test('where no quotes tell what is a value, it is judged as with them and without', () => {
  assert.equal(judged(fieldOf('password', true), 'P(ss[word]1'), 'password')
  assert.equal(judged(fieldOf('token', true), 'abcdef'), explain('token=abcdef')[0]?.entity)
  assert.equal(judged(fieldOf('token_type', true), 'abc123def456'), undefined)
  assert.equal(judged(fieldOf('user[password]', true), HORSE), 'password')
})

test('what the rules leave to nobody stays, as do labelled fields', () => {
  const rules = { ...DEFAULT_RULES, detectors: { ...DEFAULT_RULES.detectors, password: 'ignore' } } as const
  assert.equal(judged(fieldOf('password'), HORSE, rules), undefined)
  assert.equal(judged(fieldOf('secret'), HORSE, rules), 'secret')
  const labelled: Field = { path: 'body', action: 'mask', label: 'x' }
  assert.equal(promising(labelled, [Buffer.from('password'), 0, 8]), labelled)
  assert.equal(fieldOf('nickname'), BODY)
})

test('what clients need to go on, and versions of packages, are no secrets', () => {
  for (const key of ['nextPageToken', 'progressToken', 'id_token_signing_alg_values_supported', 'refresh_token_expires_in'])
    assert.equal(fieldOf(key), BODY, key)
  for (const version of ['^9.0.2', '~4.1', '>=1.2.0', '4.17.21-beta.1'])
    assert.equal(judged(fieldOf('jsonwebtoken'), version), undefined, version)
})

test('few fields stand for all keys, and long keys are looked at from their end', () => {
  const made = new Set(Array.from({ length: 2000 }, (_, number) => fieldOf(`${number}_password`)))
  assert.equal(made.size, 1)
  assert.equal(judged(fieldOf(`${'x.'.repeat(5000)}db_password`), HORSE), 'password')
  assert.equal(fieldOf('token '.repeat(20_000)).promised?.entities.join(), 'secret')
})
