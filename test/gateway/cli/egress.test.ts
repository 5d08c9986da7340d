import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../support/cli.ts'

test('`egress ca` prints the certificate and never the key', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-egress-ca-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const config = join(folder, 'sallyport.yaml')
  await writeFile(join(folder, 'policy.yaml'), 'version: 1\nrules: []\n')
  const common = `gateway: gw1\ndataDir: data\npolicy: policy.yaml\nidentities: [{ subject: agent-7, kind: agent, principal: ada, groups: [agents] }]\n`
  const target = `{ name: egress, protocol: egress, groups: [agents], egress: { allow: [a.example], intercept: { hosts: ['*'] } } }`
  await writeFile(config, `${common}listeners: { egress: { address: '127.0.0.1:0' } }\ntargets: [${target}]\n`)
  const printed = await runCli(['egress', 'ca', '--config', config])
  assert.equal(printed.code, 0, printed.err)
  assert.ok(new X509Certificate(printed.out).ca && !printed.out.includes('KEY'))
  const json = JSON.parse((await runCli(['egress', 'ca', '--config', config, '--json'])).out)
  assert.equal(json.cert, printed.out)
  assert.equal(json.sha256, new X509Certificate(printed.out).fingerprint256.replaceAll(':', '').toLowerCase())
})

test('where there is no forward proxy there is no authority either', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-egress-ca-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const config = join(folder, 'sallyport.yaml')
  await writeFile(join(folder, 'policy.yaml'), 'version: 1\nrules: []\n')
  await writeFile(
    config,
    `gateway: gw1\ndataDir: data\npolicy: policy.yaml\nidentities: [{ subject: agent-7, kind: agent, principal: ada, groups: [agents] }]\nlisteners: { echo: { address: '127.0.0.1:0' } }\ntargets: [{ name: e, protocol: echo, host: localhost, port: 1, groups: [agents], credential: { user: u } }]\n`,
  )
  const told = await runCli(['egress', 'ca', '--config', config])
  assert.notEqual(told.code, 0)
  assert.match(told.err, /listeners\.egress/)
})
