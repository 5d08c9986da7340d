import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { parseWitnessKey } from '../../../schemas/verify/cosignature.ts'
import { runCli } from '../../support/cli.ts'

test('without logs it makes its key once, prints it and says what to do with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-witness-'))
  try {
    const args = ['witness', '--folder', join(folder, 'w'), '--name', 'audit.example/w1']
    const first = await runCli(args)
    assert.equal(first.code, 0, first.err)
    assert.equal(parseWitnessKey(nodeTools, first.out.trim()).name, 'audit.example/w1')
    assert.match(first.err, /ledger\.witnesses/)
    assert.equal((await runCli(args)).out, first.out)
    assert.equal((await runCli([...args, '--log', 'no-key'])).code, 1)
    for (const address of ['nonsense', '127.0.0.1:', '127.0.0.1:70000', '::1:8080']) {
      const refused = await runCli([...args, '--address', address])
      assert.deepEqual([refused.code, refused.out], [1, ''])
      assert.match(refused.err, /CONFIG_INVALID: --address .*give host:port/)
    }
    assert.equal((await runCli([...args, '--address', '[::1]:8080'])).code, 0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
