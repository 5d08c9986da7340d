import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkFrames } from '../../../replay-ui/data/chunk-frames.ts'
import { chunkAtTime, chunkOfFrame, type TapeMap, tapeMapOf } from '../../../replay-ui/data/tape-map.ts'
import { TapeReader } from '../../../replay-ui/data/tape-reader.ts'
import { webTools } from '../../../replay-ui/data/web-tools.ts'
import type { IndexRow } from '../../../schemas/tape.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
import { apiOn } from './stored-objects.ts'

test('a tape is opened by few requests, and any chunk is one more', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  for (let turn = 0; turn < 4; turn += 1) {
    await recorder.append(Array.from({ length: 50 }, (_, at) => entry({ body: Buffer.from(`${turn}.${at}`) })))
    await recorder.append([entry({ verdict: { act: 'block', rules: ['r'], policy: 'abababababab' } })])
  }
  await recorder.seal('client.left')
  const state = { live: false, requests: 0 }
  const reader = new TapeReader(apiOn(folder, state), webTools, info.id)
  const map = await reader.open()
  // The header; and in one go footer and index.
  assert.equal(state.requests, 2)
  assert.deepEqual([map.frameCount, map.end.kind, map.gaps], [204, 'sealed', []])
  state.requests = 0
  for (const seq of [0, 50, 51, 203]) {
    const index = chunkOfFrame(map, seq)
    const { raw, bounds } = await reader.chunk(index)
    const frames = new ChunkFrames(raw, bounds)
    assert.equal(frames.at(seq - (map.chunks[index]?.firstSeq ?? 0))?.seq, seq)
  }
  assert.equal(state.requests, 4)
  assert.equal(chunkOfFrame(map, 204), -1)
  assert.equal(chunkAtTime(map, -1), 0)
})

test('a growing tape is read on from where it ended', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const blocked = entry({ verdict: { act: 'block', rules: ['r'], policy: 'abababababab' } })
  await recorder.append([entry({ body: Buffer.from('one') }), blocked])
  const state = { live: true, requests: 0 }
  const api = apiOn(folder, state)
  const reader = new TapeReader(api, webTools, info.id)
  const grown = async (frames: number): Promise<TapeMap> => {
    for (;;) {
      const map = await reader.grow((await api.objects(info.id)).objects)
      if (map.frameCount >= frames) return map
      await new Promise(setImmediate)
    }
  }
  await reader.open()
  assert.equal((await grown(2)).end.kind, 'open')
  await recorder.append([entry({ body: Buffer.from('two') }), blocked])
  const map = await grown(4)
  assert.deepEqual([map.frameCount, map.end.kind], [4, 'open'])
  const last = map.chunks.length - 1
  const { raw, bounds } = await reader.chunk(last)
  assert.equal(new ChunkFrames(raw, bounds).at(0)?.seq, map.chunks[last]?.firstSeq)
  await recorder.seal('client.left')
  state.live = false
  assert.equal((await grown(4)).end.kind, 'sealed')
})

const row = (n: number, firstSeq: number, count: number, firstUs: number, lastUs: number): IndexRow => [
  n * 100,
  100,
  n,
  firstSeq,
  count,
  firstUs,
  lastUs,
  1000,
  0,
  0,
  0,
  0,
]

test('a chunk that is missing is a gap, with its frames and its time', () => {
  const map = tapeMapOf('s', {
    segments: [
      {
        v: 1,
        segment: 0,
        chunks: [row(0, 0, 10, 0, 100), row(2, 25, 5, 400, 500)],
        density: { binUs: 1, counts: [] },
        summary: null,
      },
    ],
    recovered: undefined,
  })
  assert.deepEqual(map.gaps, [{ firstSeq: 10, lastSeq: 24, fromUs: 100, toUs: 400 }])
  assert.equal(chunkOfFrame(map, 12), -1)
  assert.equal(map.end.kind, 'open')
  // Without the index's own density the chunks' times tell it, and no frame is lost.
  assert.equal(Math.round(map.density.counts.reduce((sum, count) => sum + count, 0)), 15)
})

test('a frame that cannot be decoded is one frame less, not a chunk', () => {
  const raw = Uint8Array.of(0xc1, 0x90)
  const frames = new ChunkFrames(raw, Uint32Array.of(0, 1, 1, 2))
  assert.deepEqual([frames.count, frames.at(0), frames.at(1), frames.at(2)], [2, undefined, undefined, undefined])
})
