import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { pull, pullPacket, push, tolerateErrors } from '../../../../gateway/protocols/postgres/startup-pull.ts'
import { binaryMessage } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

const never = new AbortController().signal

test('however the bytes are cut, the same pieces are pulled and the rest stays', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 40, maxLength: 200 }), cuts, cuts, async (bytes, writes, reads) => {
      const [near, far] = duplexPair()
      const writing = (async () => {
        let at = 0
        for (const size of [...writes, bytes.length]) {
          if (at >= bytes.length) break
          await push(far, bytes.subarray(at, at + size))
          at += size
        }
        far.end()
      })()
      let at = 0
      for (const size of reads) {
        if (at + size > bytes.length) break
        assert.deepEqual(await pull(near, size, never), Buffer.from(bytes.subarray(at, at + size)))
        at += size
      }
      await writing
      const rest = bytes.length - at
      assert.equal((await pull(near, rest, never))?.length, rest)
      assert.equal(await pull(near, 1, never), undefined)
    }),
    { numRuns: 60 },
  )
})

test('a stream that ends or breaks within a piece gives nothing for it', async () => {
  const [near, far] = duplexPair()
  far.end('abc')
  assert.equal(await pull(near, 4, never), undefined)
  const [broken, other] = duplexPair()
  tolerateErrors(broken)
  const waiting = pull(broken, 1, never)
  broken.destroy(new Error('reset'))
  other.destroy()
  assert.equal(await waiting, undefined)
})

test('an abort ends the wait with its reason and leaves no listener behind', async () => {
  const [near] = duplexPair()
  const before = near.eventNames().length
  const stop = new AbortController()
  const waiting = pull(near, 1, stop.signal)
  stop.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await assert.rejects(pull(near, 1, stop.signal), /enough/)
  assert.equal(near.eventNames().length, before)
})

test('a message is pulled whole; its length is checked before its body is waited for', async () => {
  const [near, far] = duplexPair()
  await push(far, binaryMessage('Z', Buffer.from('I')))
  assert.deepEqual(await pullPacket(near, 1, never), { type: 'Z', body: Buffer.from('I') })
  await push(far, binaryMessage('H', new Uint8Array(0)))
  assert.deepEqual(await pullPacket(near, 1, never), { type: 'H', body: Buffer.alloc(0) })
  const code = (expected: string) => (error: unknown) => error instanceof ApplianceError && error.code === expected
  await push(far, Buffer.from('440000000600', 'hex'))
  await assert.rejects(pullPacket(near, 1, never), code('PROTOCOL_OVERSIZE'))
  const [short, other] = duplexPair()
  await push(other, Buffer.from('4400000003', 'hex'))
  await assert.rejects(pullPacket(short, 1, never), code('PROTOCOL_MALFORMED'))
})
