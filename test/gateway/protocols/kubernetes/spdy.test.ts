import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { constants, createDeflate } from 'node:zlib'
import { SPDY, type SpdyFrame, SpdyReader, spdyData } from '../../../../gateway/protocols/kubernetes/spdy.ts'
import { SPDY_DICTIONARY } from '../../../../gateway/protocols/kubernetes/spdy-dictionary.ts'
import { SpdyTunnel } from '../../../../gateway/protocols/kubernetes/spdy-tunnel.ts'
import { cpuClock } from '../../../support/cpu-time.ts'

/** A sender's side of the compression. */
function packer(): (headers: Readonly<Record<string, string>> | Buffer) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH })
  return (headers) => {
    const word = (text: string): Buffer => {
      const size = Buffer.alloc(4)
      size.writeUInt32BE(Buffer.byteLength(text))
      return Buffer.concat([size, Buffer.from(text)])
    }
    const count = Buffer.alloc(4)
    const block = Buffer.isBuffer(headers)
      ? headers
      : Buffer.concat([count, ...Object.entries(headers).flatMap(([name, value]) => [word(name), word(value)])])
    if (!Buffer.isBuffer(headers)) block.writeUInt32BE(Object.keys(headers).length)
    return new Promise((resolve) => {
      const chunks: Buffer[] = []
      deflate.on('data', (chunk: Buffer) => chunks.push(chunk))
      deflate.write(block, () => setImmediate(() => resolve(Buffer.concat(chunks))))
      deflate.once('drain', () => undefined)
    }).then((packed) => {
      deflate.removeAllListeners('data')
      return packed as Buffer
    })
  }
}

function control(type: number, body: Uint8Array, flags = 0, version = 3): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt16BE(0x8000 | version)
  head.writeUInt16BE(type, 2)
  head.writeUInt32BE(body.length, 4)
  head[4] = flags
  return Buffer.concat([head, body])
}

function opening(id: number, block: Uint8Array): Buffer {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(id)
  return control(SPDY.synStream, Buffer.concat([head, block]))
}

const shown = (frame: SpdyFrame): string =>
  'bytes' in frame
    ? `${frame.stream}${frame.last ? '!' : ''} ${Buffer.from(frame.bytes)}`
    : `${frame.type}:${frame.stream} ${frame.headers.map((pair) => pair.join('=')).join(',')}`

test('frames are read the same however they are cut, with headers unpacked in one stream', async () => {
  const pack = packer()
  const all = Buffer.concat([
    opening(1, await pack({ streamtype: 'error' })),
    opening(3, await pack({ streamtype: 'stdin' })),
    spdyData(3, Buffer.from('hello'), false),
    spdyData(3, Buffer.alloc(0), true),
    control(SPDY.ping, Buffer.from([0, 0, 0, 1])),
    control(SPDY.reset, Buffer.from([0, 0, 0, 3, 0, 0, 0, 5])),
  ])
  const expected = ['1:1 streamtype=error', '1:3 streamtype=stdin', '3 hello', '3! ', '6:0 ', '3:3 ']
  for (const step of [1, 7, all.length]) {
    const reader = new SpdyReader()
    const frames: string[] = []
    for (let at = 0; at < all.length; at += step) frames.push(...(await reader.receive(all.subarray(at, at + step))).map(shown))
    reader.close()
    assert.deepEqual(frames, expected)
  }
})

test('a large frame that comes byte by byte is put together once', async () => {
  const reader = new SpdyReader()
  const bytes = randomBytes(1024 * 1024)
  const frame = spdyData(1, bytes, true)
  const crumbs = 5_000
  assert.deepEqual(await reader.receive(frame.subarray(0, -crumbs)), [])
  const usedMs = cpuClock()
  for (let at = frame.length - crumbs; at < frame.length - 1; at++)
    assert.deepEqual(await reader.receive(frame.subarray(at, at + 1)), [])
  // Copied each time, it would take seconds.
  assert.ok(usedMs() < 1_000)
  const [last] = await reader.receive(frame.subarray(-1))
  assert.ok(last !== undefined && 'bytes' in last && last.last && bytes.equals(last.bytes))
  reader.close()
})

