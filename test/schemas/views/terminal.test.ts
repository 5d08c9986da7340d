import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Frame } from '../../../schemas/frame.ts'
import { MAX_COLS, MAX_ROWS, sftpLine, TerminalSeam, terminalStep } from '../../../schemas/views/terminal.ts'

const frame = (part: Partial<Frame>): Frame => ({
  seq: 0,
  atUs: 0,
  dir: 'out',
  channel: 1,
  kind: 'terminal-output',
  facts: {},
  body: null,
  masks: null,
  verdict: null,
  ...part,
})

test('a terminal starts with its request, and is written what was passed on', () => {
  const shell = frame({ dir: 'in', kind: 'shell', facts: { pty: true, cols: 120, rows: 40 } })
  assert.deepEqual(terminalStep(shell), { does: 'start', cols: 120, rows: 40 })
  assert.equal(terminalStep({ ...shell, facts: { pty: false } }), undefined)
  const bytes = Buffer.from('hello')
  assert.deepEqual(terminalStep(frame({ body: bytes })), { does: 'output', bytes })
  assert.equal(terminalStep(frame({ body: bytes, verdict: { act: 'block', rules: [], policy: 'p' } })), undefined)
  assert.equal(terminalStep(frame({ dir: 'in', kind: 'terminal-input', body: bytes })), undefined)
  // A held request starts nothing; its release does.
  assert.equal(terminalStep({ ...shell, verdict: { act: 'hold', rules: [], policy: 'p' } }), undefined)
})

test('a size that is no screen becomes one', () => {
  for (const cols of [0, -1, 1.5, Number.NaN, 'wide', null, 4_294_967_295]) {
    const step = terminalStep(frame({ dir: 'in', kind: 'terminal-resize', facts: { cols, rows: 4_294_967_295 } }))
    assert.ok(step?.does === 'resize' && step.cols >= 1 && step.cols <= MAX_COLS && step.rows === MAX_ROWS)
  }
})

test('nothing is half said between whole characters and sequences, and however the bytes are cut', () => {
  const whole = (text: string | Buffer): boolean => {
    const seam = new TerminalSeam()
    seam.push(Buffer.from(text))
    return seam.whole
  }
  for (const text of [
    '',
    'plain',
    '\u001b[31m',
    '\u001b]0;title\u0007',
    '\u001b]0;title\u001b\\',
    'ä€🙂',
    '\u001b(0',
    '\u001bc',
    '\u001bP1;2q\u001b\\',
  ])
    assert.equal(whole(text), true, JSON.stringify(text))
  for (const text of [
    '\u001b',
    '\u001b[31',
    '\u001b]0;tit',
    '\u001b]0;title\u001b',
    '\u001b(',
    Buffer.from('🙂').subarray(0, 2),
    '\u001bP1;2q\n',
  ])
    assert.equal(whole(text), false, JSON.stringify(text))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
      const [one, two] = [new TerminalSeam(), new TerminalSeam()]
      one.push(bytes)
      two.push(bytes.subarray(0, at))
      two.push(bytes.subarray(at))
      assert.equal(one.whole, two.whole)
    }),
  )
})

test('an operation on files is one line', () => {
  const line = (kind: string, facts: Frame['facts']): string | undefined => sftpLine({ kind, facts })
  assert.equal(line('file', { operations: ['read', 'write'], path: '/a', statement: 1 }), 'read+write /a')
  assert.equal(line('file', { operations: ['rename'], path: '/a', to: '/b' }), 'rename /a → /b')
  assert.equal(line('file', { malformed: 'a handle that is not open' }), 'refused: a handle that is not open')
  assert.equal(
    line('file-reply', { path: '/a', downloaded: 5, downloaded_sha256: 'ab', status: 'ok' }),
    'downloaded /a 5 bytes sha256 ab',
  )
  assert.equal(line('file-close', { path: '/a', uploaded: 5, status: 'cut' }), 'uploaded /a 5 bytes (cut)')
  assert.equal(line('file-reply', { operations: ['remove'], path: '/a', status: 'no such file' }), 'remove /a: no such file')
  assert.equal(line('file-reply', { operations: ['stat'], path: '/a', status: 'ok' }), undefined)
  assert.equal(line('stdout', {}), undefined)
})
