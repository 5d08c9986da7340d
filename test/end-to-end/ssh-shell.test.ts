import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRan } from '../support/clients.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { releasedOut } from '../support/tapes.ts'

const EMAIL = ['lovelace', 'example.org'].join('@')
/** A shell that says nothing of its own accord, so that the test can wait for what it wants. */
const SHELL = `exec env -i TERM=$TERM PS1='ready> ' HOME=/nonexistent PATH=$PATH bash --norc --noprofile -i`

test('a human’s terminal: keys, echo, prompts, an interrupt and the end, as the tape has them', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = gateway.ssh([SHELL], { as: 'human', flags: ['-tt'] })
  await client.says(/ready> $/)
  client.type('stty size; echo "term=$TERM"\n')
  await client.says(/term=/)
  // What answers is in the foreground: an interrupt while the shell still starts it may be the shell's.
  client.type('cat\n')
  await client.says(/ready> .*cat\r\n/)
  client.type('still here\n')
  await client.says(/still here\r\nstill here\r\n/)
  client.type('\u0003')
  await client.says(/\^C\r\n/)
  client.type('exit 3\n')
  const ran = await client.ended
  assert.equal(ran.code, 3, ran.stderr)
  const frames = await gateway.frames()
  const exec = frames.find(({ kind }) => kind === 'exec')
  assert.equal(exec?.facts['pty'], true)
  assert.equal(typeof exec?.facts['cols'], 'number')
  assert.ok(!frames.some(({ kind }) => kind === 'stdout' || kind === 'stdin'))
  assert.equal(releasedOut(frames).toString(), ran.stdout)
  const typed = frames.filter(({ kind }) => kind === 'terminal-input').map(({ body }) => Buffer.from(body ?? []).toString())
  assert.ok(typed.join('').startsWith('stty size; echo "term=$TERM"\ncat\nstill here\n\u0003exit 3\n'), typed.join('|'))
})

test('a client that knows of no terminal gets a dumb one', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const ran = await gateway.run(['echo "term=$TERM"'], { as: 'human', flags: ['-tt'], env: { TERM: '' } })
  assert.deepEqual([ran.code, ran.stdout], [0, 'term=dumb\r\n'], ran.stderr)
})

test('a login shell without a command, and one that reads its script from the input', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const ran = await gateway.run([], { as: 'human', flags: ['-T'], input: 'echo from-the-script\nexit 4\n' })
  assert.equal(ran.code, 4)
  assert.match(ran.stdout, /from-the-script\n$/)
  const frames = await gateway.frames()
  assert.ok(frames.some(({ kind, facts }) => kind === 'shell' && facts['pty'] === undefined))
})

test('an agent gets neither terminal nor shell, unless a rule allows it', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  for (const [args, flags] of [
    [['id'], ['-tt']],
    [[], ['-T']],
  ] as const) {
    const ran = await gateway.run(args, { flags })
    assert.equal(ran.code, 126)
    assert.match(ran.stdout + ran.stderr, /agents get no terminal and no interactive shell here \[policy\.agent-terminal\]/)
  }
  await using lenient = await startSshGateway(t, {
    policy: 'version: 1\nrules: [{ id: terminals, on: ssh, match: { pty: true }, action: allow }]\n',
  })
  if (lenient === undefined) return
  assertRan(await lenient.run(['stty size'], { flags: ['-tt'] }), 'a terminal by rule')
})

test('a password typed at a prompt is not on the tape, and a value shown on the screen is masked in place', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const secret = ['open', 'sesame'].join('-')
  const client = gateway.ssh([SHELL], { as: 'human', flags: ['-tt'] })
  await client.says(/ready> $/)
  client.type(`read -s -p 'Password: ' word; echo; echo "$word" | md5sum; printf '${EMAIL.replace('@', "@'")}'\\n'; exit\n`)
  await client.says(/2004l\rPassword: $/)
  client.type(`${secret}\n`)
  assertRan(await client.ended, 'the dialogue')
  const frames = await gateway.frames()
  const bodies = frames.map(({ body }) => Buffer.from(body ?? []).toString('latin1')).join('\n')
  assert.ok(!bodies.includes(secret), 'the password is on the tape')
  assert.ok(!client.stdout.includes(EMAIL) && !bodies.includes(EMAIL), 'the address is on the screen or the tape')
  assert.equal(releasedOut(frames).toString(), client.stdout)
})

test('only variables of language and time are passed on', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const ran = await gateway.run(['echo "$LC_TEST|$SECRET_THING|$LC_ODD"'], {
    env: { LC_TEST: 'C.UTF-8', SECRET_THING: 'x', LC_ODD: '$(id)' },
    flags: ['-o', 'SendEnv=LC_TEST SECRET_THING LC_ODD'],
  })
  assertRan(ran, 'echo')
  assert.equal(ran.stdout, 'C.UTF-8||\n')
  assert.deepEqual((await gateway.frames()).find(({ kind }) => kind === 'exec')?.facts['env'], ['LC_TEST=C.UTF-8'])
})
