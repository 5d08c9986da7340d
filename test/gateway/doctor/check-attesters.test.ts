import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkAttesters } from '../../../gateway/doctor/check-attesters.ts'
import { timestampAuthority } from '../../support/timestamp-authority.ts'
import { testWitness } from '../../support/witness.ts'

test('witnesses, authorities and anchors are asked for something, and whoever cannot be is told', async () => {
  await using served = await testWitness([])
  await using authority = await timestampAuthority()
  const stranger = createServer((_, response) => response.end('hello'))
  await once(stranger.listen(0, '127.0.0.1'), 'listening')
  const other = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}` // it listens on TCP
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'))
  try {
    const urls = [served.url, other, 'http://127.0.0.1:1/']
    const checks = await checkAttesters(
      {
        witnesses: urls.map((url) => ({ url, key: 'unused' })),
        timestamps: [
          { name: 'tsa', url: authority.url },
          { name: 'none', url: other },
        ],
        anchors: [
          { name: 'worm', place: { folder: join(folder, 'anchor') } },
          { name: 'gone', place: { folder: '/dev/null/anchor' } },
        ],
      },
      'gw1',
    )
    assert.deepEqual(
      checks.map(({ what, status }) => `${what} ${status}`),
      [
        `witness ${served.url} ok`,
        `witness ${other} failed`,
        'witness http://127.0.0.1:1/ failed',
        'timestamp authority tsa ok',
        'timestamp authority none failed',
        'anchor worm: store append ok',
        'anchor worm: store list ok',
        'anchor gone: store append failed',
        'anchor gone: store list ok',
      ],
    )
  } finally {
    stranger.close()
    await rm(folder, { recursive: true, force: true })
  }
})
