import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRONTEND, message } from '../../../../gateway/protocols/postgres/messages.ts'
import {
  MAX_MESSAGE_BYTES,
  MAX_STREAMED_BYTES,
  MAX_WHOLE_BYTES,
  Splitter,
} from '../../../../gateway/protocols/postgres/splitter.ts'
import { answers, says } from '../../../support/pg-words.ts'

function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes[0] = type
  bytes.writeUInt32BE(length >>> 0, 1)
  return bytes
}

test('whole messages are cut where they lie, the incomplete one is kept', () => {
  const splitter = new Splitter('client')
  const bytes = Buffer.concat([says.query('a'), says.query('bb')])
  const [first, ...none] = splitter.push(bytes.subarray(0, bytes.length - 2))
  assert.deepEqual(first?.pieces, [{ type: FRONTEND.query, part: 'whole', from: 0, to: 7, count: 1 }])
  const [second, ...neither] = splitter.push(bytes.subarray(-2))
  assert.deepEqual(Buffer.from(second?.bytes ?? []), says.query('bb'))
  assert.deepEqual(second?.pieces, [{ type: FRONTEND.query, part: 'whole', from: 0, to: 8, count: 1 }])
  assert.deepEqual([...none, ...neither], [])
})

test('what is kept does not keep the read it came in', () => {
  const splitter = new Splitter('client')
  const read = Buffer.concat([says.query('a'), says.query('b').subarray(0, 5)])
  splitter.push(read)
  read.fill(0)
  assert.equal(splitter.push(says.query('b').subarray(5))[0]?.pieces.length, 1)
})

test('a large row is passed on in parts, which together are the row', () => {
  const row = Buffer.from(answers.row('x'.repeat(3 * 1024 * 1024)))
  const bytes = Buffer.concat([answers.row('small'), row, answers.row('next')])
  for (const size of [1000, 65_536, 400_000]) {
    const splitter = new Splitter('server')
    const parts: string[] = []
    const passed: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) {
      for (const cut of splitter.push(bytes.subarray(at, at + size))) {
        for (const piece of cut.pieces) {
          if (parts.at(-1) !== piece.part) parts.push(piece.part)
          passed.push(Buffer.from(cut.bytes.subarray(piece.from, piece.to)))
        }
      }
    }
    assert.deepEqual(parts, ['whole', 'first', 'middle', 'last', 'whole'])
    assert.ok(Buffer.concat(passed).equals(bytes))
  }
})

test('a large row that came in one read is whole', () => {
  const row = answers.row('x'.repeat(MAX_WHOLE_BYTES))
  assert.deepEqual(
    new Splitter('server').push(row)[0]?.pieces.map(({ part }) => part),
    ['whole'],
  )
})

test('lengths that cannot be are refused from their header alone, and the splitter is dead after', () => {
  const bad = [
    [header(FRONTEND.query, 3), 'PROTOCOL_MALFORMED'],
    [header(FRONTEND.query, -1), 'PROTOCOL_MALFORMED'],
    [header(FRONTEND.query, 0x80000000), 'PROTOCOL_MALFORMED'],
    [header(FRONTEND.query, MAX_MESSAGE_BYTES + 1), 'PROTOCOL_OVERSIZE'],
    [header(FRONTEND.copyData, MAX_STREAMED_BYTES + 1), 'PROTOCOL_OVERSIZE'],
    [header(0x7f, 4), 'PROTOCOL_MALFORMED'],
    [header(0x44, 4).fill(0, 0, 1), 'PROTOCOL_MALFORMED'],
  ] as const
  for (const [bytes, code] of bad) {
    const splitter = new Splitter('client')
    assert.throws(() => splitter.push(bytes), { code })
    assert.throws(() => splitter.push(message(FRONTEND.sync)), { code }, 'dead')
  }
})

test('however it is cut, what the server sends comes out message for message, rows of as many columns together', () => {
  const rows = (count: number, ...values: string[]): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => answers.row(...values)))
  const stream = Buffer.concat([
    rows(700, 'a', 'b'.repeat(90)),
    rows(3, 'c'),
    answers.done('SELECT 703'),
    answers.ready(),
    rows(900, 'd'),
  ])
  for (const size of [1, 7, 333, 8192, 8193, 20_000, stream.length]) {
    const splitter = new Splitter('server')
    const passed: Buffer[] = []
    let count = 0
    for (let at = 0; at < stream.length; at += size) {
      for (const { bytes, pieces } of splitter.push(stream.subarray(at, at + size))) {
        for (const piece of pieces) {
          passed.push(Buffer.from(bytes.subarray(piece.from, piece.to)))
          count += piece.count
        }
      }
    }
    assert.equal(count, 700 + 3 + 2 + 900)
    assert.ok(Buffer.concat(passed).equals(stream))
    if (size === stream.length) assert.deepEqual(passed.length, 5)
  }
})

test('a large read is not copied to be joined to the few bytes before it', () => {
  const stream = Buffer.concat(Array.from({ length: 900 }, () => answers.row('x'.repeat(20))))
  const splitter = new Splitter('server')
  splitter.push(stream.subarray(0, 100))
  const read = stream.subarray(100)
  const cuts = splitter.push(read)
  assert.deepEqual(
    cuts.map(({ pieces }) => pieces[0]?.count),
    [1, 896],
  )
  assert.equal(cuts[1]?.bytes, read)
})

test('a broken length behind whole rows is refused as soon as it is seen', () => {
  const splitter = new Splitter('server')
  const rows = Buffer.concat([answers.row('a'), answers.row('b'), header(0x44, 3)])
  assert.throws(() => splitter.push(rows), { code: 'PROTOCOL_MALFORMED' })
})
