import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { UpstreamTls } from '../../../../gateway/credentials/credential.ts'
import { cancelUpstream } from '../../../../gateway/protocols/postgres/cancel.ts'
import { loginUpstream } from '../../../../gateway/protocols/postgres/login.ts'
import { ServerError } from '../../../../gateway/protocols/postgres/startup-error.ts'
import { CANCEL_CODE, writeRequest } from '../../../../gateway/protocols/postgres/startup-packet.ts'
import { simpleQuery } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { fakeServer } from '../../../support/pg-peer.ts'
import { startPostgres } from '../../../support/pg-server.ts'

const never = new AbortController().signal
const server = await startPostgres()
after(() => server.stop())
const target = { name: 'shop', protocol: 'postgres', host: '127.0.0.1', port: server.port, labels: {} } as const

for (const tls of [{ mode: 'off' }, { mode: 'verify', ca: server.identity.cert }] as const satisfies readonly UpstreamTls[]) {
  for (const minor of [0, 2]) {
    test(`a running statement is cancelled by its key (TLS ${tls.mode}, protocol 3.${minor})`, async () => {
      const credential = { user: 'postgres', password: server.password, tls }
      const request = { database: 'postgres', parameters: new Map<string, string>(), version: { major: 3, minor } }
      const { socket, cancelKey } = await loginUpstream(target, credential, request, never)
      const running = simpleQuery(socket, 'select pg_sleep(60)', never)
      running.catch(() => {}) // looked at below
      for (;;) {
        const [row] = await server.sql("select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep'")
        if (row?.['n'] === 1) break
      }
      await cancelUpstream(target, credential, cancelKey, never)
      await assert.rejects(running, (error) => error instanceof ServerError && error.sqlState === '57014')
      assert.deepEqual((await simpleQuery(socket, 'select 1', never)).rows, [['1']], 'and the session goes on')
      socket.destroy()
    })
  }
}

test('the request is the key as it was given, and the wait ends when the server closes', async () => {
  const key = Buffer.from('\0\0\0\x07secret')
  let heard: Buffer | undefined
  await using fake = await fakeServer(async (peer) => {
    heard = await peer.hear(8 + key.length)
    peer.stream.end()
  })
  await cancelUpstream({ ...target, port: fake.port }, { user: 'u', tls: { mode: 'off' } }, key, never)
  assert.deepEqual(heard, Buffer.from(writeRequest(CANCEL_CODE, key)))
})

test('a session without a key has nothing to cancel; an unreachable target is told', async () => {
  const nowhere = { ...target, port: 1 }
  await cancelUpstream(nowhere, { user: 'u', tls: { mode: 'off' } }, new Uint8Array(0), never)
  await assert.rejects(
    cancelUpstream(nowhere, { user: 'u', tls: { mode: 'off' } }, Buffer.alloc(8), never),
    (error) => error instanceof ApplianceError && error.code === 'TARGET_UNREACHABLE',
  )
})
