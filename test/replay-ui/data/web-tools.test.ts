import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { webTools } from '../../../replay-ui/data/web-tools.ts'
import type { ApplianceError } from '../../../schemas/errors.ts'
import { HASH_SIZE, tapeKeys } from '../../../schemas/tape.ts'
import type { TapeVerification } from '../../../schemas/verification.ts'
import type { CheckedChunk } from '../../../schemas/verify/tape-state.ts'
import { verifyTapeWith } from '../../../schemas/verify/verify-tape.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

// The page's crypto against node's, on which the verifier's own tests stand.

const bytes = fc.uint8Array({ maxLength: 3_000 })

test('hashes, checksums, leaves and roots are those of node', () => {
  fc.assert(
    fc.property(bytes, fc.nat(1e9), fc.nat(20), (raw, seq, count) => {
      assert.deepEqual(Buffer.from(webTools.sha256(raw)), Buffer.from(nodeTools.sha256(raw)))
      assert.equal(webTools.crc32(raw), nodeTools.crc32(raw))
      const saltKey = raw.slice(0, 32)
      const [web, node] = [new Uint8Array((count + 1) * HASH_SIZE), new Uint8Array((count + 1) * HASH_SIZE)]
      const [webLeaves, nodeLeaves] = [webTools.leaves(saltKey), nodeTools.leaves(saltKey)]
      for (let at = 0; at <= count; at += 1) {
        webLeaves.write(seq + at, raw, 0, raw.length, web, at * HASH_SIZE)
        nodeLeaves.write(seq + at, raw, 0, raw.length, node, at * HASH_SIZE)
      }
      assert.deepEqual(web, node)
      assert.deepEqual(Buffer.from(webTools.merkleRoot(web, count)), Buffer.from(nodeTools.merkleRoot(node, count)))
    }),
  )
})

test('what node compresses is what comes out; what is longer than it says is refused', async (t) => {
  await fc.assert(
    fc.asyncProperty(bytes, async (raw) => {
      assert.deepEqual(Buffer.from(await webTools.decompress('zstd', zstdCompressSync(raw), raw.length)), Buffer.from(raw))
      assert.deepEqual(Buffer.from(await webTools.decompress('gzip', gzipSync(raw), raw.length)), Buffer.from(raw))
    }),
  )
  // The library compares what it is given with a number, for which an array writes itself out as text.
  const written = t.mock.method(Object.getPrototypeOf(Uint8Array.prototype), 'join')
  await webTools.decompress('zstd', zstdCompressSync(Buffer.from('abc')), 3)
  assert.equal(written.mock.callCount(), 0)
  const malformed = { code: 'TAPE_MALFORMED' } satisfies Partial<ApplianceError>
  const bomb = new Uint8Array(1 << 20)
  await assert.rejects(async () => webTools.decompress('gzip', gzipSync(bomb), 1000), malformed)
  await assert.rejects(async () => webTools.decompress('zstd', Uint8Array.of(1, 2, 3), 3), malformed)
  await assert.rejects(async () => webTools.decompress('store', bomb, 2 ** 40), malformed)
  await assert.rejects(async () => webTools.gunzip(Uint8Array.of(1, 2, 3), 10), malformed)
})

/**
 * Where a chunk's compressed bytes were changed, one decompressor gives up, another goes on to frames that are not the signed ones, and now and
 * then one comes to the very frames: a chunk that is INVALID by its frames to one and by its checksum to the other, which counts its frames.
 */
function comparable(verification: TapeVerification): object {
  let compressed = false
  const problems = verification.problems.map((problem) => {
    const { what, part, frame, frames, ...where } = problem
    if (part !== 'frames' && part !== 'checksum') return problem
    compressed = true
    return where
  })
  if (!compressed) return verification
  const { frames, lastGood, ...rest } = verification
  return { ...rest, problems }
}

test('page and command come to the same verdict about the same tape, whatever byte of it was changed', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  for (let turn = 0; turn < 6; turn += 1) {
    await recorder.append(
      Array.from({ length: 30 }, (_, at) => entry({ body: Buffer.from(`statement ${turn}.${at} ${'x'.repeat(900)}`) })),
    )
    await recorder.append([entry({ verdict: { act: 'block', rules: ['r'], policy: 'abababababab' } })])
  }
  await recorder.seal('client.left')
  const trust = { gatewayKeys: [{ gateway: 'gw1', publicKey: folder.signer.publicKey }] }
  const key = tapeKeys.segment(info.id, 0)
  const [tape, salt] = [await folder.store.get(key), await folder.store.get(tapeKeys.salt(info.id))]

  async function both(changed: Uint8Array): Promise<CheckedChunk[]> {
    const store = new MemoryStore()
    await store.put(key, changed)
    await store.put(tapeKeys.salt(info.id), salt)
    const chunks: CheckedChunk[] = []
    const page = await verifyTapeWith({ source: store, tools: webTools }, info.id, trust, { onChunk: (one) => chunks.push(one) })
    assert.deepEqual(comparable(page), comparable(await verifyTape(store, info.id, trust)))
    return chunks
  }

  const whole = await both(tape)
  assert.ok(whole.length >= 6 && whole.every(({ state }) => state === 'good'))
  await fc.assert(
    fc.asyncProperty(fc.nat(tape.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Uint8Array.from(tape)
      changed[at] = (changed[at] ?? 0) ^ flip
      await both(changed)
    }),
    { numRuns: 40 },
  )
})

test('bytes behind a compressed chunk, which no signature covers, are refused in page and command alike', async () => {
  const raw = Buffer.from('abc'.repeat(100))
  for (const [codec, stored] of [
    ['gzip', gzipSync(raw)],
    ['zstd', zstdCompressSync(raw)],
  ] as const) {
    assert.deepEqual(Buffer.from(nodeTools.decompress(codec, stored, raw.length)), raw)
    for (const longer of [Buffer.concat([stored, Buffer.from('more')]), ...(codec === 'gzip' ? oddMembers(stored) : [])]) {
      assert.throws(() => nodeTools.decompress(codec, longer, raw.length), { code: 'TAPE_MALFORMED' })
      await assert.rejects(async () => webTools.decompress(codec, longer, raw.length), { code: 'TAPE_MALFORMED' })
    }
  }
  // An index is compressed alike.
  for (const odd of oddMembers(gzipSync(raw))) {
    assert.throws(() => nodeTools.gunzip(odd, 1000), { code: 'TAPE_MALFORMED' })
    await assert.rejects(async () => webTools.gunzip(odd, 1000), { code: 'TAPE_MALFORMED' })
  }
})

/** What zlib takes for the same bytes: members with nothing in them before and behind, optional fields; and another CRC. */
function oddMembers(member: Buffer): readonly Buffer[] {
  const empty = gzipSync(Buffer.alloc(0))
  const named = Buffer.concat([
    member.subarray(0, 3),
    Buffer.of(8),
    member.subarray(4, 10),
    Buffer.from('a\0'),
    member.subarray(10),
  ])
  const crc = Buffer.from(member)
  crc.writeUInt32LE(7, crc.length - 8)
  return [Buffer.concat([member, empty]), Buffer.concat([empty, member]), named, crc]
}
