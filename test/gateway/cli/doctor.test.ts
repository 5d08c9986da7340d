import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startAzurite } from '../../support/azurite.ts'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

test('a healthy deployment on a folder: every check in a line, exit code 0', async () => {
  await using gateway = await echoGateway()
  const { code, out, err } = await runCli(['doctor', '--config', gateway.config])
  assert.equal(code, 0, out + err)
  for (const line of [/^ok {8}store append: /m, /^ok {8}target parrot: /m, /spool: \d+ MiB/m]) assert.match(out, line)
  assert.match(out, /warning .*signing key: none yet.*\n +-> /)
})

test('a folder that takes nothing is to be given to the gateway, and nothing is said of containers', async () => {
  await using gateway = await echoGateway()
  await mkdir(gateway.dataDir, { mode: 0o700 })
  await writeFile(join(gateway.dataDir, 'doctor'), 'a file where a folder has to be')
  const { code, out } = await runCli(['doctor', '--config', gateway.config])
  assert.equal(code, 1, out)
  assert.match(out, /^FAILED {4}store append: .*\n +-> let the gateway's user read and write \//m)
})

test('more rights than there should be: exit code 3; something that fails: 1', async () => {
  await using azurite = await startAzurite()
  const { url, container, access } = await azurite.place()
  const key = 'key' in access ? access.key : ''
  await using gateway = await echoGateway({
    extra: `store: { blob: { url: '${url}', container: ${container}, key: { env: STORE_KEY } } }\n`,
  })
  const { code, out } = await runCli(['doctor', '--json', '--config', gateway.config], { env: { STORE_KEY: key } })
  assert.equal(code, 3, out)
  const told: { exit: number; checks: { what: string; status: string }[] } = JSON.parse(out)
  assert.equal(told.exit, 3)
  assert.deepEqual(told.checks.find(({ what }) => what === 'rights')?.status, 'excess')

  const wrong = await runCli(['doctor', '--config', gateway.config], { env: { STORE_KEY: Buffer.alloc(64).toString('base64') } })
  assert.equal(wrong.code, 1)
  assert.match(wrong.out, /^FAILED .*store append: .*403/m)
})

test('where the gateway could not start, doctor says so', async () => {
  await using gateway = await echoGateway({ extra: 'shared: { url: { env: SHARED } }\n' })
  const SHARED = 'postgres://nobody@127.0.0.1:1/none'
  const { code, out } = await runCli(['doctor', '--config', gateway.config], { env: { SHARED } })
  assert.equal(code, 1, out)
  assert.match(out, /^FAILED .*shared database: .*ECONNREFUSED.*\n +-> without it the gateway does not start/m)
  assert.match(out, /^ok {8}certificate listeners.echo: /m)
})

test('a configuration with mistakes is told as by every command', async () => {
  await using gateway = await echoGateway()
  await writeFile(gateway.config, 'gateway: 7\n')
  const { code, err } = await runCli(['doctor', '--config', gateway.config])
  assert.equal(code, 1)
  assert.match(err, /CONFIG_INVALID/)
})
