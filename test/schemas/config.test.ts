import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/compile'
import { Config, Listener } from '../../schemas/config.ts'
import { SecretSource } from '../../schemas/config-parts.ts'

test('a secret is a variable or a file, never the secret', () => {
  const checker = Compile(SecretSource)
  assert.ok(checker.Check({ env: 'SHOP_PASSWORD' }))
  assert.ok(checker.Check({ file: 'secrets/shop' }))
  for (const value of ['hunter2', { env: 'not a name' }, { env: 'A', file: 'b' }, {}, { value: 'hunter2' }])
    assert.equal(checker.Check(value), false)
})

test('addresses have a host and a port', () => {
  const checker = Compile(Listener)
  for (const address of ['127.0.0.1:6432', '[::1]:6432', '*:0', 'gw.example.org:1'])
    assert.ok(checker.Check({ address }), address)
  for (const address of ['6432', '127.0.0.1', '::1:6432', 'host:', 'a b:1', ':1'])
    assert.equal(checker.Check({ address }), false, address)
})

test('the schema is plain JSON, closed at every level', () => {
  const schema: unknown = JSON.parse(JSON.stringify(Config))
  const open = [...objectsOf(schema)].filter((each) => each['properties'] !== undefined && each['additionalProperties'] !== false)
  assert.deepEqual(open, [])
})

function* objectsOf(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Record<string, unknown>
  for (const each of Object.values(value)) yield* objectsOf(each)
}
