import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertRan, clientHere, run } from '../support/clients.ts'
import { startSshGateway, TARGET } from '../support/ssh-gateway.ts'

const EMAIL = ['lovelace', 'example.org'].join('@')

test('a file comes whole and masked from a target that gives 16 KiB at once, whatever the client asks for', async (t) => {
  const program = clientHere(t, 'sftp')
  await using gateway = await startSshGateway(t)
  if (gateway === undefined || program === undefined) return
  const server = join(gateway.sshd.files, 'sftp-server')
  await copyFile(join(import.meta.dirname, '../support/short_sftp_server.py'), server)
  await run('chmod', ['755', server])
  const text = Buffer.from('a b '.repeat(1024 * 1024))
  for (let at = 16_384; at < text.length; at += 16_384) text.write(` ${EMAIL} `, at - 10)
  const from = join(gateway.sshd.files, 'down')
  const to = join(gateway.folder, 'got')
  await writeFile(from, text)
  const started = performance.now()
  const flags = [...gateway.options(), '-s', server, '-b', '-', `agent+${TARGET}@127.0.0.1`]
  assertRan(await run(program, flags, { input: `get ${from} ${to}\n` }), 'sftp')
  t.diagnostic(`${Math.round(text.length / 1024 / 1024 / ((performance.now() - started) / 1000))} MiB/s`)
  assert.equal((await readFile(to)).toString(), text.toString().replaceAll(EMAIL, '*'.repeat(EMAIL.length)))
})
