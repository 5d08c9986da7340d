import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scpCommand } from '../../../../gateway/protocols/ssh/scp/command.ts'
import { SinkAnswers, SourceLines } from '../../../../gateway/protocols/ssh/scp/lines.ts'
import { Scp } from '../../../../gateway/protocols/ssh/scp/scp.ts'

test('a command is scp where the shell has nothing to do but to quote', () => {
  assert.deepEqual(scpCommand('scp -t /srv/x'), { direction: 'to', paths: ['/srv/x'], folder: false })
  assert.deepEqual(scpCommand("scp -r -p -d -t -- '/srv/two words'"), {
    direction: 'to',
    paths: ['/srv/two words'],
    folder: true,
  })
  assert.deepEqual(scpCommand('/usr/bin/scp -rf /a /b\\ c "d"*'), {
    direction: 'from',
    paths: ['/a', '/b c', 'd*'],
    folder: false,
  })
  for (const other of [
    'scp a b',
    'scp -t',
    'scp -t a b',
    'scp -tf a',
    'scp -f $HOME',
    'scp -f `id`',
    'scp -f a; id',
    'scp -f a | cat',
    'scp -S id -f a',
    'cat a',
    'scp -f "a',
    'scp -f a\nid',
  ])
    assert.equal(scpCommand(other), undefined, other)
})

test('lines and files are told apart however they are cut', () => {
  const bytes = Buffer.from('T1 0 1 0\nD0755 0 folder\nC0644 5 a b\nC0644\0C0644 0 empty\n\0\u0001scp: gone\nE\n')
  const whole = new SourceLines().take(bytes).map(({ is, bytes: piece }) => [is, String(piece)])
  assert.deepEqual(
    whole.map(([is]) => is),
    ['times', 'folder', 'file', 'data', 'end', 'file', 'end', 'trouble', 'up'],
  )
  const lines = new SourceLines()
  const pieces = [...bytes].flatMap((byte) => lines.take(Buffer.from([byte]))).map(({ is, bytes: piece }) => [is, String(piece)])
  const data = pieces.filter(([is]) => is === 'data').map(([, text]) => text)
  assert.equal(data.join(''), 'C0644')
  assert.deepEqual(
    pieces.filter(([is]) => is !== 'data'),
    whole.filter(([is]) => is !== 'data'),
  )
})

test('what is no line, or leads elsewhere, ends the channel', () => {
  for (const line of [
    'C0644 x y\n',
    'rm\n',
    'C0644 1 ../x\n',
    'C0644 1 ..\n',
    'D0755 0 a/b\n',
    'C0644 1 a\0b\n',
    'C0644 9999999999999999 a\n',
  ])
    assert.throws(() => new SourceLines().take(Buffer.from(line)), { code: 'PROTOCOL_MALFORMED' }, JSON.stringify(line))
  assert.throws(() => new SourceLines().take(Buffer.from([0x43, 0x20, 0xff, 0x0a])), { code: 'PROTOCOL_MALFORMED' })
  assert.throws(() => new SourceLines().take(Buffer.alloc(9_000, 'C')), { code: 'PROTOCOL_OVERSIZE' })
  assert.throws(() => new SinkAnswers().take(Buffer.alloc(9_000, 'x')), { code: 'PROTOCOL_OVERSIZE' })
})

test('a client that does not wait for answers is read as the target reads it', () => {
  let statements = 0
  const scp = new Scp(1, () => ++statements, { direction: 'to', paths: ['/srv'], folder: true })
  const [file, data, end, second] = scp.client(Buffer.from('C0644 8 a\nC0644 1 \0C0644 1 b\n'))
  assert.ok(file?.pending() instanceof Promise, 'the target has not said that it is there')
  scp.server(Buffer.from([0]))
  assert.equal(file?.pending(), undefined)
  assert.equal(file?.facts()['path'], '/srv/a')
  assert.equal(file?.release(file.bytes).length, 1)
  assert.ok(data?.pending() instanceof Promise)
  // It will not take the file: what was sent of it is left out, and is no line either.
  scp.server(Buffer.from('\u0001scp: no\n'))
  assert.equal(data?.pending(), undefined)
  assert.deepEqual([data?.kind, data?.release(data.bytes)], ['file-upload', []])
  assert.deepEqual(end?.release(end.bytes), [])
  assert.equal(second?.pending(), undefined)
  assert.equal(second?.facts()['path'], '/srv/b')
})

test('the channel is over: nothing waits any more', async () => {
  const scp = new Scp(1, () => 1, { direction: 'from', paths: ['/srv/a'], folder: false })
  const [file] = scp.server(Buffer.from('C0644 8 a\n'))
  const waiting = file?.pending()
  scp.leave()
  await waiting
  assert.equal(file?.pending(), undefined)
})
