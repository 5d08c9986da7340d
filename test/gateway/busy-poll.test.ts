import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BusyPoll } from '../../gateway/busy-poll.ts'

const WINDOW_MS = 0.3
const TURN_MS = 0.005

/** A loop in a time of its own; `share` of it is given to the loop's thread. */
function loop(share = 1) {
  let nowMs = 1_000
  let usedMs = 0
  let turns = 0
  let due: (() => void) | undefined
  const pass = (ms: number): void => {
    nowMs += ms
    usedMs += ms * share
  }
  const poll = new BusyPoll(WINDOW_MS, {
    nowMs: () => nowMs,
    usedMs: () => usedMs,
    next(turn) {
      assert.equal(due, undefined, 'asked for twice')
      due = turn
    },
  })
  /** Turns for so long, and sleeps where nobody asks for more. */
  const turn = (ms: number): void => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
      const now = due
      due = undefined
      pass(TURN_MS)
      if (now === undefined) continue
      turns++
      now()
    }
  }
  return {
    /** A message that takes `workMs`, and `ms` until the next. */
    message(ms: number, workMs = 0.05): void {
      poll.came(nowMs)
      pass(workMs)
      turn(ms)
    },
    /** Since this was last asked. */
    turns(): number {
      const count = turns
      turns = 0
      return count
    },
  }
}

test('behind a message the loop asks its sockets again for the window, and sleeps then', () => {
  const { message, turns } = loop()
  message(10)
  assert.ok(Math.abs(turns() - WINDOW_MS / TURN_MS) < 5)
})

test('a conversation at one go is polled all the time; polling stops where nothing comes, and is tried ever more rarely', () => {
  const { message, turns } = loop()
  for (let count = 0; count < 10_000; count++) message(0.1)
  assert.ok(turns() > 10_000 * 15)
  for (let count = 0; count < 630; count++) message(1)
  const inVain = turns()
  assert.ok(inVain > WINDOW_MS / TURN_MS && inVain < (20 * WINDOW_MS) / TURN_MS, `${inVain} turns behind 630 messages`)
})

test('a key and its echo are polled between, however long the next key takes', () => {
  const { message, turns } = loop()
  for (let count = 0; count < 100; count++) {
    message(0.15) // the echo comes in time
    message(100)
  }
  assert.ok(turns() > (100 * 0.15) / TURN_MS)
})

test('a loop that works most of the time is not polled', () => {
  const { message, turns } = loop()
  for (let count = 0; count < 100_000; count++) message(TURN_MS, 0.1)
  assert.ok(turns() < 5_000, 'in ever fewer spells')
})

test('behind a pause it begins anew, whatever there was before', () => {
  const { message, turns } = loop()
  for (let count = 0; count < 200_000; count++) message(TURN_MS, 0.1)
  message(300)
  for (let count = 0; count < 630; count++) message(1)
  message(300)
  turns()
  for (let count = 0; count < 100; count++) message(0.1)
  assert.ok(turns() > 100 * 15)
})

test('a loop that others take the core from gives it to them', () => {
  const alone = loop()
  const beside = loop(0.5)
  for (let count = 0; count < 20_000; count++) for (const each of [alone, beside]) each.message(0.1)
  assert.ok(beside.turns() < alone.turns() / 5)
})

test('so does one that waits in vain between answers that came in time', () => {
  const alone = loop()
  const beside = loop(0.5)
  for (let count = 0; count < 20_000; count++)
    for (const each of [alone, beside]) {
      each.message(0.15)
      each.message(0.4)
    }
  assert.ok(beside.turns() < alone.turns() / 5)
})

test('a window of nothing never polls', () => {
  let asked = 0
  const poll = new BusyPoll(0, { nowMs: () => 0, usedMs: () => 0, next: () => void asked++ })
  for (let count = 0; count < 100; count++) poll.came(count)
  assert.equal(asked, 0)
})

test('the own loop: polled, and left to itself afterwards', async () => {
  const { uvMetricsInfo: before } = performance.nodeTiming
  new BusyPoll(30).came(performance.now())
  await new Promise((resolve) => setTimeout(resolve, 60))
  const { uvMetricsInfo: polled } = performance.nodeTiming
  assert.ok(polled.loopCount - before.loopCount > 20, `${polled.loopCount - before.loopCount} turns`)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.ok(performance.nodeTiming.uvMetricsInfo.loopCount - polled.loopCount < 10)
})
