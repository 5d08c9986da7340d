import assert from 'node:assert/strict'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TapeFrame } from '../../recorder/index.ts'
import { clientHere, type Ran, Running, run } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { releasedOut } from '../support/tapes.ts'

/*
 * What gateways of this kind were got around with, each in its simplest form: a rule forbids to remove a file and to fetch another, and every row
 * tries to, or to do something that would not be seen. Kinds of input that break a protocol are in ssh-bad-input and ssh-prefix.
 */

const POLICY = `
version: 1
rules:
  - { id: no-removal, on: ssh, match: { program: rm }, action: block, reason: nothing is removed here }
  - { id: no-keys, on: ssh, match: { file: "*/secret/*" }, action: block, reason: these files stay }
`
/** Says nothing of its own accord, so that there is something to wait for. */
const SHELL = `exec env -i TERM=$TERM PS1='ready> ' HOME=/nonexistent PATH=$PATH bash --norc --noprofile -i`
const AT = `agent+${TARGET}@127.0.0.1`

interface Place {
  readonly gateway: SshGateway
  /** A folder of the target with `kept`, which is not to be removed, and `secret/key`, which is not to be fetched. */
  readonly files: string
}

interface Row {
  readonly name: string
  tries(place: Place): Promise<Ran>
  /** What the client is told. */
  readonly told: RegExp
  /** The command is run all the same, without what it must not have. */
  readonly runs?: true
}

const NEVER = /these files stay|nothing is removed here/
const CLOSED = /administratively prohibited|forwarding is not allowed here|remote port forwarding failed/

const client = (program: string, { gateway }: Place, ...args: readonly string[]): Promise<Ran> =>
  run(program, [...gateway.options(), ...args])

const ROWS: readonly Row[] = [
  { name: 'a command without a terminal', told: NEVER, tries: ({ gateway, files }) => gateway.run([`rm ${files}/kept`]) },
  { name: 'behind another', told: NEVER, tries: ({ gateway, files }) => gateway.run([`true; rm ${files}/kept`]) },
  { name: 'in a shell of its own', told: NEVER, tries: ({ gateway, files }) => gateway.run([`sh -c 'rm ${files}/kept'`]) },
  {
    name: 'the subsystem sftp',
    told: NEVER,
    tries: ({ gateway, files }) =>
      run('sftp', [...gateway.options(), '-b', '-', AT], { input: `get ${files}/secret/key ${gateway.folder}/key\n` }),
  },
  {
    name: 'the server of sftp as a command',
    told: NEVER,
    tries: ({ gateway, files }) =>
      run('sftp', [...gateway.options(), '-s', '/usr/lib/openssh/sftp-server', '-b', '-', AT], {
        input: `get ${files}/secret/key ${gateway.folder}/key\n`,
      }),
  },
  {
    name: 'scp',
    told: NEVER,
    tries: (place) => client('scp', place, `${AT}:${place.files}/secret/key`, `${place.gateway.folder}/key`),
  },
  {
    name: 'scp of old',
    told: NEVER,
    tries: (place) => client('scp', place, '-O', `${AT}:${place.files}/secret/key`, `${place.gateway.folder}/key`),
  },
  {
    name: 'scp of old, of the folder above',
    told: NEVER,
    tries: (place) => client('scp', place, '-Or', `${AT}:${place.files}`, `${place.gateway.folder}/all`),
  },
  {
    name: 'scp of old by a pattern',
    told: NEVER,
    tries: (place) => client('scp', place, '-O', `${AT}:${place.files}/secret/k*`, `${place.gateway.folder}/`),
  },
  { name: '-L', told: CLOSED, tries: ({ gateway }) => gateway.run([], { flags: ['-W', '127.0.0.1:22'] }) },
  {
    name: '-R',
    told: CLOSED,
    tries: ({ gateway }) => gateway.run(['echo in'], { flags: ['-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:22'] }),
  },
  {
    name: '-R of everywhere',
    told: CLOSED,
    tries: ({ gateway }) => gateway.run(['echo in'], { flags: ['-o', 'ExitOnForwardFailure=yes', '-R', '0'] }),
  },
  {
    name: '-J, an ssh in a forward',
    told: CLOSED,
    tries: ({ gateway }) => {
      const jump = ['ssh', ...gateway.options(), '-W', '%h:%p', AT].join(' ')
      return run('ssh', ['-F', 'none', '-o', `ProxyCommand=${jump}`, '-o', 'BatchMode=yes', '127.0.0.1', 'id'])
    },
  },
  { name: '-A', told: CLOSED, runs: true, tries: ({ gateway }) => withAgent(gateway, ['-A']) },
  {
    name: 'a shell',
    told: /no (shell|terminal)|\[policy\.agent-terminal\]/,
    tries: ({ gateway }) => gateway.run([], { flags: ['-T'] }),
  },
  {
    name: 'a terminal',
    told: /no (shell|terminal)|\[policy\.agent-terminal\]/,
    tries: ({ gateway }) => gateway.run(['id'], { flags: ['-tt'] }),
  },
]

async function withAgent(gateway: SshGateway, flags: readonly string[]): Promise<Ran> {
  const socket = join(gateway.folder, 'agent.sock')
  const agent = new Running('ssh-agent', ['-D', '-a', socket])
  try {
    await agent.says(/SSH_AUTH_SOCK/)
    return await gateway.run(['echo in'], { flags: [...flags, '-o', `IdentityAgent=${socket}`], env: { SSH_AUTH_SOCK: socket } })
  } finally {
    agent.child.kill()
    await agent.ended
  }
}

