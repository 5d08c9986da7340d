import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { findConfig, processCli, table } from '../../../gateway/cli/context.ts'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

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

test('columns line up, and no cell can act on the terminal', () => {
  assert.equal(
    table([
      ['ID', 'STATE'],
      ['A-1', 'pend\u001bing'],
      ['A-12345', ''],
    ]),
    'ID       STATE\nA-1      pend\\x1bing\nA-12345\n',
  )
})
