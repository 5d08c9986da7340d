import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inPieces } from '../../../schemas/views/terminal-counts.ts'
import { TerminalEmulator } from '../../../schemas/views/terminal-emulator.ts'

const SIZE = { cols: 10, rows: 4 }
const MOST = 2 ** 31 - 1

async function shown(text: string): Promise<string[]> {
  const emulator = new TerminalEmulator(SIZE)
  await emulator.write(Buffer.from(text))
  return emulator.lines()
}

test('a sequence counts no further than the screen is large, in whatever time and memory its number would take', async () => {
  const lines = 'one\r\ntwo\r\nthree\r\nfour'
  for (const final of 'LMST') {
    assert.deepEqual(await shown(`${lines}\u001b[H\u001b[${MOST}${final}x`), ['x', '', '', ''], final)
    assert.deepEqual(await shown(`${lines}\u001b[H\u001b[${MOST};${MOST}${final}x`), ['x', '', '', ''], final)
  }
  assert.deepEqual(await shown(`${lines}\u001b[H\u001b[${MOST}Ix`), ['one      x', 'two', 'three', 'four'])
  assert.deepEqual(await shown(`${lines}\u001b[${MOST}Zx`), ['one', 'two', 'three', 'xour'])
  assert.deepEqual(await shown(`a\u001b[${MOST}b`), ['aaaaaaaaaa', 'aaaaaaaaaa', 'aaaaaaaaaa', 'a'])
})

test('what a screen has room for is counted as it is said', async () => {
  const lines = 'one\r\ntwo\r\nthree\r\nfour'
  assert.deepEqual(await shown(`${lines}\u001b[H\u001b[2L`), ['', '', 'one', 'two'])
  assert.deepEqual(await shown(`${lines}\u001b[H\u001b[M`), ['two', 'three', 'four', ''])
  assert.deepEqual(await shown(`${lines}\u001b[3S`), ['four', '', '', ''])
  assert.deepEqual(await shown(`${lines}\u001b[0T`), ['', 'one', 'two', 'three'])
  assert.deepEqual(await shown('ab\u001b[3bc'), ['abbbbc', '', '', ''])
})

test('the larger a screen, the fewer bytes are written to it at once', () => {
  const bytes = Buffer.from('\u001b[2J'.repeat(16_384))
  for (const [cols, rows, most] of [
    [80, 24, 8_738],
    [1_000, 500, 256],
    [1, 1, bytes.length],
  ] as const) {
    const pieces = [...inPieces(bytes, { cols, rows })]
    assert.ok(Buffer.concat(pieces).equals(bytes))
    assert.equal(Math.max(...pieces.map(({ length }) => length)), most)
  }
  assert.deepEqual([...inPieces(Buffer.alloc(0), SIZE)], [])
})
