import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findConfig, processCli } from '../../../gateway/cli/context.ts'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

const COMMANDS = [
  'serve',
  'demo',
  'verify',
  'sessions',
  'replay',
  'approvals list',
  'approvals show',
  'approvals approve',
  'approvals reject',
]
const MORE = ['approvals watch', 'keys create', 'keys list', 'keys revoke', 'policy test', 'policy explain']

for (const command of [...COMMANDS, ...MORE]) {
  test(`${command} --help says what it does and ends with 0`, async () => {
    const { code, out } = await runCli([...command.split(' '), '--help'])
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^Usage: sallyport ${command}`))
    assert.match(out, /--json/)
  })
}

test('wrong usage ends with 2 and says what is wrong', async () => {
  for (const args of [
    ['nope'],
    ['approvals', 'approve'],
    ['serve', '--workers', '0'],
    ['serve', '--workers', 'many'],
    ['keys', 'create', 'x', '--wat'],
  ]) {
    const { code, err } = await runCli(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, /error:/)
  }
})

test('the program itself: version on stdout, Node checked, exit codes passed on', () => {
  const main = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))
  const version = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
  assert.equal(version.status, 0)
  assert.equal(spawnSync(process.execPath, [main, 'nope']).status, 2)
})

test('the configuration is the one named, else the variable, else beside the caller, else the demo', async () => {
  await using gateway = await echoGateway()
  const at = (cwd: string, env: NodeJS.ProcessEnv = {}) => ({ ...processCli, cwd, env })
  const demo = join(gateway.folder, 'clone')
  await mkdir(join(demo, '.sallyport'), { recursive: true })
  await writeFile(join(demo, '.sallyport', 'sallyport.yaml'), '')
  assert.equal(findConfig('a.yaml', at('/x', { SALLYPORT_CONFIG: 'b.yaml' })), '/x/a.yaml')
  assert.equal(findConfig(undefined, at(gateway.folder, { SALLYPORT_CONFIG: '/b.yaml' })), '/b.yaml')
  assert.equal(findConfig(undefined, at(gateway.folder)), gateway.config)
  assert.equal(findConfig(undefined, at(demo)), join(demo, '.sallyport', 'sallyport.yaml'))
  assert.throws(() => findConfig(undefined, at('/nonexistent')), { code: 'CONFIG_INVALID' })
})

test('an error is one line on stderr, or JSON where JSON was asked for, and ends with 1', async () => {
  const plain = await runCli(['approvals', 'list', '--config', '/nonexistent/x.yaml'])
  assert.equal(plain.code, 1)
  assert.match(plain.err, /^sallyport: CONFIG_INVALID: /)
  const json = await runCli(['approvals', 'list', '--json', '--config', '/nonexistent/x.yaml'])
  assert.equal(JSON.parse(json.err).error.code, 'CONFIG_INVALID')
  assert.equal(json.out, '')
})
