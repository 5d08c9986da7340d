import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkRuns } from '../../../replay-ui/data/chunk-runs.ts'
import type { TapeMap } from '../../../replay-ui/data/tape-map.ts'
import { TapeReader } from '../../../replay-ui/data/tape-reader.ts'
import { webTools } from '../../../replay-ui/data/web-tools.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
import { apiOn } from './stored-objects.ts'

const CHUNKS = 120

interface Rig extends AsyncDisposable {
  readonly runs: ChunkRuns
  readonly map: TapeMap
  readonly state: { live: boolean; requests: number; down?: boolean }
}

/** A tape of many small chunks, as quiet sessions make them: one for each frame that had to be durable at once. */
async function rig(): Promise<Rig> {
  const folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  for (let n = 0; n < CHUNKS; n += 1)
    await recorder.append([
      entry({ body: Buffer.from(`frame ${n}`), verdict: { act: 'block', rules: ['r'], policy: 'abababababab' } }),
    ])
  await recorder.seal('client.left')
  const state: Rig['state'] = { live: false, requests: 0 }
  const api = apiOn(folder, state)
  const map = await new TapeReader(api, webTools, info.id).open()
  assert.ok(map.chunks.length >= CHUNKS, `${map.chunks.length} chunks`)
  state.requests = 0
  return { runs: new ChunkRuns(api, webTools, info.id), map, state, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

test('chunks read in order come by few requests, one that is jumped to by its own', async () => {
  await using made = await rig()
  const { runs, map, state } = made
  for (const [index, place] of map.chunks.entries()) {
    const frames = await runs.chunk(map.chunks, index)
    assert.equal(frames?.at(0)?.seq, place.firstSeq)
    assert.equal(frames.count, place.count)
  }
  assert.ok(state.requests <= 2 + 2 * Math.log2(map.chunks.length), `${state.requests} requests`)
  state.requests = 0
  for (const index of [50, 3, 90]) assert.equal((await runs.chunk(map.chunks, index))?.at(0)?.seq, map.chunks[index]?.firstSeq)
  assert.equal(state.requests, 3)
  assert.equal(await runs.chunk(map.chunks, map.chunks.length), undefined)
})

test('what could not be had is asked for again', async () => {
  await using made = await rig()
  const { runs, map, state } = made
  for (const index of [0, 1, 2]) await runs.chunk(map.chunks, index)
  state.down = true
  await assert.rejects(async () => {
    for (const index of map.chunks.keys()) await runs.chunk(map.chunks, index)
  }, /down/)
  state.down = false
  for (const [index, { firstSeq }] of map.chunks.entries())
    assert.equal((await runs.chunk(map.chunks, index))?.at(0)?.seq, firstSeq)
})
