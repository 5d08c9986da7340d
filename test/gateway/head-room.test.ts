import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putBefore, roomyBuffer } from '../../gateway/head-room.ts'
import { Splitter } from '../../gateway/protocols/postgres/splitter.ts'

test('what is put before a read is one stretch of bytes with it, and the read stays where it is', () => {
  const read = roomyBuffer(16).fill(7)
  const joined = putBefore(read, [Buffer.from('ab'), Buffer.from('c')], 3)
  assert.ok(joined)
  assert.equal(Buffer.from(joined).toString('latin1'), `abc${'\x07'.repeat(16)}`)
  assert.equal(joined.buffer, read.buffer)
})

test('there is no room before ordinary memory, before the middle of a read, nor for more than the room', () => {
  assert.equal(putBefore(Buffer.alloc(16_384).subarray(8192), [Buffer.alloc(1)], 1), undefined)
  const read = roomyBuffer(16)
  assert.equal(putBefore(read.subarray(4), [Buffer.alloc(1)], 1), undefined)
  assert.equal(putBefore(read, [Buffer.alloc(8193)], 8193), undefined)
  assert.ok(putBefore(read, [Buffer.alloc(8192)], 8192))
})

test('a run of rows that begins in one read and goes on in the next is one piece', () => {
  const row = Buffer.from([0x44, 0, 0, 0, 12, 0, 1, 0, 0, 0, 2, 0x61, 0x62])
  const rows = Buffer.concat(Array.from({ length: 2000 }, () => row))
  const splitter = new Splitter('server')
  const first = splitter.push(rows.subarray(0, 5))
  const read = roomyBuffer(rows.length - 5)
  read.set(rows.subarray(5))
  const [cut, ...more] = splitter.push(read)
  assert.deepEqual([first.length, more.length], [0, 0])
  assert.ok(cut)
  assert.ok(Buffer.from(cut.bytes).equals(rows))
  assert.deepEqual(
    cut.pieces.map(({ count, from, to }) => [count, from, to]),
    [[2000, 0, rows.length]],
  )
})
