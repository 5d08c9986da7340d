import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type TerminalScreen, TerminalTape } from '../../../replay-ui/data/terminal-tape.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Keyframe } from '../../../schemas/views/keyframes.ts'
import { TerminalEmulator } from '../../../schemas/views/terminal-emulator.ts'
import { CHUNK_FRAMES, framesOf, tapeOf } from './terminal-frames.ts'

/** The rows a player comes to. */
async function drawn(screen: TerminalScreen | undefined): Promise<string[]> {
  assert.ok(screen !== undefined)
  const emulator = new TerminalEmulator(screen)
  let written = emulator.write(Buffer.from(screen.init))
  for (const step of screen.steps) {
    if (step instanceof Uint8Array) written = emulator.write(step)
    else {
      await written
      emulator.resize(step)
    }
  }
  await written
  return [...emulator.lines(), JSON.stringify(emulator.size)]
}

/** What programs say to terminals: text, colours, cursor, margins, line drawing, the other screen, titles, characters of all widths. */
const SAID = [
  'hello ',
  'world\r\n',
  'äöü€',
  '🙂漢字',
  '\r',
  '\n',
  '\b',
  '\t',
  '\u001b[31m',
  '\u001b[0;1m',
  '\u001b[2J',
  '\u001b[H',
  '\u001b[5;3H',
  '\u001b[K',
  '\u001b[3;7r',
  '\u001b[r',
  '\u001bM',
  '\u001b[2L',
  '\u001b[1M',
  '\u001b[3P',
  '\u001b(0lqk\u001b(B',
  '\u001b(0',
  '\u001b(B',
  '\u001b[?1049h',
  '\u001b[?1049l',
  '\u001b]0;title\u0007',
  '\u001b[?25l',
  '\u001b[?25h',
  '\u001b[4h',
  '\u001b[4l',
  '\u001bc',
  '\u001b7',
  '\u001b8',
  '\u001b[!p',
  'x'.repeat(45),
] as const

test('a screen gone on from a kept one is the one that playing from the start gives, wherever the output is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...SAID), { minLength: 1, maxLength: 120 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 40, maxLength: 40 }),
      fc.array(fc.nat(1_000), { minLength: 4, maxLength: 4 }),
      async (said, cuts, places) => {
        const bytes = Buffer.from(said.join(''))
        const steps: (Uint8Array | Facts)[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1
          steps.push(bytes.subarray(at, at + size))
          at += size
        }
        const frames = framesOf(steps)
        const often = new TerminalTape(tapeOf(frames), 1, () => ({ bytes: 20, frames: 5 }))
        const never = new TerminalTape(tapeOf(frames), 1, () => ({
          bytes: Number.POSITIVE_INFINITY,
          frames: Number.POSITIVE_INFINITY,
        }))
        for (const place of places) {
          const seq = place % frames.length
          assert.deepEqual(await drawn(await often.screenAt(seq)), await drawn(await never.screenAt(seq)), `frame ${seq}`)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a resize is part of the way, and another channel is not', async () => {
  const frames = framesOf(['before', { cols: 60, rows: 5 }, 'after'])
  const tape = new TerminalTape(tapeOf(frames), 1)
  assert.equal((await drawn(await tape.screenAt(3))).at(-1), JSON.stringify({ cols: 60, rows: 5 }))
  assert.equal(await new TerminalTape(tapeOf(frames), 2).screenAt(3), undefined)
})

test('behind what cannot be read the screen is said to be uncertain, and before it is not', async () => {
  const tape = new TerminalTape(tapeOf(framesOf(Array.from({ length: 20 }, (_, n) => `${n} `)), [1]), 1, () => ({
    bytes: 5,
    frames: 3,
  }))
  assert.equal((await tape.screenAt(20))?.torn, true)
  assert.equal((await tape.screenAt(6))?.torn, false)
})

test('seeking in a long recording reads few chunks and writes little, wherever it goes', async () => {
  const frames = framesOf(Array.from({ length: 20_000 }, (_, n) => `\u001b[3${n % 8}mline ${n}\r\n`))
  const source = tapeOf(frames)
  const tape = new TerminalTape(source, 1)
  await tape.screenAt(frames.length - 1)
  for (const seq of [15_000, 3, 19_999, 7_777]) {
    source.asked = 0
    const screen = await tape.screenAt(seq)
    assert.ok((screen?.steps.length ?? Number.NaN) <= 5_001, `${screen?.steps.length} steps`)
    assert.ok(source.asked <= 5_001 / CHUNK_FRAMES + 2)
    assert.match((await drawn(screen)).join('\n'), new RegExp(`line ${seq - 1}\\b`))
  }
})

test('a long recording is entered from a screen that was kept elsewhere, by few chunks; one of its own comes to stand for it', async () => {
  const frames = framesOf(Array.from({ length: 20_000 }, (_, n) => `\u001b[3${n % 8}mline ${n}\r\n`))
  const kept = new TerminalTape(tapeOf(frames), 1)
  await kept.screenAt(frames.length - 1)
  const source = tapeOf(frames)
  const asked: number[] = []
  const keyframe = async (_: number, seq: number): Promise<Keyframe | undefined> => {
    asked.push(seq)
    return kept.kept.findLast((one) => one.seq <= seq)
  }
  const tape = new TerminalTape(Object.assign(source, { keyframe }), 1)
  const screen = await tape.screenAt(15_500)
  assert.ok(screen !== undefined && source.asked <= 1_000 / CHUNK_FRAMES + 2, `${source.asked} chunks`)
  assert.deepEqual(await drawn(screen), await drawn(await kept.screenAt(15_500)))
  assert.equal(tape.confirms(screen), undefined, 'it has not been there')
  const forged = { ...screen, init: 'forged' }
  while (tape.confirms(screen) === undefined) await tape.readOn(5_000)
  assert.equal(tape.confirms(screen), true)
  assert.equal(tape.confirms(forged), false)
  await tape.screenAt(100)
  assert.deepEqual(asked, [15_500], 'what it has read it knows itself')
})
