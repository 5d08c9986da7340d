import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { type TerminalLine, TerminalLines } from '../../../../gateway/policy/shell/terminal-lines.ts'
import { cpuClock } from '../../../support/cpu-time.ts'

const UP = '\x1b[A'
const LEFT = '\x1b[D'

/** A real bash with readline behind a real pseudo-terminal, read through `TerminalLines` as the gateway would. */
class Terminal implements AsyncDisposable {
  readonly lines = new TerminalLines(80)
  readonly #shell = spawn('script', ['-qec', 'stty cols 80; exec bash --norc --noprofile', '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm', PS1: 'ready> ', HISTFILE: '/dev/null' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  #output = ''
  #wake = (): void => undefined

  constructor() {
    this.#shell.stdout.on('data', (chunk: Buffer) => {
      this.lines.output(chunk)
      this.#output += chunk.toString()
      this.#wake()
    })
  }

  /** Waits until the terminal has shown this since the last keys. */
  async shows(text: string): Promise<void> {
    while (!this.#output.includes(text)) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  async type(keys: string, until: string): Promise<readonly TerminalLine[]> {
    this.#output = ''
    const lines = this.lines.input(Buffer.from(keys))
    this.#shell.stdin.write(keys)
    if (until !== '') await this.shows(until)
    return lines
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.kill('SIGKILL')
    await new Promise((resolve) => this.#shell.once('close', resolve))
  }
}

test('lines typed at a real bash: plain, edited, recalled, completed, pasted, and a password', { timeout: 60_000 }, async () => {
  await using terminal = new Terminal()
  await terminal.shows('ready> ')

  assert.deepEqual(await terminal.type('echo one', 'echo one'), [])
  assert.deepEqual(await terminal.type('\r', 'ready> '), [{ texts: ['echo one'], sure: true, hidden: null }])

  await terminal.type('echo tXo', 'tXo')
  await terminal.type('\x7f\x7fwo', 'wo')
  assert.deepEqual(await terminal.type('\r', 'ready> '), [{ texts: ['echo two'], sure: true, hidden: null }])

  await terminal.type(UP, 'echo two')
  assert.deepEqual(await terminal.type('\r', 'ready> '), [{ texts: ['echo two'], sure: false, hidden: null }], 'recalled')

  await terminal.type('echo fur', 'fur')
  await terminal.type(LEFT, '\b')
  await terminal.type('o', 'o')
  assert.deepEqual(await terminal.type('\r', 'ready> '), [{ texts: ['echo furo', 'echo fuor'], sure: false, hidden: null }])

  await terminal.type('ech\t', 'echo ')
  await terminal.type('five', 'five')
  const [completed] = await terminal.type('\r', 'ready> ')
  assert.ok(completed?.texts.includes('echo five'), JSON.stringify(completed))

  const long = `echo ${'x'.repeat(200)}`
  await terminal.type(long, 'xx')
  await terminal.shows('x'.repeat(30))
  await terminal.type(' end', ' end')
  assert.deepEqual(
    (await terminal.type('\r', 'ready> ')).map(({ sure }) => sure),
    [true],
    'wrapped over three rows',
  )

  const pasted = await terminal.type('echo six; true\recho seven\r', '\rseven\r\n\x1b[?2004hready> ')
  assert.deepEqual(
    pasted.map(({ texts }) => texts[0]),
    ['echo six; true', 'echo seven'],
  )

  await terminal.type('read -rsp "Password: " x', ' x')
  await terminal.type('\r', 'Password: ')
  await terminal.type('hunter2', '')
  const [secret] = await terminal.type('\r', 'ready> ')
  assert.deepEqual(secret, { texts: [], sure: false, hidden: 'password' })
})

test('what is typed behind a silent terminal is told, and its text is not', () => {
  const lines = new TerminalLines(80)
  lines.output(Buffer.from('$ '))
  lines.input(Buffer.from('rm -rf '))
  lines.input(Buffer.from('/srv'))
  assert.deepEqual(lines.input(Buffer.from('\r')), [{ texts: [], sure: false, hidden: 'unshown' }])
})

test('what is typed ahead of the shell is told by its keys, but for an answer to a question that has come since', () => {
  const lines = new TerminalLines(80)
  lines.output(Buffer.from('$ sleep 1'))
  lines.input(Buffer.from('rm '), true)
  lines.input(Buffer.from('-r x'), true)
  lines.output(Buffer.from('\r\n'))
  assert.deepEqual(lines.input(Buffer.from('\r'), true), [{ texts: ['rm -r x'], sure: true, hidden: null }])
  lines.input(Buffer.from('open-sesame'), true)
  lines.output(Buffer.from('[sudo] password for ada: '))
  assert.deepEqual(lines.input(Buffer.from('\r'), true), [{ texts: [], sure: false, hidden: 'password' }])
})

test('a paste of a line with its end is told, and not taken for one that is not shown', () => {
  const lines = new TerminalLines(80)
  lines.output(Buffer.from('$ '))
  lines.input(Buffer.from('\x1b[200~rm -rf /srv'))
  lines.input(Buffer.from('\n\x1b[201~'))
  lines.output(Buffer.from('\x1b[7mrm -rf /srv\x1b[27m\r\n'))
  assert.deepEqual(
    lines.input(Buffer.from('\r')).map(({ texts }) => texts),
    [['rm -rf /srv']],
  )
})

test('a program that has the whole screen types no command lines', () => {
  const lines = new TerminalLines(80)
  lines.output(Buffer.from('\x1b[?1049h\x1b[H~'))
  assert.deepEqual(lines.input(Buffer.from(':wq\r')), [])
  lines.output(Buffer.from('\x1b[?1049l$ '))
  assert.deepEqual(lines.input(Buffer.from('id\r')), [{ texts: ['id'], sure: true, hidden: null }])
})

test('Ctrl-C takes a line back, Ctrl-U and Ctrl-W what they stand behind', () => {
  const lines = new TerminalLines(80)
  assert.deepEqual(
    lines.input(Buffer.from('rm x\x03id\r')).map(({ texts }) => texts),
    [['id']],
  )
  assert.deepEqual(
    lines.input(Buffer.from('rm x\x15ls -l /y\x17/z\r')).map(({ texts }) => texts),
    [['ls -l /z']],
  )
})

test('any bytes in any pieces are read in bounded memory, and give the same lines', () => {
  const keys = fc.array(
    fc.constantFrom('a', 'é', ' ', '\r', '\n', '\x7f', '\x03', '\x15', '\x1b', '[', 'A', '2', '0', '~', '\t', ';', '\u{1f600}'),
    {
      maxLength: 60,
    },
  )
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 7 }), (typed, size) => {
      const bytes = Buffer.from(typed.join(''))
      const whole = new TerminalLines(80).input(bytes)
      const cut = new TerminalLines(80)
      const pieces: TerminalLine[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(...cut.input(bytes.subarray(at, at + size)))
      // In pieces, and never shown, a line is hidden; where it is not, it is the same.
      assert.equal(pieces.length, whole.length)
      pieces.forEach((line, index) => {
        if (line.hidden === null) assert.deepEqual(line, whole[index])
      })
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      const lines = new TerminalLines(1)
      lines.output(bytes)
      for (const line of lines.input(bytes)) for (const text of line.texts) assert.ok(text.length <= 4_096)
    }),
  )
})

