import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TerminalFinder } from '../../../replay-ui/data/terminal-finder.ts'
import { TerminalTape } from '../../../replay-ui/data/terminal-tape.ts'
import type { Facts } from '../../../schemas/frame.ts'
import { framesOf, tapeOf } from './terminal-frames.ts'

async function finderOf(steps: readonly (Uint8Array | string | Facts)[], seq: number): Promise<TerminalFinder> {
  const tape = new TerminalTape(tapeOf(framesOf(steps)), 1, () => ({ bytes: 20, frames: 5 }))
  // Somebody looks at a screen before they search from there.
  await tape.screenAt(seq)
  return new TerminalFinder(tape)
}
const patient = (): boolean => false
const back = (text: string, seq: number) => ({ text, seq, way: 'previous' }) as const
const on = (text: string, seq: number) => ({ text, seq, way: 'next' }) as const

test('what was typed letter by letter, in colours or wrapped is found where it is complete, both ways', async () => {
  const steps = [
    ...'$ cat Passwd',
    '\r\n',
    'root\u001b[31m:x:\u001b[0m0',
    '\u001b[2J\u001b[H',
    `${'-'.repeat(36)}needle in a row`,
    { cols: 60, rows: 5 },
    '\r\ncat passwd',
  ]
  const finder = await finderOf(steps, 4)
  assert.equal(await finder.find(on('passwd', 4), patient), 12)
  assert.equal(await finder.find(on('ROOT:x:0', 4), patient), 14)
  assert.equal(await finder.find(on('needle', 4), patient), 16)
  assert.equal(await finder.find(on('passwd', 12), patient), 18)
  assert.equal(await finder.find(on('passwd', 18), patient), null)
  const later = await finderOf(steps, 18)
  assert.equal(await later.find(back('passwd', 18), patient), 12)
  assert.equal(await later.find(back('passwd', 12), patient), null)
  assert.equal(await later.find(back('needle', 18), patient), 16)
})

test('a screen that is gone within a few frames is found as well, and one that stays is found once', async () => {
  const lines = Array.from({ length: 3_000 }, (_, n) =>
    n === 1_234 ? 'the secret\r\n' : n === 1_235 ? '\u001b[2J\u001b[H' : `line ${n}\r\n`,
  )
  const finder = await finderOf(lines, 0)
  const read: number[] = []
  assert.equal(await finder.find(on('the secret', 0), patient, (seq) => void read.push(seq)), 1_235)
  assert.equal(await finder.find(on('the secret', 1_235), patient), null)
  assert.ok(read.length >= 2, 'it tells how far it is')
})

test('a search nobody waits for ends', async () => {
  const finder = await finderOf(
    Array.from({ length: 3_000 }, (_, n) => `line ${n}\r\n`),
    0,
  )
  let asked = 0
  assert.equal(await finder.find(on('nowhere', 0), () => ++asked > 1), null)
  assert.equal(asked, 2)
})
