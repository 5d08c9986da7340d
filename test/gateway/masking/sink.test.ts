import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import { Sink } from '../../../gateway/masking/sink.ts'
import type { RedactionSink } from '../../../gateway/message.ts'

test('grows far beyond its hint and keeps what was written', () => {
  const sink = new Sink(0)
  const piece = Buffer.from('0123456789'.repeat(7))
  for (let i = 0; i < 1000; i++) {
    sink.int32(i)
    sink.copy(piece, 3, 3 + (i % 60))
  }
  const { bytes, masks } = sink.finish()
  assert.equal(masks, null)
  const view = Buffer.from(bytes)
  let at = 0
  for (let i = 0; i < 1000; i++) {
    assert.equal(view.readInt32BE(at), i)
    assert.deepEqual(view.subarray(at + 4, at + 4 + (i % 60)), piece.subarray(3, 3 + (i % 60)))
    at += 4 + (i % 60)
  }
  assert.equal(at, bytes.length)
})

test('a length is put in place once it is known', () => {
  const sink = new Sink(8)
  sink.int32(0)
  sink.int32(-1)
  sink.setInt32(0, 0x7fffffff)
  assert.deepEqual([...sink.finish().bytes], [127, 255, 255, 255, 255, 255, 255, 255])
  assert.throws(() => sink.setInt32(5, 1), RangeError)
})

test('spans are packed big endian: start, length, label, fingerprint', () => {
  const sink = new Sink(8)
  sink.span(0x01020304, 0x050607, ['a', 'r'], 0x11223344, 0xffeeddcc)
  sink.span(7, 1, ['b', 'r'], 0, 1)
  sink.span(9, 1, ['a', 'r'], 0, 1)
  const masks = sink.finish().masks
  assert.deepEqual(masks?.labels, [
    ['a', 'r'],
    ['b', 'r'],
  ])
  assert.equal(Buffer.from(masks?.spans.subarray(0, 16) ?? []).toString('hex'), '010203040506070011223344ffeeddcc')
  assert.deepEqual([masks?.spans[16 + 7], masks?.spans[32 + 7]], [1, 0])
})

test('a mask longer than a span can say becomes several, one behind the other', () => {
  const sink = new Sink(8)
  sink.span(10, 0xffffff + 5, ['a', 'r'], 1, 2)
  const spans = Buffer.from(sink.finish().masks?.spans ?? [])
  assert.equal(spans.length, 32)
  assert.deepEqual([spans.readUInt32BE(0), spans.readUIntBE(4, 3)], [10, 0xffffff])
  assert.deepEqual([spans.readUInt32BE(16), spans.readUIntBE(20, 3)], [10 + 0xffffff, 5])
})

test('more labels than a span can name share the last one', () => {
  const sink = new Sink(8)
  for (let i = 0; i < 300; i++) sink.span(i, 1, [`e${i}`, 'r'], 0, 0)
  const { masks } = sink.finish()
  assert.equal(masks?.labels.length, 256)
  assert.deepEqual(masks?.labels[255], ['other', 'label:other'])
  assert.equal(masks?.spans[254 * 16 + 7], 254)
  assert.equal(masks?.spans[299 * 16 + 7], 255)
})

test('a NULL noted without a value still says which label asked for it', () => {
  const sink = new Sink(8)
  sink.int32(-1)
  sink.noteNull(0, { path: 'row.x', action: 'mask', label: 'pii.dob', entity: 'date' })
  assert.deepEqual(sink.finish().masks?.labels, [['date', 'label:pii.dob']])
})

test('what is the same comes out as the very same array, and not once it is not', () => {
  const source = Buffer.from('one two three')
  const same = new Sink(source.length, source)
  same.copy(source, 0, 4)
  same.copy(source, 4, source.length)
  assert.equal(same.finish().bytes, source)
  const shorter = new Sink(source.length, source)
  shorter.copy(source, 0, 4)
  assert.deepEqual(Buffer.from(shorter.finish().bytes).toString(), 'one ')
  const changed = new Sink(source.length, source)
  changed.copy(source, 0, 4)
  changed.fill(0x2a, 3)
  changed.copy(source, 7, source.length)
  assert.equal(changed.size, source.length)
  assert.equal(Buffer.from(changed.finish().bytes).toString(), 'one *** three')
  const over = new Sink(source.length, source)
  over.copy(source, 0, 7)
  over.setInt32(1, 0x2a2a2a2a)
  assert.equal(Buffer.from(over.finish().bytes).toString(), 'o****wo')
  assert.equal(source.toString(), 'one two three', 'what was lent is not written to')
})

test('a sink of another make is refused, not written past', () => {
  const masker = new Masker({ rules: DEFAULT_RULES, tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16) })
  const foreign = { size: 0 } as unknown as RedactionSink
  assert.throws(() => masker.write(foreign, Buffer.from('abcdef'), 0, 6, { path: 'x', action: 'scan' }), TypeError)
})
