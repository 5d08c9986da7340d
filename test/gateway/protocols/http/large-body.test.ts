import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { request } from 'undici'
import { httpGateway } from '../../../support/http-gateway.ts'

/** `LARGE_MIB` for longer runs. */
const LARGE_BYTES = Number(process.env['LARGE_MIB'] ?? 192) * 1024 * 1024
/** What is on its way, what waits for the collector, and what the store has not taken yet: whatever the size of the body. 94 to 126 MiB under loads of 28. */
const MAX_HELD_BYTES = 160 * 1024 * 1024

test('a body far larger than memory should be passes in either direction, and is never held', {
  timeout: LARGE_BYTES / 300 + 60_000,
}, async (t) => {
  let got = 0
  const piece = Buffer.alloc(1024 * 1024, 'a line of an export that says nothing of anybody\n')
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < LARGE_BYTES; sent += piece.length) yield piece
  }
  await using gateway = await httpGateway(
    (request, response) => {
      request.on('data', (chunk: Buffer) => {
        got += chunk.length
      })
      request.once('end', () => {
        response.setHeader('content-type', 'text/plain')
        if (request.method === 'GET') Readable.from(pieces()).pipe(response)
        else response.end('ok')
      })
    },
    { policy: 'version: 1\nrules: []\n' },
  )
  const before = process.memoryUsage().arrayBuffers
  let peak = 0
  t.diagnostic(`${LARGE_BYTES / 2 ** 20} MiB each way`)
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
  }, 5)
  const headers = { authorization: `Bearer ${gateway.keys.agent}`, 'content-type': 'text/plain' }
  const up = await request(`${gateway.url}/up`, { method: 'PUT', headers, body: Readable.from(pieces()) })
  assert.equal(up.statusCode, 200)
  await up.body.dump()
  assert.equal(got, LARGE_BYTES)
  const down = await request(`${gateway.url}/down`, { headers })
  let size = 0
  for await (const chunk of down.body) size += chunk.length
  clearInterval(watch)
  assert.equal(size, LARGE_BYTES)
  t.diagnostic(`${Math.round(peak / 2 ** 20)} MiB were held`)
  assert.ok(peak < MAX_HELD_BYTES, `${Math.round(peak / 2 ** 20)} MiB were held`)
})
