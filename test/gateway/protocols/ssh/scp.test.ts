import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shellTests } from '../../../../gateway/policy/shell/match-shell.ts'
import { textWord } from '../../../../gateway/policy/shell/word.ts'
import { scpCommand } from '../../../../gateway/protocols/ssh/scp/command.ts'
import { SinkAnswers, SourceLines } from '../../../../gateway/protocols/ssh/scp/lines.ts'
import { placesOf } from '../../../../gateway/protocols/ssh/scp/places.ts'
import { Scp } from '../../../../gateway/protocols/ssh/scp/scp.ts'
import { cpuClock } from '../../../support/cpu-time.ts'

test('a command is scp where the shell has nothing to do but to quote', () => {
  assert.deepEqual(scpCommand('scp -t /srv/x'), { direction: 'to', paths: [textWord('/srv/x')], folder: false })
  assert.deepEqual(scpCommand("scp -r -p -d -t -- '/srv/two words'"), {
    direction: 'to',
    paths: [textWord('/srv/two words')],
    folder: true,
  })
  assert.deepEqual(scpCommand('/usr/bin/scp -rf /a /b\\ c "d"*'), {
    direction: 'from',
    paths: [textWord('/a'), textWord('/b c'), [...textWord('d'), { kind: 'glob', text: '*' }]],
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
  const scp = new Scp(1, () => ++statements, { direction: 'to', paths: [textWord('/srv')], folder: true })
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
  const scp = new Scp(1, () => 1, { direction: 'from', paths: [textWord('/srv/a')], folder: false })
  const [file] = scp.server(Buffer.from('C0644 8 a\n'))
  const waiting = file?.pending()
  scp.leave()
  await waiting
  assert.equal(file?.pending(), undefined)
})

/** Whether a rule on such files is about what comes of this command under this name. */
function caught(command: string, inside: readonly string[], file: string): boolean {
  const read = scpCommand(command)
  assert.ok(read !== undefined && read.unclear === undefined, command)
  const paths = placesOf(read, inside)?.map(({ fact }) => fact)
  return shellTests({ file }).every((fits) => fits({ paths: paths ?? [] }))
}

test('what is fetched by a pattern, or from a home nobody knows, is what it may be', () => {
  for (const [command, inside, file] of [
    ['scp -f /et[c]/shadow', ['shadow'], '/etc/shadow'],
    ['scp -f /etc/sh*', ['shadow'], '/etc/shadow'],
    ['scp -f /e?c/shado?', ['shadow'], '/etc/shadow'],
    ['scp -f /[[:lower:]]tc/shadow', ['shadow'], '/etc/shadow'],
    ['scp -f /etc/[[:lower:]]hadow', ['shadow'], '/etc/shadow'],
    ['scp -f /srv/**/key', ['key'], '/srv/a/kept/key'],
    ['scp -f /srv/**/key', ['key'], '/srv/key'],
    ['scp -f /srv/*/../kept/key', ['key'], '*/kept/*'],
    ['scp -f ../kept/key', ['key'], '*/kept/*'],
    ['scp -rf /srv/kep[t]', ['kept', 'key'], '*/kept/*'],
    ['scp -rf ~root/.ssh', ['.ssh', 'id'], '/root/.ssh/*'],
    ['scp -rf ~root', ['root', '.ssh', 'id'], '/root/.ssh/*'],
    ['scp -f ~+/x/kept/key', ['key'], '*/kept/*'],
    ['scp -rf ~/.ssh', ['.ssh', 'id'], '~/.ssh/*'],
    ['scp -rf ~', ['ada', '.ssh', 'id'], '~/.ssh/*'],
    ['scp -rf ~/', ['ada', '.ssh', 'id'], '~/.ssh/*'],
    ['scp -f .ssh/id', ['id'], '~/.ssh/*'],
    ['scp -f /a/x /b/[x]', ['x'], '/b/x'],
    ['scp -t /srv/kept', ['key'], '*/kept/*'],
    ['scp -t ~/.ssh', ['id'], '~/.ssh/*'],
  ] as const)
    assert.ok(caught(command, inside, file), `${command} ${file}`)
  for (const [command, inside, file] of [
    ['scp -f "~/x"', ['x'], '~/x'],
    ["scp -f '/et[c]/shadow'", ['shadow'], '/etc/shadow'],
    ['scp -f ~/x', ['x'], '/etc/x'],
    ['scp -f /srv/*', ['x'], '/etc/*'],
    ['scp -t "~/.ssh"', ['id'], '~/.ssh/*'],
  ] as const)
    assert.ok(!caught(command, inside, file), `${command} ${file}`)
  assert.equal(
    placesOf({ direction: 'from', paths: [[{ kind: 'home' }, ...textWord('/x')]], folder: false }, ['x'])?.[0]?.path,
    'x',
  )
})

test('where the path that is sent to is for the shell to find, the command does not run', () => {
  for (const path of ['/srv/clos[e]d', '/srv/*', '/srv/a?', '~root/.ssh', '~+/x', '~"/x"', 'a=~/x', '/srv/a~', '/srv/"a"[b]'])
    assert.match(scpCommand(`scp -t ${path}`)?.unclear ?? '', /pattern/, path)
  for (const path of ['~', '~/x', '"~/x"', "'/srv/clos[e]d'", '/srv/\\*', '""x'])
    assert.equal(scpCommand(`scp -t ${path}`)?.unclear, undefined, path)
  assert.match(scpCommand(`scp -f ${'a '.repeat(65)}`)?.unclear ?? '', /more than 64/)
})

test('folders in folders, and paths, are as deep and as long as those of a system, and the rest goes on', () => {
  for (const [name, deepest] of [
    ['d', 255],
    ['n'.repeat(255), 15],
  ] as const) {
    let statements = 0
    const scp = new Scp(1, () => ++statements, { direction: 'to', paths: [textWord('/srv')], folder: true })
    const said = (line: string): string | undefined => {
      const [message] = scp.client(Buffer.from(line))
      scp.server(Buffer.from([0]))
      assert.equal(message?.pending(), undefined)
      const malformed = message?.facts()['malformed']
      if (malformed === undefined) message?.release(message.bytes)
      else {
        assert.equal(typeof malformed, 'string')
        const [answer] = message?.refuse({ message: 'too deep', why: 'policy' } as never) ?? []
        return String((answer as { bytes?: Uint8Array }).bytes && Buffer.from((answer as { bytes: Uint8Array }).bytes))
      }
      return undefined
    }
    let depth = 0
    let refused: string | undefined
    while (refused === undefined && depth < 300) {
      refused = said(`D0755 0 ${name}\n`)
      if (refused === undefined) depth++
    }
    assert.ok(depth <= deepest + 1 && depth >= deepest - 1, `${depth} folders of ${name.length} bytes`)
    assert.equal(refused, '\u0001scp: too deep\n')
    scp.server(Buffer.alloc(0))
    for (let up = 0; up < 2; up++) assert.equal(said('E\n'), undefined)
    assert.equal(said('C0644 0 a\n'), undefined)
  }
})

test('a word of many quotes is read at once', () => {
  for (const part of ["''", 'a""', '\\a']) {
    const usedMs = cpuClock()
    const word = part.repeat(Math.floor(34_000 / part.length))
    assert.equal(scpCommand(`scp -t x${word}`)?.direction, 'to')
    // It takes 30 ms, and took 3 s and more.
    assert.ok(usedMs() < 1_000, `${part}: ${Math.round(usedMs())} ms`)
  }
})
