import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Intake } from '../../gateway/intake.ts'
import { connectReusing, ReusedReads } from '../../gateway/reused-reads.ts'

interface Pair extends AsyncDisposable {
  readonly near: Socket
  readonly far: Socket
}

async function pair(): Promise<Pair> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const near = connectReusing({ host: '127.0.0.1', port: address.port })
  const [far] = await accepted
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy()
      far.destroy()
      server.close()
    },
  }
}

/** Patterned, so that a byte out of its place shows. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8)) & 0xff
  return bytes
}

test('until somebody takes its reads, the connection is a stream like any other', async () => {
  await using both = await pair()
  const sent = pattern(300_000)
  both.far.end(sent)
  const got: Buffer[] = []
  for await (const chunk of both.near) got.push(chunk as Buffer)
  assert.ok(Buffer.concat(got).equals(sent))
})

test('what the taker is done with is overwritten, what it still needs is not', async () => {
  await using both = await pair()
  const reads = ReusedReads.of(both.near)
  assert.ok(reads)
  const taken: Uint8Array[] = []
  let free = true
  let came = (): void => undefined
  reads.taker = {
    take(bytes) {
      taken.push(bytes)
      came()
      return free
    },
    done: () => free,
  }
  both.near.resume()
  const send = async (text: string): Promise<void> => {
    const read = new Promise<void>((resolve) => {
      came = resolve
    })
    both.far.write(text)
    await read
  }
  await send('one')
  free = false
  await send('two')
  await send('six')
  assert.deepEqual(taken.map(String).length, 3)
  assert.equal(taken[0]?.buffer, taken[1]?.buffer)
  assert.notEqual(taken[1]?.buffer, taken[2]?.buffer)
  assert.equal(Buffer.from(taken[1] ?? []).toString(), 'two')
})

test('an intake hands on every byte in order, however slow its taker and whatever it keeps', async () => {
  const sent = pattern(3_000_000)
  for (const slow of [0, 1, 3]) {
    await using both = await pair()
    const got: Uint8Array[] = []
    const kept: Uint8Array[] = []
    let calls = 0
    const flow = new Intake(both.near).flow({
      take(chunk) {
        calls++
        got.push(Uint8Array.from(chunk))
        if (slow === 0 || calls % slow !== 0) return undefined
        kept.push(chunk)
        return new Promise((resolve) => setImmediate(resolve))
      },
      done: () => kept.length === 0,
    })
    both.far.end(sent)
    await flow
    assert.ok(Buffer.concat(got).equals(sent))
    for (const chunk of kept) assert.ok(sent.includes(Buffer.from(chunk.subarray(0, 64))), 'what was kept is as it was')
  }
})

test('memory that was still needed is used again only once nothing of all that was taken is', async () => {
  await using both = await pair()
  const sent = pattern(6_000_000)
  const needed: { readonly chunk: Uint8Array; readonly copy: Uint8Array }[] = []
  const memory = new Set<ArrayBufferLike>()
  let size = 0
  let count = 0
  const flow = new Intake(both.near).flow({
    take(chunk) {
      for (const { chunk: bytes, copy } of needed) assert.ok(Buffer.from(bytes).equals(copy))
      memory.add(chunk.buffer)
      needed.push({ chunk, copy: Uint8Array.from(chunk) })
      size += chunk.length
      count++
      if (count % 4 === 0) needed.length = 0
      return undefined
    },
    done: () => needed.length === 0,
  })
  both.far.end(sent)
  await flow
  assert.equal(size, sent.length)
  assert.ok(memory.size < count, `${memory.size} buffers for ${count} reads`)
})
