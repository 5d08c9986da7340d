import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { soften } from '../../gateway/yaml-soften.ts'
import { Config } from '../../schemas/config.ts'
import { PolicyFile } from '../../schemas/policy.ts'

test('what has the right type stays, even where it breaks a bound; the rest is made up, and what nobody knows is left out', () => {
  const soft = soften(Config, { gateway: '', dataDir: 7, targets: [{ name: 'shop', port: 'many', groups: ['a', 5] }], more: 1 })
  assert.deepEqual(soft, {
    gateway: '',
    dataDir: '',
    policy: '',
    listeners: {},
    targets: [{ name: 'shop', protocol: 'echo', port: 1, groups: ['a', ''] }],
  })
})

test('whatever comes, what comes out can be walked like the real thing', () => {
  fc.assert(
    fc.property(fc.object(), (value) => {
      const policy = soften(PolicyFile, value) as PolicyFile // that is its contract
      for (const rule of policy.rules ?? []) assert.equal(typeof rule.id, 'string')
      const config = soften(Config, { ...value, targets: [value] }) as Config
      assert.ok(Array.isArray(config.targets[0]?.groups))
    }),
  )
})

test('of a union the branch stays that the value fits, or has most in common with', () => {
  const soft = (password: unknown) => {
    const config = { gateway: 7, targets: [{ name: 'shop', credential: { user: 'x', password } }] }
    return (soften(Config, config) as Config).targets[0]?.credential?.password
  }
  assert.deepEqual(soft({ file: 'secret' }), { file: 'secret' })
  assert.deepEqual(soft({ env: 'SECRET' }), { env: 'SECRET' })
  assert.deepEqual(soft({ file: 'secret', more: 1 }), { file: 'secret' })
  assert.deepEqual(soft('secret'), { env: '' })
})
