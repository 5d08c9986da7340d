import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { FrameEncoder } from '../../../recorder/tape/frame-encoder.ts'
import { pack } from '../../../recorder/tape/msgpack.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { unpack } from '../../../schemas/msgpack.ts'
import { MAX_FRAME_SIZE } from '../../../schemas/tape.ts'
import { decodeFrame } from '../../../schemas/tape-frame.ts'
import { entry } from '../../support/recording.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

test('a frame is plain MessagePack: another implementation reads the same numbers, texts and facts', () => {
  const numbers = [
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -1,
    -32,
    -33,
    -(2 ** 31),
    -(2 ** 31) - 1,
    0.5,
    -1e300,
  ]
  const texts = [
    '',
    'a',
    'ä',
    'x'.repeat(23),
    'x'.repeat(24),
    'ü'.repeat(15),
    'ü'.repeat(16),
    'x'.repeat(255),
    'x'.repeat(256),
    'x'.repeat(70_000),
    '\u{1f600}'.repeat(9),
  ]
  const facts = Object.fromEntries([...numbers, ...texts].map((value, index) => [`f${index}`, value]))
  const encoder = new FrameEncoder(16)
  encoder.write(2 ** 40, 2 ** 33, entry({ kind: 'query' }), facts, Buffer.alloc(300, 1), null)
  const bytes = encoder.slice(4, encoder.size)
  assert.equal(encoder.slice(0, 4).readUInt32BE(), bytes.length)
  const other = unpackr.unpack(bytes) as unknown[]
  assert.deepEqual([other[0], other[1], other[2], other[4], other[5]], [2 ** 40, 2 ** 33, 0, 'query', facts])
  const frame = decodeFrame(bytes)
  assert.deepEqual(frame.facts, facts)
  assert.equal(frame.seq, 2 ** 40)
})

test('what the general packer writes our reader reads', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true }).map((number) => number + 0),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
    ),
  })).value
  fc.assert(
    fc.property(value, (one) => {
      assert.deepEqual(unpack(pack(one)), one)
    }),
  )
})

test('hostile bytes are read or refused, never more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        unpack(bytes)
      } catch (error) {
        assert.ok(error instanceof ApplianceError && error.code === 'TAPE_MALFORMED', String(error))
      }
    }),
    { numRuns: 2000 },
  )
  // An array of four billion items in five bytes.
  assert.throws(() => unpack(Buffer.from('ddffffffff', 'hex')), /announces/)
  assert.throws(() => unpack(Buffer.alloc(5000, 0x91)), /nested/)
})

test('a frame that is too large beside its body is refused, and leaves nothing behind', () => {
  const encoder = new FrameEncoder(16)
  assert.throws(() => encoder.write(0, 0, entry(), { sql: 'x'.repeat(MAX_FRAME_SIZE) }, null, null), /the limit is/)
  assert.equal(encoder.size, 0)
})
