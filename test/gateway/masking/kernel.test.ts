import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashPair, keyPair } from '../../../gateway/masking/kernel.ts'
import { SipHash } from '../../../gateway/masking/siphash.ts'
import { kernelCode } from '../../support/kernel.ts'

const KEY = fc.uint8Array({ minLength: 16, maxLength: 16 })

/** Each hash as [low, high], by the implementation in TypeScript. */
function plain(keys: readonly Uint8Array[], source: Uint8Array, from: number, to: number): number[] {
  return keys.flatMap((key) => {
    const hash = new SipHash(key)
    hash.hash(source, from, to)
    return [hash.low, hash.high]
  })
}

test('the module is what its text says', async () => {
  const code = await readFile(new URL('../../../gateway/masking/kernel-code.ts', import.meta.url), 'utf8')
  assert.equal(code, await kernelCode(), 'run: npm run kernel')
})

test('both hashes of a value are SipHash-2-4, under two pairs of keys in turn, wherever the value stands', () => {
  fc.assert(
    fc.property(KEY, KEY, KEY, fc.uint8Array({ maxLength: 200 }), fc.nat(20), (one, two, three, value, offset) => {
      const source = new Uint8Array(value.length + 2 * offset).fill(0xff)
      source.set(value, offset)
      const to = offset + value.length
      for (const pair of [[one, two] as const, [one, three] as const]) {
        const [first, second] = pair
        assert.deepEqual([...hashPair(keyPair(first, second), source, offset, to)], plain(pair, source, offset, to))
      }
    }),
  )
})

test('a value longer than the kernel takes at once is hashed in pieces, to the same end', () => {
  const keys = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)] as const
  const source = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff)
  for (const size of [64, 65, 64_503, 64_504, 64_505, 129_008, 129_009, 199_990]) {
    assert.deepEqual([...hashPair(keyPair(...keys), source, 7, 7 + size)], plain(keys, source, 7, 7 + size), `${size} bytes`)
  }
})
