import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TapeFrame } from '../../recorder/index.ts'
import { assertRan, type ClientName, clientHere, type Ran, run } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { releasedOut } from '../support/tapes.ts'

const AT = `agent+${TARGET}@127.0.0.1`
const DATA = randomBytes(700_000)
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
const EMAIL = ['lovelace', 'example.org'].join('@')

const POLICY = `
version: 1
defaults: { approval: { groups: [approvers] } }
rules:
  - { id: no-keys, on: ssh, match: { file: ["*/kept/*", "~/kept/*"] }, action: block, reason: these files stay }
  - { id: no-removal, on: ssh, match: { operation: [remove, rename, setstat, rmdir] }, action: block, reason: nothing is changed here }
  - { id: few-folders, on: ssh, match: { kind: file, operation: mkdir }, threshold: { rows: 2, per: session }, action: block, reason: enough folders }
  - { id: small-downloads, on: ssh, match: { kind: file-download }, threshold: { bytes: 1MiB, per: statement }, action: block, reason: more than 1 MiB of one file }
  - { id: small-uploads, on: ssh, match: { kind: file-upload }, threshold: { bytes: 2MiB, per: session }, action: block, reason: more than 2 MiB }
  - { id: ask, on: ssh, match: { file: "*/asked" }, action: hold, reason: somebody decides }
`

async function rig(
  t: TestContext,
  client: ClientName,
  policy?: string,
): Promise<{ gateway: SshGateway; program: string; files: string } | undefined> {
  const program = clientHere(t, client)
  const gateway = await startSshGateway(t, policy === undefined ? {} : { policy })
  if (gateway === undefined) return undefined
  t.after(() => gateway[Symbol.asyncDispose]())
  if (program === undefined) return undefined
  return { gateway, program, files: gateway.sshd.files }
}

function sftp({ gateway, program }: { gateway: SshGateway; program: string }, ...lines: string[]): Promise<Ran> {
  return run(program, [...gateway.options(), '-b', '-', AT], { input: `${lines.join('\n')}\n` })
}

/** Operations as the tape tells them. */
function told(frames: readonly TapeFrame[], kind: string): Record<string, unknown>[] {
  return frames.filter((frame) => frame.kind === kind).map(({ facts }) => ({ ...facts }))
}

test('sftp: what is done to which file, how much, its hash and the outcome are on the tape', async (t) => {
  const here = await rig(t, 'sftp')
  if (here === undefined) return
  const { gateway, files } = here
  await writeFile(join(files, 'down'), DATA)
  const up = join(gateway.folder, 'up')
  await writeFile(up, DATA.subarray(1))
  const ran = await sftp(
    here,
    `get ${files}/down ${gateway.folder}/got`,
    `put ${up} ${files}/sent`,
    `mkdir ${files}/folder`,
    `rename ${files}/sent ${files}/folder/kept`,
    `ln -s kept ${files}/folder/link`,
    `chmod 600 ${files}/folder/kept`,
    `ls -l ${files}/folder`,
    `df ${files}`,
    `rm ${files}/folder/link`,
    `-rm ${files}/absent`,
  )
  assertRan(ran, 'the batch')
  assert.deepEqual(await readFile(`${gateway.folder}/got`), DATA)
  assert.deepEqual(await readFile(join(files, 'folder', 'kept')), DATA.subarray(1))
  const frames = await gateway.frames()
  const done = told(frames, 'file').map(({ operations, path, to }) => [operations, path, to].flat().filter(Boolean).join(' '))
  for (const one of [
    `read ${files}/down`,
    `write ${files}/sent`,
    `mkdir ${files}/folder`,
    `rename ${files}/sent ${files}/folder/kept`,
    `link kept ${files}/folder/link`,
    `setstat ${files}/folder/kept`,
    `list ${files}/folder/`,
    `remove ${files}/folder/link`,
  ])
    assert.ok(done.includes(one), `${one} is not in ${done.join('; ')}`)
  const replies = told(frames, 'file-reply')
  const down = replies.find(({ path, downloaded }) => path === `${files}/down` && downloaded !== undefined)
  assert.equal(down?.['downloaded'], DATA.length)
  assert.equal(down?.['downloaded_sha256'], sha256(DATA))
  const sent = replies.find(({ uploaded }) => uploaded !== undefined)
  assert.deepEqual(
    [sent?.['uploaded'], sent?.['uploaded_sha256'], sent?.['status']],
    [DATA.length - 1, sha256(DATA.subarray(1)), 'ok'],
  )
  assert.ok(replies.some(({ path, status }) => path === `${files}/absent` && status === 'no such file'))
  const uploaded = frames
    .filter(({ kind }) => kind === 'file-upload' || kind === 'file-close')
    .map(({ body }) => Buffer.from(body ?? []))
  assert.deepEqual(Buffer.concat(uploaded), DATA.subarray(1), 'what was uploaded is on the tape')
  assert.ok(releasedOut(frames).includes(DATA.subarray(0, 20_000)), 'what was downloaded is on the tape')
})

