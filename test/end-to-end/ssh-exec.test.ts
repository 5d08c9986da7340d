import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertRan } from '../support/clients.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { releasedOut } from '../support/tapes.ts'

const EMAIL = ['lovelace', 'example.org'].join('@')

test('a command runs at the target: its streams, its input and its exit status come through, and stand on the tape', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const ran = await gateway.run(['cat; echo to-stderr >&2; exit 7'], { input: 'given on stdin\n' })
  assert.deepEqual(ran, { code: 7, stdout: 'given on stdin\n', stderr: 'to-stderr\n' })
  const frames = await gateway.frames()
  assert.deepEqual(
    frames.filter(({ dir }) => dir !== 'note').map(({ dir, kind }) => `${dir} ${kind}`),
    ['in exec', 'in stdin', 'in eof', 'out stdout', 'out stderr', 'out exit'],
  )
  const [authentication, upstream] = ['authentication', 'upstream'].map(
    (kind) => frames.find((frame) => frame.kind === kind)?.facts,
  )
  assert.equal(authentication?.['method'], 'publickey')
  assert.match(String(upstream?.['software']), /^OpenSSH_/)
  assert.equal(frames.find(({ kind }) => kind === 'exec')?.facts['command'], 'cat; echo to-stderr >&2; exit 7')
  assert.equal(frames.find(({ kind }) => kind === 'exit')?.facts['status'], 7)
  assert.equal(releasedOut(frames).toString(), 'given on stdin\nto-stderr\n')
})

test('bulk and binary data come through byte for byte in both directions, both streams at once', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const up = randomBytes(3 * 1024 * 1024)
  const down = randomBytes(9 * 1024 * 1024)
  await writeFile(join(gateway.sshd.files, 'down'), down)
  const client = gateway.ssh([
    `cat ${gateway.sshd.files}/down & cat ${gateway.sshd.files}/down >&2 & cat > ${gateway.sshd.files}/up; wait`,
  ])
  const [stdout, stderr] = [createHash('sha256'), createHash('sha256')]
  client.child.stdout
    ?.removeAllListeners('data')
    .setEncoding('latin1')
    .on('data', (text: string) => stdout.update(text, 'latin1'))
  client.child.stderr
    ?.removeAllListeners('data')
    .setEncoding('latin1')
    .on('data', (text: string) => stderr.update(text, 'latin1'))
  client.child.stdin?.end(up)
  assert.equal((await client.ended).code, 0)
  const expected = createHash('sha256').update(down).digest('hex')
  assert.deepEqual([stdout.digest('hex'), stderr.digest('hex')], [expected, expected])
  assert.deepEqual(await readFile(join(gateway.sshd.files, 'up')), up)
  const frames = await gateway.frames()
  const taped = (kind: string): Buffer =>
    Buffer.concat(frames.filter((frame) => frame.kind === kind).map(({ body }) => body ?? Buffer.alloc(0)))
  assert.ok(taped('stdout').equals(down))
  assert.ok(taped('stderr').equals(down))
  assert.ok(taped('stdin').equals(up))
})

test('a program that dies of a signal is said to have died of it', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  assert.equal((await gateway.run(['kill -SEGV $$'])).code, 255)
  assert.deepEqual((await gateway.frames()).find(({ kind }) => kind === 'exit')?.facts['signal'], 'SEGV')
})

test('a program that waits for the end of its input gets it, and one that answers is not kept from answering', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = gateway.ssh(['printf "name? "; read name; printf "hello-$name"; cat'])
  await client.says(/name\? $/)
  client.type('bob\n')
  await client.says(/hello-bob$/)
  client.child.stdin?.end('the rest')
  assertRan(await client.ended, 'the dialogue')
  assert.equal(client.stdout, 'name? hello-bobthe rest')
})

