import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ScreenText } from '../../../recorder/catalog/screen-text.ts'
import { type KeyframeRow, Screens } from '../../../recorder/catalog/screens.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

test('each terminal has its own screens, and what is behind missing frames is said to be uncertain', async () => {
  const screens = new Screens()
  screens.add(1, 0, { does: 'start', cols: 40, rows: 6 })
  screens.add(2, 1, { does: 'output', bytes: bytes('no terminal') })
  screens.add(3, 2, { does: 'start', cols: 80, rows: 24 })
  for (let seq = 3; seq < 1_100; seq += 1) screens.add(1, seq, { does: 'output', bytes: bytes(`line ${seq}\r\n`) })
  screens.tear()
  for (let seq = 1_200; seq < 2_300; seq += 1) screens.add(1, seq, { does: 'output', bytes: bytes(`line ${seq}\r\n`) })
  await screens.end()
  const seen = screens.take().map(({ channel, seq, torn }) => [channel, seq, torn])
  assert.deepEqual(seen, [
    [1, 0, false],
    [3, 2, false],
    [1, 1_002, false],
    [1, 2_102, true],
  ])
  assert.deepEqual(screens.take(), [])
})

test('of more terminals than a person has none is kept, nor a screen too large to be sent', async () => {
  const screens = new Screens()
  for (let channel = 1; channel <= 20; channel += 1) screens.add(channel, channel, { does: 'start', cols: 10, rows: 2 })
  await screens.quiet()
  assert.equal(screens.take().length, 16)
  const large = new Screens()
  large.add(1, 0, { does: 'start', cols: 1_000, rows: 500 })
  const cell = Array.from({ length: 1_000 }, (_, n) => `\u001b[38;2;${n % 256};1;2mx`).join('')
  const line = bytes(`${cell}\r\n`)
  for (let seq = 1; seq < 1_200; seq += 1) large.add(1, seq, { does: 'output', bytes: line })
  await large.end()
  const kept: readonly KeyframeRow[] = large.take()
  assert.deepEqual(
    kept.map(({ seq }) => seq),
    [0],
  )
})

test('of what a sequence counts beyond the screen nothing is done, and the lines before and behind it are read', async () => {
  const read: string[] = []
  const screen = new ScreenText({ cols: 10, rows: 4 }, (_, text) => read.push(text))
  for (const final of 'LMSTIZ')
    screen.step({ does: 'output', bytes: bytes(`before\r\n\u001b[2147483647${final}\r\n${final}\r\n`) }, { seq: 1, atUs: 1 })
  await screen.end()
  // What is moved may be read once more.
  assert.deepEqual([...new Set(read.join('\n').match(/^[A-Z]$/gm))], [...'LMSTIZ'])
})

test('of a program that is left running the lines it showed last are known, and no more than that', async () => {
  const read: string[] = []
  const screen = new ScreenText({ cols: 20, rows: 200 }, (_, text) => read.push(...text.split('\n')))
  let seq = 0
  const show = async (from: number): Promise<void> => {
    seq += 1
    const lines = Array.from({ length: 199 }, (_, n) => `line ${from + n}`)
    screen.step(
      { does: 'output', bytes: bytes(`\u001b[?1049h\u001b[2J\u001b[H${lines.join('\r\n')}`) },
      { seq, atUs: seq * 500_000 },
    )
    await screen.quiet()
  }
  for (let from = 0; from < 3_000; from += 100) await show(from)
  await show(2_000)
  await show(0)
  await screen.end()
  const times = (line: string): number => read.filter((one) => one === line).length
  assert.deepEqual([times('line 2050'), times('line 150'), times('line 50')], [1, 2, 2])
})

test('what is left out of a terminal that clears without an end is said once, and the lines it goes on to show are read', async () => {
  const read: { seq: number; text: string }[] = []
  const screen = new ScreenText({ cols: 1_000, rows: 500 }, ({ seq }, text) => read.push({ seq, text }))
  const flood = bytes('\u001bc'.repeat(64 << 10))
  screen.step({ does: 'output', bytes: bytes('before\r\n') }, { seq: 1, atUs: 1 })
  screen.step({ does: 'output', bytes: flood }, { seq: 2, atUs: 2 })
  screen.step({ does: 'output', bytes: flood }, { seq: 3, atUs: 3 })
  screen.step({ does: 'output', bytes: bytes('behind\r\n') }, { seq: 4, atUs: 4 })
  await screen.end()
  assert.deepEqual(
    read.filter(({ text }) => text.startsWith('(left out')).map(({ seq }) => seq),
    [2],
  )
  for (const word of ['before', 'behind'])
    assert.ok(
      read.some(({ text }) => text.includes(word)),
      word,
    )
})

test('behind a reset of the terminal lines are read from the top of its new screen, and those before it are read, too', async () => {
  const read: string[] = []
  const screen = new ScreenText({ cols: 80, rows: 24 }, (_, text) => read.push(...text.split('\n')))
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}\r\n`)
  const outputs = [lines.join(''), 'last\r\n\u001bcfirst behind\r\n', 'second behind\r\n']
  for (const [index, text] of outputs.entries())
    screen.step({ does: 'output', bytes: bytes(text) }, { seq: index + 1, atUs: index + 1 })
  await screen.end()
  assert.deepEqual(read.slice(19), ['line 19', 'last', 'first behind', 'second behind'])
})
