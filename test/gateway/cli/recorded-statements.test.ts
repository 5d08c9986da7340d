import assert from 'node:assert/strict'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { askedAgain } from '../../../gateway/cli/recorded-statements.ts'
import { runCli } from '../../support/cli.ts'
import { recorded } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

const policy = (verb: string): string =>
  `version: 1\nrules: [{ id: no-${verb.toLowerCase()}, on: postgres, match: { verb: ${verb} }, action: block }]\n`

test('two policies are compared over recorded sessions; a tape that cannot be read is named and the others go on', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const id = await recorded(folder, room)
  await writeFile(join(folder.path, 'policy.yaml'), policy('DROP'))
  await writeFile(join(folder.path, 'next.yaml'), policy('SELECT'))
  const world = { cwd: folder.path }
  const same = await runCli(['policy', 'diff', 'policy.yaml', 'policy.yaml'], world)
  assert.deepEqual([same.code, same.out, same.err], [0, '0 of 2 statements judged differently\n', ''])
  const differ = await runCli(['policy', 'diff', 'policy.yaml', 'next.yaml', '--json'], world)
  const report = JSON.parse(differ.out)
  assert.deepEqual([differ.code, report.statements, report.different, report.others, report.unread], [1, 2, 2, 0, []])
  assert.deepEqual(
    report.differences.map((each: { session: string; text: string }) => [each.session, each.text]),
    [
      [id, 'SELECT 1'],
      [id, 'DROP TABLE orders'],
    ],
  )
  const second = await recorded(folder, room)
  const files = (await readdir(folder.path, { recursive: true, withFileTypes: true }))
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => path.includes(id) && path.includes('tapes'))
  assert.ok(files.length > 0)
  for (const path of files) {
    await chmod(path, 0o600)
    await writeFile(path, 'nothing of the kind')
  }
  const damaged = await runCli(['policy', 'diff', 'policy.yaml', 'policy.yaml'], world)
  assert.equal(damaged.code, 1)
  assert.equal(damaged.out, '0 of 2 statements judged differently\n', `those of ${second}`)
  assert.match(damaged.err, new RegExp(`^${id} cannot be read: `))
})

test('a policy is asked what a text can stand for, in the form in which it is asked', () => {
  assert.equal(askedAgain('http', 'request', 'POST /mcp\n{"a":1}'), 'POST /mcp\n\n{"a":1}')
  assert.equal(askedAgain('http', 'ws-call', '{}'), undefined)
  assert.equal(askedAgain('ssh', 'line', 'ls'), 'ls')
  for (const kind of ['shell', 'subsystem', 'forward', 'file']) assert.equal(askedAgain('ssh', kind, 'x'), undefined)
  assert.equal(askedAgain('postgres', 'execute', 'SELECT 1'), 'SELECT 1')
  assert.equal(askedAgain('postgres', 'function-call', 'function with oid 1'), undefined)
})
