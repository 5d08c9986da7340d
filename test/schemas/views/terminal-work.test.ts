import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Keyframe, KeyframeMaker } from '../../../schemas/views/keyframes.ts'
import { MAX_COLS, MAX_ROWS } from '../../../schemas/views/terminal.ts'
import { TerminalEmulator } from '../../../schemas/views/terminal-emulator.ts'
import { TerminalWork } from '../../../schemas/views/terminal-work.ts'
import { cpuClock } from '../../support/cpu-time.ts'

const LARGEST = { cols: MAX_COLS, rows: MAX_ROWS }
/** Without a budget each of these takes minutes. */
const FLOOD_SIZE = 256 << 10
const MOST_MS = 15_000

const COSTLY = {
  'ED 2': '\u001b[2J',
  'ED 0': '\u001b[H\u001b[J',
  DECSED: '\u001b[?2J',
  RIS: '\u001bc',
  DECALN: '\u001b#8',
  '1049': '\u001b[?1049h\u001b[?1049l',
  SD: '\u001b[500T',
  IL: '\u001b[500L',
  REP: 'a\u001b[500000b',
  SL: '\u001b[500 @',
  DECIC: "\u001b[500'}",
}

test('whatever a terminal is flooded with, its emulator comes to an end soon, and what is written behind it is shown', async () => {
  for (const [name, sequence] of Object.entries(COSTLY)) {
    const work = new TerminalWork(() => 0)
    const emulator = new TerminalEmulator(LARGEST, work)
    const usedMs = cpuClock()
    await emulator.write(Buffer.from(`${sequence.repeat(FLOOD_SIZE / sequence.length)}\u001b[1;1Hbehind it`))
    const tookMs = usedMs()
    assert.ok(tookMs < MOST_MS, `${name} took ${tookMs} ms`)
    assert.ok(work.exceeded, name)
    assert.match(emulator.lines()[0] ?? '', /^behind it/, name)
    emulator.dispose()
  }
})

test('a program that draws a screen anew many times a second is shown as it is, for as long as it runs', async () => {
  let seconds = 0
  const work = new TerminalWork(() => seconds * 1_000_000)
  const emulator = new TerminalEmulator({ cols: 80, rows: 24 }, work)
  for (seconds = 1; seconds <= 100; seconds += 1)
    await emulator.write(Buffer.from('\u001b[?1049h\u001b[H\u001b[2Jold\u001b[?1049l\u001b[2J\u001b[Hnew'.repeat(60)))
  assert.equal(work.exceeded, false)
  assert.deepEqual(emulator.lines().slice(0, 2), ['new', ''])
})

test('no screen is kept of a terminal of which something was passed over', async () => {
  const kept: Keyframe[] = []
  const everyFrame = { bytes: 1, frames: 1 }
  const maker = new KeyframeMaker(
    (keyframe) => kept.push(keyframe),
    () => everyFrame,
    new TerminalWork(() => 0),
  )
  await maker.take({ does: 'start', ...LARGEST }, 0)
  await maker.take({ does: 'output', bytes: Buffer.from('shown') }, 1)
  await maker.take({ does: 'output', bytes: Buffer.from('\u001b[2J'.repeat(1_000)) }, 2)
  await maker.take({ does: 'output', bytes: Buffer.from('behind') }, 3)
  maker.dispose()
  assert.deepEqual(
    kept.map(({ seq }) => seq),
    [0, 1],
  )
})
