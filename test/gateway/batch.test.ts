import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batch, Order } from '../../gateway/batch.ts'
import type { Output } from '../../gateway/message.ts'
import { EchoWire, echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { ALLOW, BLOCK, fakeParts } from '../support/fakes.ts'

const output = (text: string): Output => ({ to: 'client', bytes: echoFrame(0, text) })

test('whoever comes to write first also writes what was recorded before, and nothing is written twice', () => {
  const order = new Order()
  order.start()
  const [one, two, three] = [[output('1')], [output('2'), output('2b')], [output('3')]]
  for (const outputs of [one, two, three]) order.add(outputs)
  assert.deepEqual(order.take(two), [...one, ...two])
  assert.deepEqual(order.take(one), [])
  assert.equal(order.take(three), three)
})

test('outputs that were never recorded are still theirs to write who hold them', () => {
  const order = new Order()
  order.start()
  const last = [output('bye')]
  assert.equal(order.take(last), last)
  assert.deepEqual(order.take(last), [])
})

test('a message’s entry stands among our own words where its bytes are written', async () => {
  const parts = fakeParts()
  const wire = new EchoWire()
  const [message] = wire.receive('client', echoFrame(0, 'hello'))
  assert.ok(message)
  const own: Output = { ...output('note'), own: { kind: 'own', facts: {} } }
  const speaking = Object.assign(Object.create(wire), { release: () => [own, { to: 'server', bytes: message.bytes }, own] })
  const batch = new Batch(parts, speaking, new Order())
  batch.release(message, ALLOW)
  await batch.record({ durable: true })
  assert.deepEqual(
    parts.recorder.entries.map(({ kind }) => kind),
    ['own', 'say', 'own'],
  )
  assert.deepEqual(parts.recorder.durable, [true])
})

test('what the target sent and may not pass is counted, not kept', async () => {
  const parts = fakeParts()
  const wire = new EchoWire()
  const batch = new Batch(parts, wire, new Order())
  for (const side of ['client', 'server'] as const) {
    for (const message of wire.receive(side, echoFrame(0, 'hello'))) {
      batch.refuse(message, BLOCK, { why: 'blocked', message: 'no', rules: [] })
    }
  }
  await batch.record()
  assert.deepEqual(
    parts.recorder.entries.map(({ kind, body }) => [kind, body === null]),
    [
      ['say', false],
      ['refusal', false],
      ['echo', true],
      ['refusal', false],
    ],
  )
})
