import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IDLE_LIMIT_US, type Player, play, SPEEDS } from '../../../replay-ui/data/player.ts'

const START: Player = { atUs: 0, playing: true, speed: 1, durationUs: 10_000_000 }

test('time passes as fast as the speed says, and ends at the end', () => {
  assert.equal(play(START, { move: 'tick', realUs: 16_000 }).atUs, 16_000)
  assert.equal(play({ ...START, speed: 10 }, { move: 'tick', realUs: 16_000 }).atUs, 160_000)
  const end = play(START, { move: 'tick', realUs: 60_000_000 })
  assert.deepEqual([end.atUs, end.playing], [10_000_000, false])
})

test('where nothing happens for long it goes on at once; else it waits', () => {
  assert.equal(play(START, { move: 'tick', realUs: 16_000, nextUs: IDLE_LIMIT_US + 1 }).atUs, IDLE_LIMIT_US + 1)
  assert.equal(play(START, { move: 'tick', realUs: 16_000, nextUs: IDLE_LIMIT_US }).atUs, 16_000)
})

test('played to its end it begins again', () => {
  const again = play({ ...START, playing: false, atUs: START.durationUs }, { move: 'toggle' })
  assert.deepEqual([again.atUs, again.playing], [0, true])
})

test('speeds go up and down by one and stay within their list', () => {
  assert.equal(play(START, { move: 'speed', by: 1 }).speed, 2)
  assert.equal(play({ ...START, speed: SPEEDS[0] }, { move: 'speed', by: -1 }).speed, SPEEDS[0])
  assert.equal(play({ ...START, speed: 50 }, { move: 'speed', by: 1 }).speed, 50)
})

test('whatever is done, the playhead stays on the tape', () => {
  const move = fc.oneof(
    fc.record({ move: fc.constant('to' as const), atUs: fc.integer() }),
    fc.record({ move: fc.constant('by' as const), us: fc.integer() }),
    fc.record({ move: fc.constant('part' as const), of: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ move: fc.constant('tick' as const), realUs: fc.nat(), nextUs: fc.nat() }),
    fc.constant({ move: 'toggle' as const }),
  )
  fc.assert(
    fc.property(fc.array(move), (moves) => {
      const { atUs } = moves.reduce(play, START)
      assert.ok(atUs >= 0 && atUs <= START.durationUs)
    }),
  )
})
