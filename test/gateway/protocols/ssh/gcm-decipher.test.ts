import assert from 'node:assert/strict'
import { createCipheriv, createSecretKey } from 'node:crypto'
import { Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { countUp } from '../../../../gateway/protocols/ssh/gcm.ts'
import { GcmDecipher, isGcmDecipher } from '../../../../gateway/protocols/ssh/gcm-decipher.ts'
import { isSealed, quicken } from '../../../../gateway/protocols/ssh/transport.ts'

const KEY = createSecretKey(Buffer.alloc(16, 7))
const NONCE = Buffer.from([1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 250])

/** Packets as a peer makes them (RFC 5647): length, sealed padding length, payload and padding, tag. */
function sealed(payloads: readonly Uint8Array[]): Buffer {
  const nonce = Buffer.from(NONCE)
  return Buffer.concat(
    payloads.map((payload) => {
      const size = Math.ceil((1 + payload.length + 4) / 16) * 16
      const packet = Buffer.alloc(size)
      packet[0] = size - 1 - payload.length
      packet.set(payload, 1)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(size)
      const cipher = createCipheriv('aes-128-gcm', KEY, nonce).setAAD(length)
      const body = Buffer.concat([cipher.update(packet), cipher.final()])
      countUp(nonce)
      return Buffer.concat([length, body, cipher.getAuthTag()])
    }),
  )
}

function data(recipient: number, text: string): Buffer {
  const head = Buffer.alloc(9)
  head[0] = 94
  head.writeUInt32BE(recipient, 1)
  head.writeUInt32BE(text.length, 5)
  return Buffer.concat([head, Buffer.from(text, 'latin1')])
}

/** What the library would be told, in order. */
function reader(take: (payload: Buffer) => undefined | false | number = () => undefined): {
  readonly decipher: GcmDecipher
  readonly payloads: string[]
} {
  const payloads: string[] = []
  const parts = {
    inSeqno: 3,
    _onPayload: (payload: Buffer) => {
      payloads.push(payload.toString('latin1'))
      return take(payload)
    },
    _decipherSSLName: 'aes-128-gcm',
    _decipherKey: KEY,
    _decipherIV: Buffer.from(NONCE),
  }
  assert.ok(isGcmDecipher(parts))
  return { decipher: new GcmDecipher(parts), payloads }
}

const DATA = '^'
const other = Buffer.from([80, 1, 2, 3])

/** Data of one channel one behind the other counts as one. */
function flat(payloads: readonly string[]): string[] {
  const out: string[] = []
  for (const payload of payloads) {
    const last = out.at(-1)
    const joins = last?.startsWith(DATA) && payload.startsWith(DATA) && last.slice(1, 5) === payload.slice(1, 5)
    if (joins) out[out.length - 1] = last + payload.slice(9)
    else out.push(payload.startsWith(DATA) ? payload.slice(0, 5) + payload.slice(9) : payload)
  }
  return out
}

test('packets come out whole and in order, whichever way they are cut', () => {
  const packet = fc.oneof(
    fc.constant(other),
    fc
      .tuple(fc.nat(1), fc.integer({ min: 1, max: 34_000 }))
      .map(([recipient, size]) => data(recipient, String.fromCharCode(65 + (size % 26)).repeat(size))),
  )
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 50_000 })), (payloads, cuts) => {
      const bytes = sealed(payloads)
      const { decipher, payloads: came } = reader()
      for (let at = 0, cut = 0; at < bytes.length; cut++) {
        const end = Math.min(bytes.length, at + (cuts[cut] ?? bytes.length))
        // Memory that is written over as soon as it has been read.
        const read = Buffer.from(bytes.subarray(at, end))
        assert.equal(decipher.decrypt(read, 0, read.length), undefined)
        read.fill(0)
        at = end
      }
      assert.deepEqual(flat(came), flat(payloads.map((payload) => payload.toString('latin1'))))
      assert.equal(decipher.inSeqno, 3 + payloads.length)
    }),
    { numRuns: 30 },
  )
})

test('what one read brings for one channel is one, and nothing overtakes it', () => {
  const { decipher, payloads } = reader()
  const bytes = sealed([data(1, 'ab'), data(1, 'cd'), data(2, 'x'), other, data(2, 'y')])
  decipher.decrypt(bytes, 0, bytes.length)
  assert.deepEqual(
    payloads,
    [data(1, 'abcd'), data(2, 'x'), other, data(2, 'y')].map((payload) => payload.toString('latin1')),
  )
})

test('where the keys change it stops, and says where', () => {
  const { decipher } = reader((payload) => (payload[0] === other[0] ? false : undefined))
  const first = sealed([data(1, 'ab'), other])
  const bytes = Buffer.concat([first, Buffer.from('of other keys')])
  assert.equal(decipher.decrypt(bytes, 0, bytes.length), first.length)
})

test('a changed byte, an impossible length and one beyond the limit end the connection; what came before is passed on', () => {
  for (const change of [4, 30]) {
    const { decipher, payloads } = reader()
    const good = sealed([data(1, 'ab')])
    const bytes = sealed([data(1, 'ab'), data(1, 'cd')])
    bytes[good.length + change] = (bytes[good.length + change] ?? 0) ^ 1
    assert.throws(() => decipher.decrypt(bytes, 0, bytes.length))
    assert.deepEqual(payloads, [data(1, 'ab').toString('latin1')])
  }
  for (const length of [0, 15, 17, 36_000, 0xfffffff0]) {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(length)
    assert.throws(() => reader().decipher.decrypt(bytes, 0, bytes.length), /length/)
    const { decipher } = reader()
    decipher.decrypt(bytes, 0, 3)
    assert.throws(() => decipher.decrypt(bytes, 3, bytes.length), /length/)
  }
})

test('a peer that leaves AES-GCM for another cipher is left: its ciphers would keep memory that others read into', () => {
  const socket = new Socket()
  const protocol = { _cipher: {}, _decipher: {}, _onWrite: () => undefined }
  const connection = { _protocol: protocol }
  quicken(connection, socket)
  const gcm = (): object => ({
    inSeqno: 3,
    _onPayload: () => undefined,
    _decipherSSLName: 'aes-128-gcm',
    _decipherKey: KEY,
    _decipherIV: Buffer.from(NONCE),
  })
  protocol._decipher = { decrypt: () => undefined }
  assert.equal(isSealed(connection), false)
  for (let rekey = 0; rekey < 2; rekey++) protocol._decipher = gcm()
  assert.ok(isSealed(connection) && !socket.destroyed)
  assert.throws(() => {
    protocol._decipher = { decrypt: () => undefined }
  }, /another cipher/)
  assert.ok(socket.destroyed && isSealed(connection), 'whatever is still read is read as it was')
})
