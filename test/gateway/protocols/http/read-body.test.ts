import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const PACKERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
const CODINGS = Object.keys(PACKERS) as (keyof typeof PACKERS)[] // of the object above
/** Of zstd: a frame of six bytes that readers skip. */
const SKIPPED = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 6, 0, 0, 0]), Buffer.from('hidden')])

test('a packed body ends where it is over: nothing behind that reaches the target, whose reader may go on there', async () => {
  const got: number[] = []
  const target = (request: IncomingMessage, response: ServerResponse): void => {
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    request.on('end', () => {
      got.push(size)
      response.end()
    })
  }
  await using gateway = await httpGateway(target)
  const post = async (coding: string, body: Buffer<ArrayBuffer>): Promise<number> => {
    const headers = {
      authorization: `Bearer ${gateway.keys.agent}`,
      'content-type': 'application/json',
      'content-encoding': coding,
    }
    const { status } = await fetch(`${gateway.url}/`, { method: 'POST', headers, body })
    return status
  }
  const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shell"}}'
  for (const coding of CODINGS) {
    const pack = PACKERS[coding]
    for (const more of [Buffer.concat([Buffer.from([0]), pack(call)]), Buffer.from('\0'.repeat(9)), Buffer.from('anything')])
      assert.equal(await post(coding, Buffer.concat([pack(list), more])), 400, `${coding} and ${more.toString('latin1')}`)
    // Members of gzip are one body to everybody.
    const twice = await post(coding, Buffer.concat([pack(' '), pack(call)]))
    assert.equal(twice, coding === 'gzip' ? 403 : 400)
  }
  assert.equal(await post('zstd', Buffer.concat([SKIPPED, zstdCompressSync(call)])), 400)
  assert.deepEqual(got, [])

  const named = Buffer.from(gzipSync(list))
  named[3] = 8
  const packed = Buffer.concat([named.subarray(0, 10), Buffer.from('a name\0'), named.subarray(10)])
  assert.equal(await post('gzip', packed), 200)
  assert.equal(await post('identity', Buffer.from(list)), 200)
  assert.deepEqual(got, [packed.length, list.length])
  await gateway.stop()
  const frames = await Promise.all((await sessionsOf(gateway.dataDir)).map(({ id }) => framesOf(gateway.dataDir, id)))
  const released = frames.flat().filter(({ dir, facts }) => dir === 'in' && facts['size'] === list.length)
  const told = released.map(({ facts }) => [facts['packed_size'], facts['packed_sha256']])
  assert.deepEqual(told, [
    [packed.length, createHash('sha256').update(packed).digest('hex')],
    [undefined, undefined],
  ])
})
