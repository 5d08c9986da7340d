import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tape, type TapeWorker } from '../../../replay-ui/data/tape.ts'
import type { ChunkPlace, TapeMap } from '../../../replay-ui/data/tape-map.ts'
import type { Ask, Tell } from '../../../replay-ui/data/worker-messages.ts'
import { encodeFrame } from '../../support/frames.ts'

const COUNT = 10

function placeOf(n: number): ChunkPlace {
  const [firstUs, lastUs] = [n * 1000, n * 1000 + 900]
  return {
    key: 'k',
    offset: n,
    size: 1,
    n,
    firstSeq: n * COUNT,
    count: COUNT,
    firstUs,
    lastUs,
    rows: 0,
    bytes: 0,
    urgent: false,
    recovered: false,
  }
}

const MAP: TapeMap = {
  id: 's',
  chunks: [0, 1, 2, 3].map(placeOf),
  frameCount: 40,
  durationUs: 3900,
  density: { binUs: 1, counts: [] },
  end: { kind: 'open' },
  gaps: [],
}

/** A worker that answers when it is told to. */
function rig() {
  const asked: Ask[][] = []
  const listeners: ((event: { readonly data: Tell }) => void)[] = []
  let changes = 0
  const newWorker = (): TapeWorker => {
    const own: Ask[] = []
    asked.push(own)
    return {
      postMessage: (ask) => void own.push(ask),
      terminate: () => undefined,
      addEventListener: (_type, listener) => void listeners.push(listener),
    }
  }
  const tape = new Tape(newWorker, () => {
    changes += 1
  })
  const tell = (data: Tell): void => listeners[0]?.({ data })
  const answer = (index: number): void => {
    const frames = Array.from({ length: COUNT }, (_, at) => encodeFrame(index * COUNT + at, index * 1000 + at * 100))
    const bounds: number[] = []
    let size = 0
    for (const { length } of frames) {
      bounds.push(size, size + length)
      size += length
    }
    tell({ tell: 'chunk', index, raw: Buffer.concat(frames), bounds: Uint32Array.from(bounds) })
  }
  return { tape, asked, tell, answer, changes: () => changes }
}

test('a frame that is not here is asked for once, and comes', async () => {
  const { tape, asked, tell, answer } = rig()
  tape.open('s', 'http://console.example', 'test')
  tell({ tell: 'map', map: MAP })
  assert.equal(tape.frame(12), undefined)
  assert.equal(tape.frame(13), undefined)
  const coming = tape.whenFrame(15)
  answer(1)
  assert.equal((await coming)?.seq, 15)
  assert.equal(tape.frame(12)?.seq, 12)
  assert.equal(tape.frameAt(1_250)?.seq, 12)
  assert.deepEqual(
    asked[0]?.filter(({ ask }) => ask === 'chunk'),
    [{ ask: 'chunk', index: 1 }],
  )
})

test('a chunk that cannot be read is told as such, and the others still come', async () => {
  const { tape, tell, answer } = rig()
  tell({ tell: 'map', map: MAP })
  const [bad, good] = [tape.whenFrame(3), tape.whenFrame(33)]
  tell({ tell: 'damage', index: 0, what: 'flipped', again: false })
  answer(3)
  assert.equal(await bad, undefined)
  assert.deepEqual(tape.chunkWith(3), { state: 'damage', what: 'flipped' })
  assert.equal((await good)?.seq, 33)
  assert.equal(tape.chunkWith(99), undefined)
})

test('what was fetched stays while the tape grows, and goes where its chunk has moved', () => {
  const { tape, tell, answer } = rig()
  tell({ tell: 'map', map: MAP })
  tape.frame(0)
  tape.frame(30)
  answer(0)
  answer(3)
  tell({
    tell: 'map',
    map: { ...MAP, chunks: [...MAP.chunks.slice(0, 3), { ...placeOf(3), offset: 7 }, placeOf(4)], frameCount: 50 },
  })
  assert.equal(tape.frame(0)?.seq, 0)
  assert.equal(tape.frame(30), undefined)
})

test('verification has a worker of its own, which pauses for whoever waits', () => {
  const { tape, asked, tell } = rig()
  tape.open('s', 'http://console.example', 'test')
  tell({ tell: 'map', map: MAP })
  tape.verify({ keys: [] })
  assert.deepEqual(
    asked[1]?.map(({ ask }) => ask),
    ['open', 'verify'],
  )
  tape.frame(0)
  assert.equal(asked[1]?.at(-1)?.ask, 'pause')
  tell({ tell: 'checked', chunks: [{ n: 0, firstSeq: 0, count: COUNT, state: 'good', recovered: false }] })
  assert.deepEqual([tape.checked[0], tape.checkedFrames], ['good', COUNT])
})

test('what an older search finds is not the newer one’s', () => {
  const { tape, tell } = rig()
  tell({ tell: 'map', map: MAP })
  tape.find({ text: 'a' })
  tape.find({ text: 'b' })
  tell({ tell: 'found', search: 1, seqs: [1], looked: 1, of: 4, done: false })
  tell({ tell: 'found', search: 2, seqs: [2], looked: 1, of: 4, done: false })
  tell({ tell: 'found', search: 2, seqs: [9], looked: 4, of: 4, done: true })
  assert.deepEqual([tape.found?.seqs, tape.found?.done], [[2, 9], true])
  tape.find(null)
  assert.equal(tape.found, undefined)
})
