import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '../../../gateway/cli/program.ts'
import { StoreLedger } from '../../../recorder/index.ts'
import { MAX_KEYS_SIZE } from '../../../schemas/gateway-keys.ts'
import { MAX_PROOF_SIZE } from '../../../schemas/verify/tlog-proof.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

test('entries are listed and shown, a session is proved, and the proof is checked without the store', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const { store, signer } = folder
  const ledger = await StoreLedger.open({ store, gateway: 'gw1-cli', signer })
  await ledger.append({ type: 'key.create', key: 'k1', subject: 'agent-7\u001b[31m' })
  await ledger.close()
  const say = async (...args: string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const cli = terminal(folder)
    return { code: await run(['ledger', ...args], cli), text: cli.text() }
  }
  const list = await say('list')
  assert.match(list.text, new RegExp(`^0 .* gw1/1 +session.open +${id} `, 'm'))
  assert.match(list.text, /^1 .* gw1\/2 +session.close /m)
  assert.ok(!list.text.includes('\u001b'))
  const keys = (await say('list', '--type', 'key', '--json')).text.trim().split('\n')
  assert.deepEqual(
    keys.map((line) => JSON.parse(line).key),
    [JSON.parse(keys[0] ?? '').key],
  )
  assert.equal(JSON.parse((await say('list', '--last', '1', '--json')).text).type, 'key.create')
  const atOf = (line: string): string => JSON.parse(line).at
  const [opened = '', ...later] = (await say('list', '--json')).text.trim().split('\n')
  const from = new Date(Date.parse(atOf(opened)) + 1).toISOString()
  const kept = [opened, ...later].filter((line) => atOf(line) >= from)
  assert.equal((await say('list', '--since', from, '--json')).text.trim(), kept.join('\n'))
  assert.equal((await say('list', '--until', from, '--json')).text.split('\n')[0], opened)
  assert.equal((await say('list', '--until', '2001-01-01')).text, 'the ledger has no such entry\n')
  assert.match((await say('list', '--since', 'soon')).text, /--since/)
  assert.match((await say('show', id)).text, /^type: "session.open"$/m)
  assert.equal((await say('show', '99')).code, 1)
  // By the end of its id, which is no index, though it is all digits.
  const end = id.slice(-8)
  assert.match(end, /^0/)
  assert.equal((await say('show', end)).text, (await say('show', id)).text)
  assert.equal((await say('list', '--session', end)).text, (await say('list', '--session', id)).text)
  assert.match((await say('show', id.slice(0, 8))).text, /STORE_MISSING/)

  const checkpoint = JSON.parse((await say('checkpoint', '--json')).text)
  assert.deepEqual([checkpoint.size, checkpoint.signed], [3, true])
  assert.equal((await say('checkpoint')).text.split('\n')[1], '3')
  const key = (await say('checkpoint', '--keys')).text.trim()
  assert.equal(key, checkpoint.keys[0])

  assert.equal((await say('proof', id, '--out', 'session.tlog-proof')).code, 0)
  assert.equal((await say('proof', id.slice(-8))).text, await readFile(join(folder.path, 'session.tlog-proof'), 'utf8'))
  const proof = await readFile(join(folder.path, 'session.tlog-proof'), 'utf8')
  assert.match(proof, /^c2sp.org\/tlog-proof@v1\nextra \S+\nindex 0\n(\S{44}\n){2}\nsallyport\.gw1\//)
  const told = JSON.parse((await say('proof', id, '--out', 'again.tlog-proof', '--json')).text)
  assert.deepEqual(told, { index: 0, out: 'again.tlog-proof' })
  assert.deepEqual(JSON.parse((await say('proof', id, '--json')).text), { index: 0, proof })
  const checked = await say('check-proof', 'session.tlog-proof', '--key', key, '--json')
  assert.equal(checked.code, 0, checked.text)
  assert.equal(JSON.parse(checked.text).statement.session, id)
  assert.match(
    (await say('check-proof', 'session.tlog-proof')).text,
    /^entry 0 of sallyport\.gw1\/\w+ \(session.open by gw1 at .*signed by sallyport/,
  )
  const trust = join(folder.path, 'keys', 'gateway.pub')
  assert.equal((await say('check-proof', 'session.tlog-proof', '--trust', trust)).code, 0)
  await writeFile(join(folder.path, 'large.pub'), '#'.repeat(MAX_KEYS_SIZE + 1))
  const large = await say('check-proof', 'session.tlog-proof', '--trust', 'large.pub')
  assert.deepEqual([large.code, /CONFIG_INVALID.*is no file of public keys/.test(large.text)], [1, true], large.text)
  const nowhere = await say('check-proof', 'session.tlog-proof', '--trust', 'nowhere.pub')
  assert.deepEqual([nowhere.code, /CONFIG_INVALID.*nowhere\.pub cannot be read/.test(nowhere.text)], [1, true], nowhere.text)

  for (const [what, changed] of [
    ['another place', proof.replace('index 0', 'index 1')],
    ['another size', proof.replace('\n3\n', '\n4\n')],
    ['another entry', proof.replace(/extra \S+/, `extra ${Buffer.from('[]').toString('base64')}`)],
    ['no entry', proof.replace(/extra \S+\n/, '')],
    ['no proof', proof.slice(10)],
  ] as const) {
    await writeFile(join(folder.path, 'changed.tlog-proof'), changed)
    const refused = await say('check-proof', 'changed.tlog-proof', '--key', key)
    assert.deepEqual([refused.code, /LEDGER_MALFORMED/.test(refused.text)], [1, true], what)
  }
  const stranger = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  assert.match((await say('check-proof', 'session.tlog-proof', '--key', stranger)).text, /signed by no key that is trusted/)
})

test('a proof that comes through a pipe is read to its end, and what is larger than any is refused', async () => {
  await using folder = await recordingFolder()
  await recorded(folder)
  const ledger = await StoreLedger.open({ store: folder.store, gateway: 'gw1-cli', signer: folder.signer })
  await ledger.append({ type: 'key.create', key: 'k1', subject: 'a'.repeat(60_000) })
  await ledger.close()
  const cli = terminal(folder)
  const say = (...args: string[]): Promise<number> => run(['ledger', ...args], cli)
  assert.equal(await say('proof', '2', '--out', 'proof'), 0, cli.text())
  const [proof, pipe] = ['proof', 'pipe'].map((name) => join(folder.path, name)) as [string, string] // two were named
  // More than a pipe holds.
  assert.ok((await readFile(proof)).length > 65_536)
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0)
  spawn('sh', ['-c', 'cat proof > pipe'], { cwd: folder.path })
  assert.equal(await say('check-proof', 'pipe'), 0, cli.text())
  await writeFile(proof, 'x'.repeat(MAX_PROOF_SIZE + 1))
  assert.equal(await say('check-proof', 'proof'), 1)
  assert.match(cli.text(), /LEDGER_MALFORMED: a proof has at most/)
})

test('a checkpoint and a proof in which somebody put what acts on a terminal are shown, and do nothing', async () => {
  await using folder = await recordingFolder()
  await recorded(folder)
  await (await StoreLedger.open({ store: folder.store, gateway: 'gw1-cli', signer: folder.signer })).close()
  const checkpoints = join(folder.path, 'ledger', 'checkpoint')
  const [newest = ''] = (await readdir(checkpoints, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .sort()
    .reverse()
  const text = await readFile(newest, 'utf8')
  await chmod(newest, 0o600)
  await writeFile(newest, text.replace('\n\n', '\n\u009b31m\u202e\n\n'))
  for (const what of [['checkpoint'], ['proof', '0']]) {
    const cli = terminal(folder)
    await run(['ledger', ...what], cli)
    assert.match(cli.text(), /\\x9b31m\\u\{202e\}/)
    assert.doesNotMatch(cli.text(), /[\u009b\u202e]/)
  }
})
