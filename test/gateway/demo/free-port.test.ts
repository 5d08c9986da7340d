import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { steadyPort } from '../../../gateway/demo/free-port.ts'

const temp = mkdtempSync(join(tmpdir(), 'sallyport-free-port-'))
after(() => rmSync(temp, { recursive: true, force: true }))

test('the same port comes back while it is free, and another when it is taken', async () => {
  const file = join(temp, 'port')
  const port = await steadyPort(file)
  assert.ok(port > 0)
  assert.equal(await steadyPort(file), port)
  const squatter = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => squatter.once('listening', resolve))
  try {
    assert.notEqual(await steadyPort(file, port), port)
  } finally {
    await new Promise((resolve) => squatter.close(resolve))
  }
})
