import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { isPlainZstd, zstdFrameSize } from '../../schemas/zstd-frame.ts'

const raws = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 400_000 }).map((size) => Buffer.alloc(size, 7)),
  fc.integer({ min: 0, max: 400_000 }).map((size) => randomBytes(size)),
)

test('a frame’s size is told by its heads, whatever stands behind it', () => {
  fc.assert(
    fc.property(raws, fc.boolean(), fc.constantFrom(1, 3), fc.boolean(), (raw, checksum, level, pledged) => {
      const frame = zstdCompressSync(raw, {
        params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 },
        ...(pledged ? { pledgedSrcSize: raw.length } : {}),
      })
      assert.equal(zstdFrameSize(frame), frame.length)
      assert.equal(zstdFrameSize(Buffer.concat([frame, frame])), frame.length)
      assert.equal(isPlainZstd(frame, raw.length), !checksum)
      assert.equal(isPlainZstd(frame, raw.length + 1), false)
      assert.equal(isPlainZstd(Buffer.concat([frame, frame]), raw.length), false)
    }),
    { numRuns: 60 },
  )
})

test('what is no frame, or a cut one, is refused and never read beyond', () => {
  const frame = zstdCompressSync(randomBytes(1_000))
  for (let size = 0; size < frame.length; size += 1) assert.throws(() => zstdFrameSize(frame.subarray(0, size)))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (tail) => {
      const bytes = Buffer.concat([frame.subarray(0, 5), tail])
      let size: number
      try {
        size = zstdFrameSize(bytes)
      } catch {
        return
      }
      assert.ok(size <= bytes.length)
    }),
  )
})
