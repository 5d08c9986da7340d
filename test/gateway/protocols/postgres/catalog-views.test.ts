import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeViews, readOrigins } from '../../../../gateway/protocols/postgres/catalog-views.ts'
import { binaryMessage } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { PgPeer, says } from '../../../support/pg-peer.ts'

function fields(...origins: readonly (readonly [oid: number, attnum: number])[]): Buffer {
  const parts = origins.map(([oid, attnum]) => {
    const field = Buffer.alloc(2 + 18)
    field.write('c')
    field.writeUInt32BE(oid, 2)
    field.writeInt16BE(attnum, 6)
    return field
  })
  return Buffer.concat([Buffer.from([0, origins.length]), ...parts])
}

test('plain columns are told by position; a view that fails takes no other with it', async () => {
  const [near, far] = duplexPair()
  const peer = new PgPeer(far)
  const describing = describeViews(near, [20001, 20002], new AbortController().signal)
  for (const oid of [20001, 20002])
    assert.match((await peer.packet())?.body.toString() ?? '', new RegExp(`pg_get_viewdef\\(${oid}::`))
  const text = Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 8]), Buffer.from('SELECT 1')])
  await peer.say(binaryMessage('D', text), says.ready(), binaryMessage('D', text), says.ready())
  await peer.until('S')
  await peer.until('S')
  await peer.say(
    says.error('42501', 'no'),
    says.ready(),
    binaryMessage('T', fields([20009, 3], [0, 0], [20009, 0], [20009, 1])),
    says.ready(),
  )
  const described = await describing
  assert.deepEqual(described.get(20001)?.plain, new Map())
  assert.deepEqual(
    described.get(20002)?.plain,
    new Map([
      [1, { oid: 20009, attnum: 3 }],
      [4, { oid: 20009, attnum: 1 }],
    ]),
  )
})

test('any bytes are a row description, perhaps an empty one', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => assert(readOrigins(Buffer.from(bytes)).length <= 4)))
})
