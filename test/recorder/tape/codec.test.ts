import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { constants, zstdCompressSync } from 'node:zlib'
import { compress, decompress } from '../../../recorder/tape/codec.ts'

/** Blocks a compressor that is used again gives its output in. */
const OUTPUT_SIZE = 256 << 10

test('a chunk whose compressed end is that of an output block is one frame like any other', async () => {
  const first = Buffer.concat([randomBytes(200_000), Buffer.alloc(20_000)])
  const raw = rawOf(OUTPUT_SIZE - (await compress(first, 'zstd')).stored.length)
  const { codec, stored } = await compress(raw, 'zstd')
  assert.equal(codec, 'zstd')
  assert.deepEqual(decompress('zstd', stored, raw.length), raw)
  // And so is what comes behind it.
  assert.deepEqual(decompress('zstd', (await compress(first, 'zstd')).stored, first.length), first)
})

test('what gains nothing is stored as it is, and what gains somewhere is not', async () => {
  const noise = randomBytes(1 << 20)
  assert.deepEqual(await compress(noise, 'zstd'), { codec: 'store', stored: noise })
  assert.equal((await compress(noise.subarray(0, 70_000), 'gzip')).codec, 'store')
  const half = Buffer.concat([noise.subarray(0, 200_000), Buffer.alloc(200_000)])
  assert.equal((await compress(half, 'zstd')).codec, 'zstd')
  assert.equal((await compress(Buffer.from('a line of text like any other\n'.repeat(9_000)), 'zstd')).codec, 'zstd')
})

/** Something that becomes a frame of exactly `size` bytes. */
function rawOf(size: number): Buffer {
  const raw = Buffer.concat([randomBytes(size - 300), Buffer.alloc(20_000), randomBytes(400)])
  for (let length = raw.length - 400; length <= raw.length; length += 1) {
    const part = raw.subarray(0, length)
    if (zstdCompressSync(part, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }).length === size) return part
  }
  return assert.fail(`nothing becomes ${size} bytes`)
}
