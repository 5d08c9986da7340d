import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  CLOSE_CODES,
  closePayload,
  encodeFrame,
  MAX_MESSAGE_BYTES,
  OPCODES,
  WebSocketReader,
} from '../../../../gateway/protocols/http/websocket.ts'

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
const payload = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, at) => at & 0x7f))

test('frames of every length come out as they went in, however they are cut', () => {
  for (const to of ['client', 'server'] as const) {
    const frames = SIZES.map((size) => encodeFrame(to, { opcode: OPCODES.binary, payload: payload(size) }))
    const all = Buffer.concat(frames)
    for (const step of [1, 7, 1000, all.length]) {
      if (step === 1 && all.length > 1_000_000) continue
      const reader = new WebSocketReader(to === 'server' ? 'client' : 'server')
      const sizes: number[] = []
      for (let at = 0; at < all.length; at += step)
        for (const message of reader.receive(all.subarray(at, at + step))) {
          assert.ok(payload(message.payload.length).equals(message.payload))
          sizes.push(message.payload.length)
        }
      assert.deepEqual(sizes, SIZES)
    }
  }
})

test('fragments become one message, with control frames between them passing first', () => {
  const reader = new WebSocketReader('server')
  const parts = [
    Buffer.from([0x01, 2, 0x61, 0x62]), // "ab", more to come
    Buffer.from([0x89, 1, 0x70]), // ping "p"
    Buffer.from([0x80, 1, 0x63]), // "c", the end
  ]
  assert.deepEqual(
    reader.receive(Buffer.concat(parts)).map(({ opcode, payload: bytes }) => [opcode, Buffer.from(bytes).toString()]),
    [
      [OPCODES.ping, 'p'],
      [OPCODES.text, 'abc'],
    ],
  )
})

test('fragments of a byte, or of none, and frames that come byte by byte take no more memory than their bytes', () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const used = (): number => {
    gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const reader = new WebSocketReader('server')
  reader.receive(Buffer.from([0x01, 1, 0x61]))
  const many = Buffer.from(Array.from({ length: 10_000 }, () => [0x00, 1, 0x62, 0x00, 0]).flat())
  for (let turn = 0; turn < 20; turn++) reader.receive(many)
  const large = new WebSocketReader('server')
  large.receive(Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]))
  for (let at = 0; at < 400_000; at++) large.receive(Buffer.from([0x63]))
  const grown = used() - before
  assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes more for 600,000 pieces`)
  const [message] = reader.receive(Buffer.from([0x80, 1, 0x63]))
  assert.equal(Buffer.from(message?.payload ?? []).toString(), `a${'b'.repeat(200_000)}c`)
})

test('what the standard forbids is refused', () => {
  const bad: Record<string, number[]> = {
    'a reserved bit': [0xc1, 0],
    'an unknown opcode': [0x83, 0],
    'a masked frame of a server': [0x81, 0x80, 0, 0, 0, 0],
    'a control frame in parts': [0x09, 0],
    'a long control frame': [0x89, 126, 0, 126],
    'a continuation of nothing': [0x80, 0],
    'a message inside another': [0x01, 0, 0x01, 0],
    'half a close code': [0x88, 1, 3],
    'a frame behind the close': [0x88, 0, 0x81, 0],
  }
  for (const [name, bytes] of Object.entries(bad))
    assert.throws(() => new WebSocketReader('server').receive(Buffer.from(bytes)), { code: 'PROTOCOL_MALFORMED' }, name)
  assert.throws(() => new WebSocketReader('client').receive(Buffer.from([0x81, 0])), { code: 'PROTOCOL_MALFORMED' })
  const huge = Buffer.alloc(10)
  huge[0] = 0x82
  huge[1] = 127
  huge.writeBigUInt64BE(BigInt(MAX_MESSAGE_BYTES) + 1n, 2)
  assert.throws(() => new WebSocketReader('server').receive(huge), { code: 'PROTOCOL_OVERSIZE' })
  const reader = new WebSocketReader('server')
  const quarter = Buffer.alloc(10 + MAX_MESSAGE_BYTES / 4)
  quarter[1] = 127
  quarter.writeBigUInt64BE(BigInt(MAX_MESSAGE_BYTES / 4), 2)
  quarter[0] = 0x02
  reader.receive(quarter)
  quarter[0] = 0x00
  for (let more = 0; more < 3; more++) reader.receive(quarter)
  assert.throws(() => reader.receive(Buffer.from([0x00, 1, 1])), { code: 'PROTOCOL_OVERSIZE' }, 'fragments count together')
})

test('a close reason is cut at a character', () => {
  const bytes = closePayload(CLOSE_CODES.policy, 'ä'.repeat(100))
  assert.ok(bytes.length <= 125)
  assert.doesNotThrow(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(2)))
})
