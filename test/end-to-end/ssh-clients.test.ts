import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { assertRan, type ClientName, clientHere, run } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { framesOf, releasedOut, sessionsOf } from '../support/tapes.ts'

const AT = `agent+${TARGET}@127.0.0.1`
const DATA = randomBytes(1024 * 1024)

/** A gateway, and the program; undefined, and said, where one of them is not here. */
async function rig(
  t: TestContext,
  client: ClientName,
): Promise<{ gateway: SshGateway; program: string; file: string } | undefined> {
  const program = clientHere(t, client)
  const gateway = await startSshGateway(t)
  if (gateway === undefined) return undefined
  t.after(() => gateway[Symbol.asyncDispose]())
  if (program === undefined) return undefined
  const file = join(gateway.folder, 'file')
  await writeFile(file, DATA)
  return { gateway, program, file }
}

for (const mode of ['-O', '-s']) {
  test(`scp ${mode} brings files there and back`, async (t) => {
    const here = await rig(t, 'scp')
    if (here === undefined) return
    const { gateway, program, file } = here
    assertRan(await run(program, [mode, ...gateway.options(), file, `${AT}:${gateway.sshd.files}/there`]), 'there')
    assert.deepEqual(await readFile(join(gateway.sshd.files, 'there')), DATA)
    assertRan(await run(program, [mode, ...gateway.options(), `${AT}:${gateway.sshd.files}/there`, `${file}.back`]), 'back')
    assert.deepEqual(await readFile(`${file}.back`), DATA)
    assert.ok(releasedOut(await gateway.frames()).includes(DATA.subarray(0, 1024)), 'what came back is on the tape')
  })
}

test('rsync brings files there and back', async (t) => {
  const here = await rig(t, 'rsync')
  if (here === undefined) return
  const { gateway, program, file } = here
  const ssh = `ssh ${gateway.options().join(' ')}`
  assertRan(await run(program, ['-e', ssh, file, `${AT}:${gateway.sshd.files}/there`]), 'there')
  assertRan(await run(program, ['-e', ssh, `${AT}:${gateway.sshd.files}/there`, `${file}.back`]), 'back')
  assert.deepEqual(await readFile(`${file}.back`), DATA)
})

test('git pushes and clones', async (t) => {
  const here = await rig(t, 'git')
  if (here === undefined) return
  const { gateway, program, file } = here
  const work = join(gateway.folder, 'work')
  await mkdir(work)
  await writeFile(join(work, 'file'), await readFile(file))
  const git = async (...args: string[]): Promise<void> => {
    const who = ['-c', 'user.name=ada', '-c', 'user.email=ada', '-c', 'init.defaultBranch=main']
    const env = { GIT_SSH_COMMAND: `ssh ${gateway.options().join(' ')}`, GIT_CONFIG_NOSYSTEM: '1' }
    assertRan(await run(program, [...who, ...args], { cwd: work, env }), args.join(' '))
  }
  const remote = `ssh://${AT}${gateway.sshd.files}/repository`
  await git('init', '-q', '--bare', join(gateway.sshd.files, 'repository'))
  await git('init', '-q')
  await git('add', 'file')
  await git('commit', '-qm', 'first')
  await git('push', '-q', remote, 'HEAD:main')
  await git('clone', '-q', '-b', 'main', remote, join(gateway.folder, 'clone'))
  assert.deepEqual(await readFile(join(gateway.folder, 'clone', 'file')), DATA)
})

test('paramiko runs a command and lists files', async (t) => {
  const here = await rig(t, 'paramiko')
  if (here === undefined) return
  const { gateway, program } = here
  await writeFile(join(gateway.sshd.files, 'listed'), '')
  const script = `
import paramiko, sys
port, user, key, folder = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect('127.0.0.1', int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
_, stdout, _ = client.exec_command('echo hi; exit 3')
print(stdout.read().decode().strip(), stdout.channel.recv_exit_status(), *client.open_sftp().listdir(folder))
`
  const ran = await run(program, ['-c', script, String(gateway.port), TARGET, gateway.identityFiles.agent, gateway.sshd.files])
  assertRan(ran, 'the script')
  assert.equal(ran.stdout, 'hi 3 listed\n')
})

test('ansible finds its way in, brings its module along and runs it', async (t) => {
  const here = await rig(t, 'ansible')
  if (here === undefined) return
  const { gateway, program } = here
  await writeFile(join(gateway.folder, 'ansible.cfg'), '[defaults]\n')
  const env = {
    HOME: gateway.folder,
    ANSIBLE_LOCAL_TEMP: join(gateway.folder, 'ansible'),
    ANSIBLE_REMOTE_TMP: join(gateway.sshd.files, 'ansible'),
    ANSIBLE_SSH_ARGS: gateway.options().join(' '),
    // An agent gets no terminal, and needs none.
    ANSIBLE_SSH_USETTY: 'False',
    ANSIBLE_CONFIG: join(gateway.folder, 'ansible.cfg'),
  }
  const args = [
    'all',
    '-i',
    '127.0.0.1,',
    '-u',
    `agent+${TARGET}`,
    '-e',
    'ansible_python_interpreter=/usr/bin/python3',
    '-m',
    'ping',
  ]
  const ran = await run(program, args, { env })
  assertRan(ran, 'ansible')
  assert.match(ran.stdout, /"ping": "pong"/)
  await gateway.frames()
  // It comes with a connection for every step.
  const sessions = await sessionsOf(gateway.dataDir)
  const frames = (await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))).flat()
  assert.ok(frames.some(({ kind, facts }) => kind === 'file-reply' && facts['uploaded_sha256'] !== undefined))
})

test('sshfs: a folder of the target as one of the client’s own', async (t) => {
  // A container may have no FUSE, whatever is installed in it.
  if (!existsSync('/dev/fuse')) return t.diagnostic(`NOT RUN: ${t.name}: this machine has no /dev/fuse`)
  const here = await rig(t, 'sshfs')
  if (here === undefined) return
  const { gateway, program } = here
  const mount = join(gateway.folder, 'mount')
  await mkdir(mount)
  await writeFile(join(gateway.sshd.files, 'there'), DATA)
  assertRan(await run(program, [...gateway.options(), `${AT}:${gateway.sshd.files}`, mount]), 'sshfs')
  try {
    assert.deepEqual(await readFile(join(mount, 'there')), DATA)
    await writeFile(join(mount, 'back'), DATA)
    assert.deepEqual((await readdir(mount)).sort(), ['back', 'there'])
    await rename(join(mount, 'back'), join(mount, 'renamed'))
  } finally {
    assertRan(await run('fusermount', ['-u', mount]), 'fusermount')
  }
  assert.deepEqual(await readFile(join(gateway.sshd.files, 'renamed')), DATA)
  const done = (await gateway.frames()).filter(({ kind }) => kind === 'file').flatMap(({ facts }) => facts['operations'])
  for (const one of ['read', 'write', 'list', 'rename']) assert.ok(done.includes(one), one)
})
