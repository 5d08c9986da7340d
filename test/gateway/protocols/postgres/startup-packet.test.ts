import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CANCEL_CODE,
  MAX_STARTUP_BYTES,
  readStartup,
  startupSize,
  writeRequest,
  writeStartup,
} from '../../../../gateway/protocols/postgres/startup-packet.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

const malformed = (error: unknown): boolean => error instanceof ApplianceError && error.code === 'PROTOCOL_MALFORMED'
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'))
const name = text.filter((value) => value !== '' && !value.startsWith('_pq_.'))

test('what is written is read back: parameters, the last of each name, and versions', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, text), { maxLength: 20 }), fc.integer({ min: 0, max: 65535 }), (parameters, minor) => {
      const packet = writeStartup({ major: 3, minor }, parameters)
      assert.equal(startupSize(Buffer.from(packet).readUInt32BE(0)), packet.length - 4)
      assert.deepEqual(readStartup(packet.subarray(4)), {
        kind: 'startup',
        version: { major: 3, minor },
        parameters: new Map(parameters),
        options: [],
      })
    }),
  )
})

test('protocol options are kept apart from parameters', () => {
  const packet = readStartup(
    writeStartup({ major: 3, minor: 2 }, [
      ['user', 'u'],
      ['_pq_.a', '1'],
      ['_pq_.b', ''],
    ]).subarray(4),
  )
  assert(packet.kind === 'startup')
  assert.deepEqual([...packet.parameters], [['user', 'u']])
  assert.deepEqual(packet.options, ['_pq_.a', '_pq_.b'])
})

test('a cut packet, or one with bytes behind it, is refused and not guessed at', () => {
  const body = writeStartup({ major: 3, minor: 0 }, [
    ['user', 'u'],
    ['database', 'd'],
  ]).subarray(4)
  for (let size = 0; size < body.length; size++)
    assert.throws(() => readStartup(body.subarray(0, size)), malformed, `${size} bytes`)
  assert.throws(() => readStartup(Buffer.concat([body, Buffer.from([0])])), malformed)
  assert.throws(() => readStartup(writeRequest(80877103, Buffer.from([0])).subarray(4)), malformed)
})

test('any bytes are a packet or a protocol error', () => {
  const code = fc.constantFrom(196608, 196610, 80877102, 80877103, 80877104, 131072, 0)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.option(code), (bytes, start) => {
      const body = Buffer.from(bytes)
      if (start !== null && body.length >= 4) body.writeUInt32BE(start, 0)
      try {
        readStartup(body)
      } catch (error) {
        assert(error instanceof ApplianceError && error.code.startsWith('PROTOCOL_'))
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a cancel key is a copy: the bytes it came in may be used again', () => {
  const body = Buffer.from(writeRequest(CANCEL_CODE, Buffer.alloc(8, 5)).subarray(4))
  const packet = readStartup(body)
  body.fill(0)
  assert(packet.kind === 'cancel')
  assert.deepEqual(Buffer.from(packet.key), Buffer.alloc(8, 5))
})

test('length fields outside the bounds of the server are refused before anything is read', () => {
  for (const length of [0, 1, 7, MAX_STARTUP_BYTES + 5, 0x7fffffff, 0xffffffff])
    assert.throws(() => startupSize(length), malformed)
  assert.equal(startupSize(8), 4)
  assert.equal(startupSize(MAX_STARTUP_BYTES + 4), MAX_STARTUP_BYTES)
})