test('rules name files and what is done to them, for sftp and for commands alike', async (t) => {
  const here = await rig(t, 'sftp', POLICY)
  if (here === undefined) return
  const { gateway, files } = here
  const scp = clientHere(t, 'scp')
  if (scp === undefined) return
  await writeFile(join(files, 'plain'), 'plain\n')
  const ran = await sftp(
    here,
    `mkdir ${files}/kept`,
    `-get ${files}/kept/key ${gateway.folder}/key`,
    `-get ${files}/elsewhere/../kept/key ${gateway.folder}/key`,
    `-rm ${files}/plain`,
    `-rename ${files}/plain ${files}/other`,
    `mkdir ${files}/second`,
    `-mkdir ${files}/third`,
    `get ${files}/plain ${gateway.folder}/plain`,
  )
  assertRan(ran, 'the batch')
  assert.equal(await readFile(join(gateway.folder, 'plain'), 'utf8'), 'plain\n')
  assert.match(ran.stderr, /sallyport: these files stay \[no-keys\]/)
  assert.equal(ran.stderr.match(/these files stay/g)?.length, 1, 'a reason is said once')
  assert.match(ran.stderr, /nothing is changed here \[no-removal\]/)
  assert.match(ran.stderr, /enough folders \[few-folders\]/)
  assert.match(ran.stderr, /remote delete .*: Permission denied/)
  await assert.rejects(stat(join(files, 'third')))
  for (const mode of ['-O', '-s']) {
    const fetched = await run(scp, [mode, ...gateway.options(), `${AT}:${files}/kept/key`, `${gateway.folder}/key`])
    assert.notEqual(fetched.code, 0)
    assert.match(fetched.stderr, /these files stay \[no-keys\]/, `scp ${mode}`)
  }
})

test('no rule on a path is got around by a link, a folder that is one, `..` or where one stands', async (t) => {
  const here = await rig(t, 'sftp', POLICY)
  if (here === undefined) return
  const { gateway, files } = here
  await mkdir(join(files, 'kept'))
  await writeFile(join(files, 'kept', 'key'), 'key\n')
  await writeFile(join(files, 'plain'), 'plain\n')
  await symlink(join(files, 'kept', 'key'), join(files, 'file-link'))
  await symlink('kept', join(files, 'folder-link'))
  await symlink('plain', join(files, 'open-link'))
  const got = join(gateway.folder, 'got')
  const up = join(gateway.folder, 'up')
  await writeFile(up, 'written')
  const ran = await sftp(
    here,
    `-get ${files}/file-link ${got}`,
    `-get ${files}/folder-link/key ${got}`,
    `-get ${files}/folder-link/../kept/key ${got}`,
    `-put ${up} ${files}/file-link`,
    `-put ${up} ${files}/folder-link/new`,
    `-ln ${files}/folder-link/key ${files}/hard`,
    `cd ${files}/folder-link`,
    `-get key ${got}`,
    `-get ../file-link ${got}`,
    `get ${files}/open-link ${got}.open`,
    // The link itself may be made: what it leads to is judged when somebody goes there.
    `cd ${files}`,
    `ln -s kept another`,
    `-get another/key ${got}`,
  )
  assertRan(ran, 'the batch')
  await assert.rejects(stat(got), 'nothing came through')
  await assert.rejects(stat(join(files, 'hard')))
  assert.deepEqual(await readdir(join(files, 'kept')), ['key'])
  assert.equal(await readFile(join(files, 'kept', 'key'), 'utf8'), 'key\n')
  assert.equal(await readFile(`${got}.open`, 'utf8'), 'plain\n')
  const asked = told(await gateway.frames(), 'file').filter(({ path }) => path === `${files}/file-link`)
  assert.deepEqual(asked[0]?.['resolved'], [`${files}/kept/key`])
})

test('what is allowed in a folder leads nowhere else: by a link, by a name that it is given, or by more than was allowed', async (t) => {
  const policy = `
version: 1
defaults: { action: block }
rules:
  - { id: sftp, on: ssh, match: { subsystem: sftp }, action: allow }
  - { id: walk, on: ssh, match: { operation: [realpath, stat] }, action: allow }
  - { id: reads, on: ssh, match: { file: "*/files/open/*", operation: [read, rename, link] }, action: allow }
`
  const here = await rig(t, 'sftp', policy)
  if (here === undefined) return
  const { gateway, files } = here
  const got = join(gateway.folder, 'got')
  await mkdir(join(files, 'open'))
  await mkdir(join(files, 'kept'))
  await writeFile(join(files, 'kept', 'key'), 'key\n')
  await writeFile(join(files, 'open', 'plain'), 'plain\n')
  await symlink(join(files, 'kept', 'key'), join(files, 'open', 'link'))
  const ran = await sftp(
    here,
    `-get ${files}/open/link ${got}`,
    `-rename ${files}/kept/key ${files}/open/key`,
    `-ln ${files}/kept/key ${files}/open/hard`,
    // It opens for reading and for writing.
    `-reput ${gateway.folder}/policy.yaml ${files}/open/plain`,
    `get ${files}/open/plain ${got}.open`,
  )
  assertRan(ran, 'the batch')
  await assert.rejects(stat(got), 'nothing came through')
  assert.deepEqual((await readdir(join(files, 'open'))).sort(), ['link', 'plain'])
  assert.equal(await readFile(`${got}.open`, 'utf8'), 'plain\n')
})

