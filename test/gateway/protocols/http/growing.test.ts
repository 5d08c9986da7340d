import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Growing, Pieces } from '../../../../gateway/protocols/http/growing.ts'

test('pieces of any size come out as they went in, whoever changes them afterwards', () => {
  const growing = new Growing()
  const all: number[] = []
  for (const size of [1, 0, 3, 5_000, 1, 700, 20_000]) {
    const piece = Uint8Array.from({ length: size }, (_, at) => (at + size) & 0xff)
    all.push(...piece)
    growing.push(piece)
    piece.fill(0)
  }
  assert.equal(growing.size, all.length)
  assert.ok(growing.take().equals(Uint8Array.from(all)))
  assert.equal(growing.take().length, 0)
})

test('small pieces that wait are put together, in their order with large ones', () => {
  const pieces = new Pieces()
  const large = Buffer.alloc(600, 'L')
  for (const piece of ['a', 'b', 'c', large, 'd', 'e']) pieces.push(Buffer.from(piece))
  const told: string[] = []
  while (pieces.first !== undefined) told.push(Buffer.from(pieces.shift() ?? []).toString())
  assert.deepEqual(told, ['a', 'bc', large.toString(), 'de'])
  for (let at = 0; at < 100_000; at++) pieces.push(Buffer.from('x'))
  assert.equal(pieces.all().length, 2)
  assert.equal(Buffer.concat(pieces.all()).length, 100_000)
})

test('all but the end of what waits is taken, cut where it is', () => {
  const pieces = new Pieces()
  for (const piece of ['abc', 'de', Buffer.alloc(600, 'L')]) pieces.push(Buffer.from(piece))
  const taken = (kept: number): string[] => [...pieces.take(kept)].map((piece) => Buffer.from(piece).toString())
  assert.deepEqual(taken(604), ['a'])
  assert.deepEqual(taken(604), [])
  assert.deepEqual(taken(601), ['bc', 'd'])
  assert.equal(pieces.size, 601)
  assert.deepEqual(taken(0), ['e', 'L'.repeat(600)])
})