test('what the masker knows reaches neither client nor tape, however the program writes it', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const [name = '', host = ''] = EMAIL.split('@')
  const script = `echo ${EMAIL}; printf '${name}@'; printf '${host}\\n'; printf '${name.slice(0, 3)}\\033[31m${name.slice(3)}@${host}\\033[0m\\n'`
  const ran = await gateway.run([script])
  assertRan(ran, 'the script')
  assert.ok(!ran.stdout.includes(host), ran.stdout)
  assert.match(ran.stdout, /^\*{20}\n\*{20}\n\*{3}\u001b\[31m\*{17}\u001b\[0m\n$/)
  const frames = await gateway.frames()
  assert.equal(releasedOut(frames).toString(), ran.stdout)
  assert.ok(
    !JSON.stringify(frames.map(({ body, ...rest }) => [Buffer.from(body ?? []).toString('latin1'), rest.facts])).includes(EMAIL),
  )
})

test('a command that policy blocks never runs; the client is told why, with the exit status of what may not be executed', async (t) => {
  await using gateway = await startSshGateway(t, {
    policy: `
version: 1
rules:
  - { id: no-rm, on: ssh, match: { kind: exec, command: 'rm *' }, action: block, reason: nothing is removed here, hint: move it away instead }
`,
  })
  if (gateway === undefined) return
  const file = join(gateway.sshd.files, 'kept')
  await writeFile(file, 'kept')
  const ran = await gateway.run([`rm ${file}`])
  assert.equal(ran.code, 126)
  assert.equal(ran.stderr, 'sallyport: nothing is removed here [no-rm]\nsallyport: move it away instead\n')
  assert.equal(await readFile(file, 'utf8'), 'kept')
  const frames = await gateway.frames()
  assert.deepEqual(frames.find(({ kind }) => kind === 'exec')?.verdict?.rules, ['no-rm'])
  assert.equal(releasedOut(frames).toString(), ran.stderr)
})

test('a held command waits with its input, says so, and runs once it is approved', async (t) => {
  await using gateway = await startSshGateway(t, {
    policy: `
version: 1
rules:
  - { id: ask, on: ssh, match: { kind: exec }, action: hold, reason: a person decides, approval: { groups: [approvers], timeout: 30s } }
`,
  })
  if (gateway === undefined) return
  const client = gateway.ssh(['cat; echo done'])
  client.child.stdin?.end('early input\n')
  await client.says(/held for approval: request (A-\S+)/)
  const desk = await gateway.desk()
  const [open] = await desk.list({ state: 'pending' })
  assert.equal(open?.command, 'cat; echo done')
  assert.equal(client.stdout, '')
  await desk.decide(open?.id ?? '', { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['approvers'] })
  assertRan(await client.ended, 'the held command')
  assert.equal(client.stdout, 'early input\ndone\n')
})

test('whoever decides about the middle of an output reads which command it is of', async (t) => {
  await using gateway = await startSshGateway(t, {
    policy: `
version: 1
rules:
  - { id: much, on: ssh, match: { kind: stdout }, threshold: { bytes: 256KiB, per: session }, action: hold, reason: a lot, approval: { groups: [approvers], timeout: 30s } }
`,
  })
  if (gateway === undefined) return
  const client = gateway.ssh(['yes 0123456 | head -c 400000'])
  await client.says(/held for approval/)
  const desk = await gateway.desk()
  const [open] = await desk.list({ state: 'pending' })
  assert.equal(open?.command, 'yes 0123456 | head -c 400000')
  await desk.decide(open?.id ?? '', { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['approvers'] })
  assertRan(await client.ended, 'the held output')
  assert.equal(client.stdout.length, 400_000)
})

test('a client that leaves while its command is held withdraws it', async (t) => {
  await using gateway = await startSshGateway(t, {
    policy: `
version: 1
rules:
  - { id: ask, on: ssh, match: { kind: exec }, action: hold, reason: a person decides, approval: { groups: [approvers], timeout: 30s } }
`,
  })
  if (gateway === undefined) return
  const client = gateway.ssh([`touch ${gateway.sshd.files}/never`])
  await client.says(/held for approval/)
  client.child.kill('SIGKILL')
  await client.ended
  const frames = await gateway.frames()
  const desk = await gateway.desk()
  assert.deepEqual(await desk.list({ state: 'pending' }), [])
  assert.ok(frames.some(({ kind, verdict }) => kind === 'exec' && verdict?.act === 'block'))
})

test('what the client says of its work stands with the command, and is not passed on', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const flags = ['-o', 'SetEnv=SALLYPORT_RUN=build-4711 TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']
  const ran = await gateway.run(['echo "[$SALLYPORT_RUN]"'], { flags })
  assert.deepEqual(ran, { code: 0, stdout: '[]\n', stderr: '' })
  const facts = (await gateway.frames()).find(({ kind }) => kind === 'exec')?.facts
  assert.deepEqual([facts?.['run'], facts?.['trace']], ['build-4711', '4bf92f3577b34da6a3ce929d0e0e4736'])
})

test('a client that reads no more (ssh ... | head -1) ends the output of the program, and nothing else of it', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = gateway.ssh(['yes; exit 4'])
  await client.says(/y\n/)
  client.child.stdout?.destroy()
  const { code } = await client.ended
  assert.equal(code, 4)
  const kinds = (await gateway.frames()).map(({ kind }) => kind)
  assert.deepEqual(
    kinds.slice(kinds.indexOf('output-closed')).filter((kind) => kind === 'output-closed' || kind === 'exit'),
    ['output-closed', 'exit'],
  )
})