test('a budget ends a transfer in its middle, the channel stays', async (t) => {
  const here = await rig(t, 'sftp', POLICY)
  if (here === undefined) return
  const { gateway, files } = here
  await writeFile(join(files, 'large'), randomBytes(5 * 1024 * 1024))
  await writeFile(join(files, 'small'), 'small\n')
  const large = join(gateway.folder, 'large')
  await writeFile(large, randomBytes(5 * 1024 * 1024))
  const ran = await sftp(
    here,
    `-get ${files}/large ${gateway.folder}/got`,
    `-put ${large} ${files}/sent`,
    `get ${files}/small ${gateway.folder}/small`,
  )
  assertRan(ran, 'the batch')
  assert.match(ran.stderr, /more than 1 MiB of one file \[small-downloads\]/)
  assert.match(ran.stderr, /more than 2 MiB \[small-uploads\]/)
  const got = await stat(join(gateway.folder, 'got')).then(
    ({ size }) => size,
    () => 0,
  )
  assert.ok(got <= 1024 * 1024, `${got} bytes came through`)
  const sent = (await stat(join(files, 'sent'))).size
  assert.ok(sent <= 2 * 1024 * 1024, `${sent} bytes went through`)
  assert.equal(await readFile(join(gateway.folder, 'small'), 'utf8'), 'small\n')
})

test('a held file waits for a person', async (t) => {
  const here = await rig(t, 'sftp', POLICY)
  if (here === undefined) return
  const { gateway, files } = here
  await writeFile(join(files, 'asked'), 'granted\n')
  const desk = await gateway.desk()
  const ran = sftp(here, `get ${files}/asked ${gateway.folder}/asked`)
  // The client looks at the file before it opens it, and both are held.
  let decided = 0
  const over = new AbortController()
  const deciding = (async () => {
    for (; !over.signal.aborted; await delay(50))
      for (const { id } of await desk.list({ state: 'pending' })) {
        await desk.decide(id, { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['approvers'] })
        decided++
      }
  })()
  const { stderr, code } = await ran.finally(() => over.abort())
  await deciding
  assert.equal(code, 0, stderr)
  assert.ok(decided > 0)
  assert.match(stderr, /held for approval: request A-/)
  assert.equal(await readFile(join(gateway.folder, 'asked'), 'utf8'), 'granted\n')
})

test('values in files are masked however a client cuts its reads, and what was uploaded with one has no hash', async (t) => {
  const here = await rig(t, 'paramiko')
  if (here === undefined) return
  const { gateway, program, files } = here
  const text = `${'x'.repeat(32_760)} ${EMAIL} ${'y'.repeat(50_000)} ${EMAIL}\n`
  await writeFile(join(files, 'text'), text)
  const script = `
import paramiko, sys
port, user, key, folder, email = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect('127.0.0.1', int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
sftp = client.open_sftp()
one = sftp.open(folder + '/text', 'rb', 0).read()
with sftp.open(folder + '/text', 'rb', 0) as f:
    f.seek(32750)
    two = b''.join(f.read(7) for _ in range(20))
with sftp.open(folder + '/text', 'rb', 0) as f:
    f.prefetch()
    three = f.read()
print(len(one), len(three), one == three, two.decode(), email.encode() in one + three)
with sftp.open(folder + '/text', 'rb', 0) as f:
    def ask(at, size):
        f._realpos = at
        try:
            return f._read(size)
        except EOFError:
            return b''
    four = ask(32762, 0) + ask(32762, len(email) - 1)
assert four == b'*' * (len(email) - 1), four
with sftp.open(folder + '/up', 'wb', 0) as f:
    f.set_pipelined(True)
    f.write('to ' + email[:5])
    f.write(email[5:] + ' from me')
print(sftp.stat(folder + '/up').st_size)
client.close()
`
  const args = ['-c', script, String(gateway.port), TARGET, gateway.identityFiles.agent, files, EMAIL]
  const ran = await run(program, args)
  assertRan(ran, 'the script')
  const [first, second] = ran.stdout.split('\n')
  assert.match(first ?? '', new RegExp(`^${text.length} ${text.length} True x+ \\*+ y+ False$`))
  assert.equal(second, String(`to ${EMAIL} from me`.length))
  assert.equal(await readFile(join(files, 'up'), 'utf8'), `to ${EMAIL} from me`)
  const frames = await gateway.frames()
  for (const { body } of frames) assert.ok(!Buffer.from(body ?? []).includes(EMAIL), 'the address is on the tape')
  const up = told(frames, 'file-reply').find(({ uploaded }) => uploaded !== undefined)
  assert.equal(up?.['uploaded_sha256'], undefined)
})
