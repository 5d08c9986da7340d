import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

const TESTED = `
version: 1
rules:
  - id: no-drop
    action: block
    match: { verb: drop }
    reason: tables stay
tests:
  - { as: { kind: agent }, sql: DROP TABLE orders, expect: { action: block, rules: [no-drop] } }
  - { as: { kind: agent }, sql: SELECT 1, expect: { action: EXPECTED } }
`

test('the tests inside a policy file decide the exit code', async () => {
  await using gateway = await echoGateway()
  const file = join(gateway.folder, 'tested.yaml')
  await writeFile(file, TESTED.replace('EXPECTED', 'allow'))
  const good = await runCli(['policy', 'test', file])
  assert.deepEqual([good.code, good.out], [0, '2 of 2 statements judged as expected\n'])
  await writeFile(file, TESTED.replace('EXPECTED', 'block'))
  const bad = await runCli(['policy', 'test', 'tested.yaml', '--json'], { cwd: gateway.folder })
  assert.equal(bad.code, 1)
  assert.equal(JSON.parse(bad.out).failed, 1)
})

test('an explanation shows what was seen and which rule decides', async () => {
  await using gateway = await echoGateway()
  const world = { cwd: gateway.folder }
  const held = await runCli(['policy', 'explain', 'please open'], world)
  assert.equal(held.code, 0)
  assert.match(held.out, /^hold: ask-first/)
  assert.match(held.out, /agent-7/)
  const explained = JSON.parse((await runCli(['policy', 'explain', 'damn', '--as', 'eve', '--json'], world)).out)
  assert.equal(explained.verdict.act, 'block')
  assert.equal(explained.identity.subject, 'eve')
  const token = JSON.parse(
    (await runCli(['policy', 'explain', 'damn', '--kind', 'service', '--groups', 'ci', '--json'], world)).out,
  )
  assert.deepEqual(token.identity, { subject: 'some-service', kind: 'service', groups: ['ci'] })
})

test('an identity or target that is not configured is named with those that are', async () => {
  await using gateway = await echoGateway()
  const world = { cwd: gateway.folder }
  assert.match((await runCli(['policy', 'explain', 'x', '--as', 'zoe'], world)).err, /known: agent-7, eve, grace/)
  assert.match((await runCli(['policy', 'explain', 'x', '--target', 'zoo'], world)).err, /known: parrot/)
})

test('two policies are compared over a file of statements, and a policy is linted', async () => {
  await using gateway = await echoGateway()
  const world = { cwd: gateway.folder }
  await writeFile(
    join(gateway.folder, 'old.yaml'),
    'version: 1\nrules: [{ id: a, on: echo, match: { text: "*secret*" }, action: block }]',
  )
  await writeFile(
    join(gateway.folder, 'new.yaml'),
    'version: 1\nrules: [{ id: a, on: echo, match: { text: "*hidden*" }, action: block }]',
  )
  await writeFile(join(gateway.folder, 'asked.txt'), '-- what they ask\nhello\n\na secret\n')
  const differ = await runCli(['policy', 'diff', 'old.yaml', 'new.yaml', '--statements', 'asked.txt'], world)
  assert.equal(differ.code, 1)
  assert.match(differ.out, /^block -> allow {2}agent-7 on parrot: a secret\n/)
  assert.match(differ.out, /\n1 of 2 statements judged differently\n$/)
  const same = await runCli(['policy', 'diff', 'old.yaml', 'old.yaml', '--statements', 'asked.txt', '--json'], world)
  assert.deepEqual([same.code, JSON.parse(same.out).statements, JSON.parse(same.out).differences], [0, 2, []])
  const lint = await runCli(['policy', 'lint', 'old.yaml'], world)
  assert.equal(lint.code, 1)
  assert.match(lint.out, /a +no test expects it/)
})

test('packs are listed, and printed as they would stand in a policy', async () => {
  const list = await runCli(['policy', 'packs'])
  assert.match(list.out, /exfiltration +1 +\d+ +what leaves the database/)
  const one = await runCli(['policy', 'packs', 'privilege'])
  assert.match(one.out, /^rules:\n {2}- id: privilege.role-change\n/)
  assert.equal((await runCli(['policy', 'packs', 'privileges'])).code, 1)
})
