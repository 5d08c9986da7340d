import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { ServerError } from '../../../../gateway/protocols/postgres/startup-error.ts'
import { binaryMessage, readRow, simpleQuery, textMessage } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { PgPeer, says } from '../../../support/pg-peer.ts'

const never = new AbortController().signal
const row = Buffer.from('0003000000026869ffffffff00000000', 'hex')

test('rows and reported parameters are read until the server is idle', async () => {
  const [near, far] = duplexPair()
  const peer = new PgPeer(far)
  const answer = simpleQuery(near, 'select 1', never)
  assert.deepEqual(await peer.packet(), { type: 'Q', body: Buffer.from('select 1\0') })
  await peer.drip(Buffer.concat([binaryMessage('D', row), says.parameter('TimeZone', 'UTC'), says.ready()]))
  assert.deepEqual(await answer, { rows: [['hi', null, '']], parameters: new Map([['TimeZone', 'UTC']]) })
})

test('an error is told after the server is idle again, so that the next question may be asked', async () => {
  const [near, far] = duplexPair()
  const peer = new PgPeer(far)
  const failing = simpleQuery(near, 'oops', never)
  await peer.say(says.error('42601', 'no'), says.ready())
  await assert.rejects(failing, (error) => error instanceof ServerError && error.sqlState === '42601')
  const next = simpleQuery(near, 'select 1', never)
  await peer.say(says.ready())
  assert.deepEqual((await next).rows, [])
  far.end()
  await assert.rejects(
    simpleQuery(near, 'x', never),
    (error) => error instanceof ApplianceError && error.code === 'TARGET_UNREACHABLE',
  )
})

test('a row of any bytes is read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        readRow(Buffer.from(bytes))
      } catch (error) {
        assert(error instanceof ApplianceError && error.code === 'TARGET_REFUSED')
      }
    }),
  )
})

test('messages carry their length and each text its zero byte', () => {
  assert.equal(Buffer.from(textMessage('S', 'a', '')).toString('hex'), '5300000007610000')
})
