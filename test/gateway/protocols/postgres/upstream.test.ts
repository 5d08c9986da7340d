import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { dial } from '../../../../gateway/protocols/postgres/upstream.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { fakeServer } from '../../../support/pg-peer.ts'
import { startPostgres } from '../../../support/pg-server.ts'

const never = new AbortController().signal
const server = await startPostgres()
after(() => server.stop())
const target = { name: 'shop', protocol: 'postgres', host: '127.0.0.1', port: server.port, labels: {} } as const
const unreachable = (error: unknown): boolean => error instanceof ApplianceError && error.code === 'TARGET_UNREACHABLE'

test('a line is private on loopback, over a Unix socket and with a checked certificate', async () => {
  const lines = [
    await dial(target, { user: 'u', tls: { mode: 'off' } }, never),
    await dial({ ...target, host: 'localhost' }, { user: 'u', tls: { mode: 'verify', ca: server.identity.cert } }, never),
    await dial({ ...target, host: server.socketFolder }, { user: 'u', tls: { mode: 'unverified' } }, never),
  ]
  assert.deepEqual(
    lines.map((line) => [line.private, line.tls !== undefined]),
    [
      [true, false],
      [true, true],
      [true, false],
    ],
  )
  for (const { socket } of lines) socket.destroy()
})

test('a target that is down, or whose name does not exist, is unreachable', async () => {
  await assert.rejects(dial({ ...target, port: 1 }, { user: 'u', tls: { mode: 'off' } }, never), unreachable)
  await assert.rejects(dial({ ...target, host: '/nowhere' }, { user: 'u', tls: { mode: 'off' } }, never), unreachable)
})

test('an abort ends the wait for an answer to the SSL request, and the connection', async () => {
  const stop = new AbortController()
  let closed = false
  {
    await using fake = await fakeServer(async (peer) => {
      await peer.hear(8)
      stop.abort(new Error('enough'))
      closed = (await peer.hear(1)) === undefined
    })
    await assert.rejects(dial({ ...target, port: fake.port }, { user: 'u', tls: { mode: 'unverified' } }, stop.signal), /enough/)
  }
  assert(closed)
})