test('keys and output by the ten thousand are not looked at once for each', () => {
  const burst = (before: string, part: string): Buffer => Buffer.from(before + part.repeat(Math.floor(32_768 / part.length)))
  const long = 'x'.repeat(4_000)
  const bursts = {
    'a character and Backspace': (lines: TerminalLines) => lines.input(burst(long, 'x\x7f')),
    'a word and Ctrl-W': (lines: TerminalLines) => lines.input(burst(`${long} `, 'b\x17')),
    'blanks inserted': (lines: TerminalLines) => lines.output(burst(`${long}\r`, '\x1b[4096@')),
    'Enter behind many questions': (lines: TerminalLines) => {
      lines.output(Buffer.from(`${'token: ? : ? : '.repeat(250)}x`))
      lines.input(Buffer.from('\r'.repeat(3_000)))
    },
  }
  for (const [what, feed] of Object.entries(bursts)) {
    const usedMs = cpuClock()
    feed(new TerminalLines(80))
    // Some take 10 ms, one 150; it was up to minutes.
    assert.ok(usedMs() < 3_000, `${what}: ${Math.round(usedMs())} ms`)
  }
  const lines = new TerminalLines(80)
  lines.output(Buffer.from('$ '))
  const [line] = lines.input(Buffer.from('rm \u{1f600}\x7fsafe  dir\x17file\r'))
  assert.deepEqual(line?.texts, ['rm safe  file'])
})
