import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCli } from '../../support/cli.ts'

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
  const { err } = await runCli(['replay', 'x', '--frame', 'many'])
  assert.match(err, /'--frame <number>' argument 'many' is invalid\. It takes a whole number\./)
})

test('a configuration and a proof that are not there are said so, whatever asks for them', async () => {
  for (const args of [['sessions'], ['replay', 'x'], ['search', 'x'], ['verify']]) {
    const { code, err } = await runCli([...args, '--config', '/nowhere.yaml'])
    assert.equal(code, 1, args[0])
    assert.match(err, /CONFIG_INVALID: \/nowhere\.yaml cannot be read: ENOENT/, args[0])
  }
  const { err } = await runCli(['ledger', 'check-proof', '/nowhere.tlog-proof'])
  assert.match(err, /STORE_MISSING: \/nowhere\.tlog-proof does not exist/)
})

test('a key file that cannot be read is named as such', async () => {
  const { code, err } = await runCli(['findings', 'list', '--url', 'http://127.0.0.1:1', '--key-file', '/nowhere/key'])
  assert.equal(code, 1)
  assert.match(err, /AUTH_REQUIRED: the key file \/nowhere\/key cannot be read: ENOENT/)
})
