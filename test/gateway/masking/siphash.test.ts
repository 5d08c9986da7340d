import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fingerprintOf, SipHash } from '../../../gateway/masking/siphash.ts'

/** From the reference implementation's vectors.h (SipHash-2-4, 64-bit): key 00..0f, input 00..(n-1), bytes of the result in order. */
const VECTORS: readonly (readonly [size: number, hex: string])[] = [
  [0, '310e0edd47db6f72'],
  [1, 'fd67dc93c539f874'],
  [2, '5a4fa9d909806c0d'],
  [3, '2d7efbd796666785'],
  [7, '37d1018bf50002ab'],
  [8, '6224939a79f5f593'],
  [15, 'e545be4961ca29a1'],
]

const key = Uint8Array.from({ length: 16 }, (_, i) => i)

function littleEndian(hash: SipHash): string {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(hash.low, 0)
  bytes.writeUInt32LE(hash.high, 4)
  return bytes.toString('hex')
}

test('SipHash-2-4 gives the published results', () => {
  const hash = new SipHash(key)
  for (const [size, expected] of VECTORS) {
    const input = Uint8Array.from({ length: size }, (_, i) => i)
    hash.hash(input, 0, size)
    assert.equal(littleEndian(hash), expected, `input of ${size} bytes`)
  }
})

test('only the given range is hashed, wherever it stands', () => {
  const hash = new SipHash(key)
  const padded = Uint8Array.from({ length: 40 }, (_, i) => (i >= 9 && i < 24 ? i - 9 : 0xee))
  hash.hash(padded, 9, 24)
  assert.equal(littleEndian(hash), 'e545be4961ca29a1')
})

test('keys of different domains have nothing in common', () => {
  const value = Buffer.from('the same value')
  const [one, other] = ['detector:email', 'label:pii.email'].map((domain) => {
    const hash = SipHash.forDomain(key, domain)
    hash.hash(value, 0, value.length)
    return littleEndian(hash)
  })
  assert.notEqual(one, other)
})

test('a fingerprint depends on the gateway key and the value alone', () => {
  const value = Buffer.from('someone')
  assert.deepEqual(fingerprintOf(key, value), fingerprintOf(key.slice(), Buffer.from('someone')))
  assert.notDeepEqual(fingerprintOf(key, value), fingerprintOf(key, Buffer.from('someone else')))
  assert.notDeepEqual(
    fingerprintOf(key, value),
    fingerprintOf(
      key.map((byte) => byte ^ 1),
      value,
    ),
  )
})