test('what is no SPDY, or too much of it, is refused', async () => {
  const pack = packer()
  const bomb = Buffer.alloc(8 * 1024 * 1024)
  const bad: Record<string, Buffer> = {
    'another version': control(SPDY.ping, Buffer.alloc(4), 0, 2),
    'an unknown type': control(99, Buffer.alloc(4)),
    'a short frame': control(SPDY.synStream, Buffer.alloc(4)),
    'headers that are none': opening(1, Buffer.from('garbage')),
    'a long control frame': control(SPDY.settings, Buffer.alloc(20_000)),
    'headers that end early': opening(1, await packer()(Buffer.from([0, 0, 0, 9, 0, 0, 0, 9]))),
    'something behind headers': opening(1, await packer()(Buffer.concat([Buffer.alloc(4), Buffer.from('hidden')]))),
    'something behind a ping': control(SPDY.ping, Buffer.alloc(12)),
    'settings that are more than they say': control(SPDY.settings, Buffer.alloc(12)),
    'headers that unpack to memory': opening(1, await pack(bomb)),
    'a huge frame': Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff]),
  }
  for (const [name, bytes] of Object.entries(bad)) {
    const reader = new SpdyReader()
    await assert.rejects(reader.receive(bytes), { name: 'ApplianceError', code: /^PROTOCOL_(MALFORMED|OVERSIZE)$/ }, name)
    reader.close()
  }
  for (let round = 0; round < 200; round++) {
    const reader = new SpdyReader()
    await reader.receive(randomBytes(200)).catch((error) => assert.match(error.code, /^PROTOCOL_/))
    reader.close()
  }
})

test('what frames without headers say is recorded, all of it', async () => {
  const words = (...numbers: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * numbers.length)
    for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * at)
    return bytes
  }
  const tunnel = new SpdyTunnel({ channel: 1, terminal: false })
  const cases: readonly (readonly [type: number, body: Buffer, shown: string])[] = [
    [SPDY.ping, words(7), '7'],
    [SPDY.window, words(3, 65_536), '3 65536'],
    [SPDY.reset, words(3, 5), '3 5'],
    [SPDY.settings, words(1, 4, 100), '1 4 100'],
    [SPDY.goAway, words(5, 0), '5 0'],
  ]
  for (const [type, body, shown] of cases) {
    const [message, ...more] = await tunnel.receive('server', control(type, body))
    assert.deepEqual([message?.kind, Buffer.from(message?.bytes ?? '').toString(), more.length], ['control', shown, 0])
    assert.deepEqual(message?.framed(new Uint8Array()), control(type, body))
  }
  tunnel.close()
})

test('streams are opened once, by the client, and carry data only while they are open', async () => {
  const cases: [string, (pack: ReturnType<typeof packer>) => Promise<['client' | 'server', Uint8Array][]>][] = [
    ['data before it', async () => [['client', spdyData(1, Buffer.from('x'), false)]]],
    ['opened by the server', async (pack) => [['server', opening(2, await pack({ streamtype: 'stdout' }))]]],
    ['of no name', async (pack) => [['client', opening(1, await pack({ streamtype: 'other' }))]]],
    [
      'data behind its end',
      async (pack) => [
        ['client', opening(1, await pack({ streamtype: 'stdin' }))],
        ['client', spdyData(1, Buffer.from('x'), true)],
        ['client', spdyData(1, Buffer.from('x'), false)],
      ],
    ],
  ]
  for (const [name, make] of cases) {
    const tunnel = new SpdyTunnel({ channel: 1, terminal: false })
    const sent = await make(packer())
    await assert.rejects(
      async () => {
        for (const [from, bytes] of sent) await tunnel.receive(from, bytes)
      },
      { code: 'PROTOCOL_MALFORMED' },
      name,
    )
    tunnel.close()
  }
})
