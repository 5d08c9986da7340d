import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TapeMap } from '../../../replay-ui/data/tape-map.ts'
import { following, layOut, zoomed } from '../../../replay-ui/elements/time-line-layout.ts'
import type { StatementRow } from '../../../schemas/api.ts'

const MAP: TapeMap = {
  id: 's',
  chunks: [
    {
      key: 'k',
      offset: 0,
      size: 1,
      n: 0,
      firstSeq: 0,
      count: 10,
      firstUs: 0,
      lastUs: 400,
      rows: 30,
      bytes: 0,
      urgent: false,
      recovered: false,
    },
    {
      key: 'k',
      offset: 1,
      size: 1,
      n: 2,
      firstSeq: 20,
      count: 10,
      firstUs: 600,
      lastUs: 1000,
      rows: 10,
      bytes: 0,
      urgent: true,
      recovered: true,
    },
  ],
  frameCount: 30,
  durationUs: 1000,
  density: { binUs: 100, counts: [10, 0, 0, 0, 0, 0, 10, 0, 0, 0] },
  end: { kind: 'open' },
  gaps: [{ firstSeq: 10, lastSeq: 19, fromUs: 400, toUs: 600 }],
}
const STATEMENT: StatementRow = {
  session: 's',
  frame: 0,
  part: 0,
  channel: 0,
  kind: 'query',
  text: 'DELETE FROM t',
  textCut: false,
  atUs: 500,
  durationUs: 250,
  lastFrame: 1,
  rows: 0,
  bytesOut: 0,
  masked: 0,
  verdict: 'hold',
  rules: [],
  approval: 'A-12345678',
  outcome: 'complete',
}
const one = (): TapeMap['chunks'][number] => {
  const [chunk] = MAP.chunks
  assert.ok(chunk !== undefined)
  return chunk
}
const ALL = { fromUs: 0, toUs: 1000 }

test('density, marks, holds, gaps and checks stand where their time is', () => {
  const layout = layOut(MAP, [STATEMENT], ['good'], ALL, 1000)
  assert.deepEqual(layout.marks, [{ x: 500, act: 'hold' }])
  assert.deepEqual(layout.holds, [{ x: 500, width: 250 }])
  assert.deepEqual(layout.gaps, [{ x: 400, width: 200 }])
  assert.deepEqual(
    layout.checks.map(({ state, recovered }) => [state, recovered]),
    [
      ['good', false],
      ['waiting', true],
    ],
  )
  assert.ok(layout.density.every(({ x }) => x < 100 || (x >= 597 && x < 700)))
  assert.deepEqual(layout.rows.at(-1), { x: 1000, share: 1 })
  assert.equal(layout.openEnd, 1000)
})

test('thousands of chunks that look alike are one bar as long as they are, and another begins where they differ', () => {
  const chunks = Array.from({ length: 10_000 }, (_, n) => ({ ...one(), n, firstUs: n, lastUs: n }))
  const checked = chunks.map(({ n }) => (n < 4_000 || n >= 5_000 ? 'good' : 'bad') as const)
  const { checks } = layOut({ ...MAP, chunks, gaps: [], durationUs: 10_000 }, [], checked, { fromUs: 0, toUs: 10_000 }, 1000)
  assert.deepEqual(
    checks.map(({ x, width, state }) => [Math.round(x), Math.round(width), state]),
    [
      [0, 401, 'good'],
      [400, 101, 'bad'],
      [500, 501, 'good'],
    ],
  )
})

test('zoomed in, what is out of sight is not drawn', () => {
  const layout = layOut(MAP, [STATEMENT], [], { fromUs: 0, toUs: 100 }, 1000)
  assert.deepEqual([layout.marks, layout.holds, layout.gaps, layout.openEnd], [[], [], [], undefined])
})

test('zooming keeps the moment in its place and the span on the tape', () => {
  assert.deepEqual(zoomed(ALL, 1000, 1, 0), { fromUs: 0, toUs: 1000 })
  fc.assert(
    fc.property(
      fc.integer({ min: 2_000, max: 1e9 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.constantFrom(1 as const, -1 as const)),
      (durationUs, share, moves) => {
        const about = durationUs * share
        const span = moves.reduce((one, by) => zoomed(one, durationUs, by, about), { fromUs: 0, toUs: durationUs })
        assert.ok(span.fromUs >= 0 && span.toUs <= durationUs + 1 && span.toUs > span.fromUs)
      },
    ),
  )
})

test('a playhead that leaves the span takes it along', () => {
  const span = { fromUs: 100, toUs: 200 }
  assert.equal(following(span, 150), span)
  const moved = following(span, 900)
  assert.ok(moved.fromUs <= 900 && moved.toUs >= 900 && moved.toUs - moved.fromUs === 100)
})
