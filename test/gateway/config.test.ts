import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { addressOf, DEFAULT_LIMITS, loadConfig } from '../../gateway/config.ts'
import { ApplianceError } from '../../schemas/errors.ts'

const GOOD = `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  postgres:
    address: 127.0.0.1:0
targets:
  - name: shop
    protocol: postgres
    host: db.internal
    port: 5432
    database: shop
    labels: { env: production }
    groups: [agents]
    tls: { mode: verify, ca: ca.pem }
    credential:
      user: gateway
      password: { env: SHOP_PASSWORD }
identities:
  - subject: agent:claude
    kind: agent
    groups: [agents]
    principal: ana@example.org
  - subject: ana@example.org
    kind: human
    groups: [dba]
`

async function folder(files: Record<string, string>): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-config-'))
  for (const [name, text] of Object.entries({ 'policy.yaml': 'rules: []', 'ca.pem': 'certificates', ...files })) {
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function mistakes(
  text: string,
  env: NodeJS.ProcessEnv = { SHOP_PASSWORD: 'x' },
  files: Record<string, string> = {},
): Promise<string> {
  await using made = await folder({ 'sallyport.yaml': text, ...files })
  try {
    await loadConfig(join(made.path, 'sallyport.yaml'), env)
  } catch (error) {
    assert.ok(error instanceof ApplianceError)
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.message.replaceAll(made.path, '')
  }
  return ''
}

/** The 1-based line of GOOD (or a changed copy) that has this text. */
const lineOf = (text: string, part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1

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

test('what cannot be enforced is refused at start, all at once', async () => {
  const text = GOOD.replace('groups: [agents]\n    tls', 'groups: [agents, ghosts]\n    tls')
    .replace('policy: policy.yaml', 'policy: missing.yaml')
    .replace('ca: ca.pem', 'ca: gone.pem')
  const told = await mistakes(text, {})
  assert.match(told, /4 mistakes/)
  assert.match(told, new RegExp(`:${lineOf(text, 'ghosts')}:.*nobody can be in the group ghosts`))
  assert.match(told, new RegExp(`:${lineOf(text, 'missing.yaml')}:.*missing.yaml cannot be read .ENOENT.`))
  assert.match(told, new RegExp(`:${lineOf(text, 'gone.pem')}:.*gone.pem cannot be read`))
  assert.match(told, new RegExp(`:${lineOf(text, 'SHOP_PASSWORD')}:.*environment variable SHOP_PASSWORD is not set`))
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

const CASES: readonly (readonly [title: string, from: string, to: string, told: RegExp])[] = [
  [
    'a listener without a target',
    'postgres:\n    address: 127.0.0.1:0',
    'postgres: { address: 127.0.0.1:0 }\n  echo: { address: 127.0.0.1:0 }',
    /no target speaks echo/,
  ],
  ['a target without a listener', 'protocol: postgres', 'protocol: echo', /no listener speaks echo/],
  [
    'clear text off loopback',
    'address: 127.0.0.1:0',
    'address: 0.0.0.0:5432\n    tls: { mode: optional }',
    /optional sends access keys in clear/,
  ],
  [
    'half a certificate',
    'address: 127.0.0.1:0',
    'address: 127.0.0.1:0\n    tls: { cert: ca.pem }',
    /cert and key belong together/,
  ],
  ['the same subject twice', 'subject: ana@example.org', 'subject: agent:claude', /agent:claude stands here twice/],
  ['an agent that is its own principal', 'principal: ana@example.org', 'principal: agent:claude', /somebody else/],
  ['a CA that nothing verifies', 'mode: verify, ca: ca.pem', 'mode: unverified, ca: ca.pem', /nothing is verified/],
  ['an impossible port', '127.0.0.1:0', '127.0.0.1:70000', /above 65535/],
  ['nobody to let in', GOOD.slice(GOOD.indexOf('identities:')), '', /nobody can knock/],
]
for (const [title, from, to, told] of CASES) {
  test(`refused: ${title}`, async () => {
    assert.ok(GOOD.includes(from))
    assert.match(await mistakes(GOOD.replace(from, () => to)), told)
  })
}

test('a missing file is named', async () => {
  await assert.rejects(loadConfig('/nonexistent/sallyport.yaml', {}), { code: 'CONFIG_INVALID', message: /nonexistent/ })
})

test('addresses: IPv6 in brackets, and a star for everything', () => {
  assert.deepEqual(addressOf('[::1]:6432'), { host: '::1', port: 6432 })
  assert.deepEqual(addressOf('*:6432'), { host: '::', port: 6432 })
  assert.deepEqual(addressOf('db.example.org:1'), { host: 'db.example.org', port: 1 })
})
