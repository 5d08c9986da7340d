import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openShared } from '../../gateway/shared.ts'
import { refused } from '../recorder/desk/contract.ts'
import { startPostgres } from '../support/pg-server.ts'

test('a key that gateways share is one of 32 bytes, the same for all, or it is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-shared-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await using server = await startPostgres({ tls: false })
  const env = { SHARED_URL: `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres` }
  const open = (name: string): ReturnType<typeof openShared> =>
    openShared({ dataDir: join(folder, name), from: (path) => path, shared: { url: { env: 'SHARED_URL' } } }, env)
  await using one = await open('one')
  await using other = await open('other')
  const key = await one.key('approval-binding')
  assert.equal(key.length, 32)
  assert.deepEqual(await other.key('approval-binding'), key)
  for (const spoilt of ['', 'AAAA', Buffer.alloc(33).toString('base64'), '%%%']) {
    await server.sql(`update desk.records set value = '${spoilt}' where folder = 'keys' and name = 'approval-binding'`)
    await refused('CONFIG_INVALID', other.key('approval-binding'))
  }
})