async function place(t: TestContext): Promise<Place | undefined> {
  const gateway = await startSshGateway(t, { policy: POLICY })
  if (gateway === undefined) return undefined
  t.after(() => gateway[Symbol.asyncDispose]())
  for (const name of ['scp', 'sftp', 'ssh-agent'] as const) if (clientHere(t, name) === undefined) return undefined
  const files = gateway.sshd.files
  await mkdir(join(files, 'secret'))
  await writeFile(join(files, 'secret', 'key'), 'the key\n')
  await writeFile(join(files, 'kept'), 'kept\n')
  return { gateway, files }
}

test('ways around a gateway that are its channels and requests', async (t) => {
  const here = await place(t)
  if (here === undefined) return
  for (const { name, tries, told, runs } of ROWS) {
    await t.test(name, async () => {
      const ran = await tries(here)
      assert.equal(ran.code === 0, runs === true, `${name} ended with ${ran.code}: ${ran.stderr}`)
      assert.match(ran.stderr, told)
      await access(join(here.files, 'kept'))
      for (const got of ['key', 'all/secret/key']) await assert.rejects(access(join(here.gateway.folder, got)), `${name}: ${got}`)
    })
  }
  await t.test('variables that make another program of a command', async () => {
    const env = { SHELL: '/bin/false', BASH_ENV: '/tmp/x', PATH: process.env['PATH'] ?? '', LD_PRELOAD: '', LC_X: 'passes' }
    const sent = ['SHELL', 'BASH_ENV', 'ENV', 'LD_PRELOAD', 'LC_X'].flatMap((name) => ['-o', `SendEnv=${name}`])
    const ran = await here.gateway.run(['echo "[$BASH_ENV][$LC_X]"'], { env, flags: sent })
    assert.deepEqual([ran.code, ran.stdout], [0, '[][passes]\n'])
  })
})

/** Keys of a person at a shell; each row is judged as it is sent off, or stands on the tape as it was. */
const TYPED: readonly { readonly name: string; readonly keys: (kept: string) => string; readonly blocked: boolean }[] = [
  { name: 'backspaces', keys: (kept) => `rx\u007fm ${kept}\r`, blocked: true },
  { name: 'a word taken back, another in its place', keys: (kept) => `echo\u0017rm ${kept}\r`, blocked: true },
  { name: 'pasted with newlines only', keys: (kept) => `rm ${kept}\n`, blocked: true },
  { name: 'the cursor moved to and fro', keys: (kept) => `m ${kept}\u0001r\u0005\r`, blocked: true },
  // What a program decodes is not seen by anybody who reads the line: said in docs/shell.md.
  { name: 'through base64', keys: () => `echo ${Buffer.from('true').toString('base64')} | base64 -d | sh\r`, blocked: false },
]

test('ways around a gateway that are a person’s keys; what is on the screen is on the tape, byte for byte', async (t) => {
  const here = await place(t)
  if (here === undefined) return
  const { gateway, files } = here
  const kept = join(files, 'kept')
  const shell = gateway.ssh([SHELL], { as: 'human', flags: ['-tt'] })
  await shell.says(/ready> $/)
  let asked = 1
  let refused = 0
  const ready = async (): Promise<void> => {
    asked++
    await shell.says(new RegExp(`^(?:[^]*?ready> ){${asked}}(?:\u001b\\[K)?$`))
  }
  for (const { name, keys, blocked } of TYPED) {
    shell.type(keys(kept))
    if (blocked) await shell.says(new RegExp(`(no-removal[^]*){${++refused}}`))
    await ready()
    await access(kept).catch(() => assert.fail(`${name} removed it`))
  }
  // The alternate screen, and a line behind it.
  shell.type(`printf '\\033[?1049h full \\033[?1049l'\r`)
  await shell.says(/\u001b\[\?1049h full \u001b\[\?1049l/)
  await ready()
  shell.type(`rm ${kept}`)
  await shell.says(/kept$/)
  shell.type('\r')
  await shell.says(new RegExp(`(no-removal[^]*){${++refused}}`))
  await ready()
  shell.type('exit\r')
  await shell.ended
  await access(kept)
})

test('characters that are cut, and bytes that are none, come through and stand on the tape as they are', async (t) => {
  const here = await place(t)
  if (here === undefined) return
  const { gateway } = here
  const bytes = Buffer.concat([
    Buffer.from('ä€😀'),
    Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0xe2, 0x82]),
    Buffer.from('\u001b[1;31m'),
  ])
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
  // One byte at a time, so that characters are cut.
  const command = octal.map((byte) => `printf '${byte}'; sleep 0.02`).join('; ')
  const ssh = gateway.ssh([command], { input: '' })
  const got: Buffer[] = []
  ssh.child.stdout
    ?.removeAllListeners('data')
    .setEncoding('latin1')
    .on('data', (text: string) => got.push(Buffer.from(text, 'latin1')))
  assert.equal((await ssh.ended).code, 0)
  assert.deepEqual(Buffer.concat(got), bytes)
  const frames: readonly TapeFrame[] = await gateway.frames()
  assert.deepEqual(Buffer.from(releasedOut(frames)), bytes)
})
