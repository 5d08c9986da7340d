import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { addressOf, DEFAULT_LIMITS, durabilityOf, loadConfig } from '../../gateway/config.ts'
import { spoolLimits } from '../../recorder/index.ts'
import { configFolder as folder, GOOD, lineOf, mistakes } from '../support/config.ts'

test('a good configuration is read with absolute paths and every default', async () => {
  await using made = await folder({ 'sallyport.yaml': GOOD })
  const settings = await loadConfig(join(made.path, 'sallyport.yaml'), { SHOP_PASSWORD: 'x' })
  assert.equal(settings.dataDir, join(made.path, 'data'))
  assert.equal(settings.policyFile, join(made.path, 'policy.yaml'))
  assert.equal(settings.durability, 'process')
  assert.deepEqual(settings.limits, DEFAULT_LIMITS)
  assert.deepEqual(settings.listeners, [{ protocol: 'postgres', host: '127.0.0.1', port: 0, tls: { required: true } }])
  assert.deepEqual(settings.targets.get('shop')?.target, {
    name: 'shop',
    protocol: 'postgres',
    host: 'db.internal',
    port: 5432,
    database: 'shop',
    labels: { env: 'production' },
  })
  assert.equal(JSON.stringify([...settings.targets.values()]).includes('"x"'), false, 'secrets are named, not kept')
})

test('every mistake of shape is told at once, each with its line', async () => {
  const text = GOOD.replace('gateway: gw1', 'gateway: GW 1')
    .replace('port: 5432', 'port: 99999')
    .replace('kind: human', 'kind: robot')
  const told = await mistakes(text)
  for (const part of ['gateway: GW 1', 'port: 99999', 'kind: robot'])
    assert.match(told, new RegExp(`sallyport.yaml:${lineOf(text, part)}:`))
})

test('a key nobody knows is refused, with what was probably meant', async () => {
  assert.match(await mistakes(GOOD.replace('dataDir:', 'datadir:')), /did you mean "dataDir"/)
})

test('a command that serves nobody needs none of the secrets', async () => {
  await using made = await folder({ 'sallyport.yaml': GOOD.replace('policy: policy.yaml', 'policy: missing.yaml') })
  assert.equal((await loadConfig(join(made.path, 'sallyport.yaml'))).gateway, 'gw1')
})

test('a password written into the file is refused without being repeated', async () => {
  const told = await mistakes(GOOD.replace('password: { env: SHOP_PASSWORD }', 'password: hunter2'))
  assert.match(told, /password/)
  assert.equal(told.includes('hunter2'), false)
})

test('a missing file is named', async () => {
  await assert.rejects(loadConfig('/nonexistent/sallyport.yaml', {}), { code: 'CONFIG_INVALID', message: /nonexistent/ })
})

test('of all durability levels that apply to a session the strongest counts', async () => {
  const text = GOOD.replace(
    'listeners:',
    'recording:\n  durability: disk\n  raise:\n    - { labels: { env: production }, kinds: [agent], durability: blob }\nlisteners:',
  ).replace('protocol: postgres\n', 'protocol: postgres\n    durability: process\n')
  await using made = await folder({ 'sallyport.yaml': text })
  const settings = await loadConfig(join(made.path, 'sallyport.yaml'), { SHOP_PASSWORD: 'x' })
  const shop = settings.targets.get('shop')
  assert.ok(shop)
  assert.equal(durabilityOf(settings, shop, 'agent'), 'blob')
  assert.equal(durabilityOf(settings, shop, 'human'), 'disk')
  assert.equal(durabilityOf(settings, { ...shop, durability: 'blob' }, 'human'), 'blob')
  const elsewhere = { ...shop, target: { ...shop.target, labels: {} } }
  assert.equal(durabilityOf(settings, elsewhere, 'agent'), 'disk')
})

test('the spool is as large as configured, in files of which some can wait', () => {
  assert.deepEqual(spoolLimits({}), {})
  const small = spoolLimits({ size: 16, session: 2 })
  assert.deepEqual(small, { walSize: 4 << 20, walCount: 4, walReserveSize: 1 << 19, budgetSize: 2 << 20, sharedSize: 0 })
  assert.equal(spoolLimits({ size: 16 }).sharedSize, 4 << 20)
  const large = spoolLimits({ size: 4096 })
  assert.deepEqual([large.walSize, large.walCount], [64 << 20, 64])
})

test('addresses: IPv6 in brackets, and a star for everything', () => {
  assert.deepEqual(addressOf('[::1]:6432'), { host: '::1', port: 6432 })
  assert.deepEqual(addressOf('*:6432'), { host: '::', port: 6432 })
  assert.deepEqual(addressOf('db.example.org:1'), { host: 'db.example.org', port: 1 })
})

test('replicas of one configuration have names of their own, the same at each start', async () => {
  await using made = await folder({ 'sallyport.yaml': GOOD })
  const named = async (env: Record<string, string>): Promise<string> =>
    (await loadConfig(join(made.path, 'sallyport.yaml'), { SHOP_PASSWORD: 'x', ...env })).gateway
  assert.equal(await named({}), 'gw1')
  const first = await named({ SALLYPORT_REPLICA: 'gateway-0' })
  assert.match(first, /^gw1r[0-9a-f]{8}$/)
  assert.equal(await named({ SALLYPORT_REPLICA: 'gateway-0' }), first)
  assert.notEqual(await named({ CONTAINER_APP_REPLICA_NAME: 'ca-gateway--1-abc' }), first)
})
