import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Keyframe, KeyframeMaker, keyframePace } from '../../../schemas/views/keyframes.ts'
import { MAX_COLS, MAX_ROWS, type TerminalSize } from '../../../schemas/views/terminal.ts'
import { TerminalEmulator } from '../../../schemas/views/terminal-emulator.ts'

const SIZE = { cols: 40, rows: 6 }

async function made(outputs: readonly string[], paceOf?: (size: TerminalSize) => { bytes: number; frames: number }) {
  const kept: Keyframe[] = []
  const maker = new KeyframeMaker((keyframe) => kept.push(keyframe), paceOf)
  await maker.take({ does: 'start', ...SIZE }, 0)
  for (const [index, text] of outputs.entries()) await maker.take({ does: 'output', bytes: Buffer.from(text) }, index + 1)
  maker.dispose()
  return kept
}

test('screens are kept at their pace, each what the output before it gives, none inside a sequence', async () => {
  const outputs = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? `line ${n}\r\n\u001b[3` : '1m'))
  const kept = await made(outputs, () => ({ bytes: Number.POSITIVE_INFINITY, frames: 5 }))
  assert.ok(kept.length >= 5, `${kept.length} kept`)
  for (const { seq, init, torn } of kept) {
    assert.equal(seq % 2, 0, 'behind a whole sequence')
    assert.equal(torn, false)
    const [played, entered] = [new TerminalEmulator(SIZE), new TerminalEmulator(SIZE)]
    await played.write(Buffer.from(outputs.slice(0, seq).join('')))
    await entered.write(Buffer.from(init))
    assert.deepEqual(entered.lines(), played.lines(), `frame ${seq}`)
  }
})

test('the same output gives the same screens, and a large screen is kept more rarely', async () => {
  const outputs = Array.from({ length: 2_500 }, (_, n) => `\u001b[3${n % 8}mline ${n}\r\n`)
  const kept = await made(outputs)
  assert.equal(kept.length, 3)
  assert.deepEqual(await made(outputs), kept)
  const largest = keyframePace({ cols: MAX_COLS, rows: MAX_ROWS })
  assert.ok(largest.bytes >= 8 << 20 && largest.frames > 100_000)
})
