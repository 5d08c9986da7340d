import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStartup, negotiation, parseTarget } from '../../../../gateway/protocols/postgres/greet-startup.ts'
import { readStartup, type StartupPacket, writeStartup } from '../../../../gateway/protocols/postgres/startup-packet.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

function request(parameters: readonly (readonly [string, string])[], minor = 0): Extract<StartupPacket, { kind: 'startup' }> {
  const packet = readStartup(writeStartup({ major: 3, minor }, parameters).subarray(4))
  assert(packet.kind === 'startup')
  return packet
}

const target = (database: string): unknown =>
  parseTarget(
    checkStartup(
      request([
        ['user', 'u'],
        ['database', database],
      ]),
      new Uint8Array(0),
    ),
  )

test('the database name chooses the target, and behind a slash its database', () => {
  assert.deepEqual(target('shop'), { target: 'shop' })
  assert.deepEqual(target('shop/orders'), { target: 'shop', database: 'orders' })
  assert.deepEqual(target('shop/a/b'), { target: 'shop', database: 'a/b' })
  assert.deepEqual(target(''), { target: 'u' })
  for (const bad of ['/', '/x', 'shop/']) {
    assert.throws(
      () => target(bad),
      (error) => error instanceof ApplianceError && error.code === 'TARGET_UNKNOWN',
    )
  }
})

test('replication is refused in every spelling but those that mean no', () => {
  const check = (value: string) =>
    checkStartup(
      request([
        ['user', 'u'],
        ['replication', value],
      ]),
      new Uint8Array(0),
    )
  for (const no of ['false', 'OFF', '0', 'no', 'f']) assert.equal(check(no).parameters.get('replication'), no)
  for (const yes of ['true', 'on', '1', 'database', 'o', '', 'whatever']) {
    assert.throws(
      () => check(yes),
      (error) => error instanceof ApplianceError && error.code === 'PROTOCOL_UNSUPPORTED',
      yes,
    )
  }
})

test('only a version newer than ours, or a protocol option, is negotiated', () => {
  for (const minor of [0, 1, 2]) assert.equal(negotiation(request([['user', 'u']], minor)), undefined)
  assert.deepEqual(Buffer.from(negotiation(request([['user', 'u']], 3)) ?? []).toString('hex'), '760000000c0003000200000000')
  const option = negotiation(
    request(
      [
        ['user', 'u'],
        ['_pq_.o', '1'],
      ],
      0,
    ),
  )
  assert.deepEqual(
    Buffer.from(option ?? []).toString('hex'),
    `760000001300030000${'00000001'}${Buffer.from('_pq_.o\0').toString('hex')}`,
  )
})

test('the version spoken is what the client asked for, at most ours', () => {
  const spoken = (minor: number) => checkStartup(request([['user', 'u']], minor), new Uint8Array(0)).version.minor
  assert.deepEqual([0, 1, 2, 3, 9999].map(spoken), [0, 1, 2, 2, 2])
})

test('what the work is is told by settings, in options or as parameters; what cannot be read tells nothing here', () => {
  const claims = (parameters: readonly (readonly [string, string])[]) =>
    checkStartup(request([['user', 'u'], ...parameters]), new Uint8Array(0)).claims
  const options =
    '-c sallyport.run=build-4711 -c sallyport.purpose=nightly\\ report --sallyport.traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  assert.deepEqual(claims([['options', options]]), {
    user: 'u',
    version: '3.0',
    run: 'build-4711',
    purpose: 'nightly report',
    trace: '4bf92f3577b34da6a3ce929d0e0e4736',
    span: '00f067aa0ba902b7',
  })
  assert.equal(claims([['sallyport.run', 'r-1']])['run'], 'r-1')
  assert.deepEqual(claims([['options', '-f x']]), { user: 'u', version: '3.0' })
})
