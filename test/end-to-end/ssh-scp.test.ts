import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TapeFrame } from '../../recorder/index.ts'
import { assertRan, clientHere, type Ran, run } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { releasedOut } from '../support/tapes.ts'

const AT = `agent+${TARGET}@127.0.0.1`
const DATA = randomBytes(700_000)
const EMAIL = ['lovelace', 'example.org'].join('@')
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

const POLICY = `
version: 1
rules:
  - { id: no-keys, on: ssh, match: { kind: file, file: "*/kept/*" }, action: block, reason: these files stay }
  - { id: no-writes, on: ssh, match: { kind: file, operation: [write, mkdir], file: "*/closed/*" }, action: block, reason: nothing goes there }
  - { id: small-downloads, on: ssh, match: { kind: file-download }, threshold: { bytes: 1MiB, per: statement }, action: block, reason: more than 1 MiB of one file }
  - { id: small-uploads, on: ssh, match: { kind: file-upload }, threshold: { bytes: 2MiB, per: statement }, action: block, reason: more than 2 MiB }
`

interface Rig {
  readonly gateway: SshGateway
  readonly files: string
  scp(...args: readonly string[]): Promise<Ran>
}

async function rig(t: TestContext, policy?: string): Promise<Rig | undefined> {
  const program = clientHere(t, 'scp')
  const gateway = await startSshGateway(t, policy === undefined ? {} : { policy })
  if (gateway === undefined) return undefined
  t.after(() => gateway[Symbol.asyncDispose]())
  if (program === undefined) return undefined
  return {
    gateway,
    files: gateway.sshd.files,
    scp: (...args) => run(program, ['-O', ...gateway.options(), ...args.map((arg) => arg.replace(/^:/, `${AT}:`))]),
  }
}

function told(frames: readonly TapeFrame[], kind: string): Record<string, unknown>[] {
  return frames.filter((frame) => frame.kind === kind).map(({ facts }) => ({ ...facts }))
}

test('scp -O: names, sizes, hashes and directions of files and folders are on the tape', async (t) => {
  const here = await rig(t)
  if (here === undefined) return
  const { gateway, files, scp } = here
  const own = join(gateway.folder, 'own')
  await mkdir(join(own, 'inner'), { recursive: true })
  await writeFile(join(own, 'one'), DATA)
  await writeFile(join(own, 'inner', 'two words'), 'two')
  await writeFile(join(own, 'inner', 'empty'), '')
  assertRan(await scp('-rp', own, `:${files}/there`), 'there')
  assert.deepEqual(await readFile(join(files, 'there', 'one')), DATA)
  const up = await gateway.frames()
  const asked = told(up, 'file').map(({ operations, path, size }) => [operations, path, size].flat().join(' ').trim())
  assert.deepEqual(asked.sort(), [
    `mkdir ${files}/there`,
    `mkdir ${files}/there/inner`,
    `write ${files}/there/inner/empty 0`,
    `write ${files}/there/inner/two words 3`,
    `write ${files}/there/one ${DATA.length}`,
  ])
  const sent = told(up, 'file-close').find(({ path }) => path === `${files}/there/one`)
  assert.deepEqual([sent?.['uploaded'], sent?.['uploaded_sha256']], [DATA.length, sha256(DATA)])

  const back = join(gateway.folder, 'back')
  assertRan(await scp('-r', `:${files}/there`, back), 'back')
  assert.deepEqual(await readFile(join(back, 'one')), DATA)
  assert.equal(await readFile(join(back, 'inner', 'two words'), 'utf8'), 'two')
  assert.deepEqual((await readdir(join(back, 'inner'))).sort(), ['empty', 'two words'])
  const down = await gateway.frames()
  const got = told(down, 'file-close').find(({ path }) => path === `${files}/there/one`)
  assert.deepEqual([got?.['downloaded'], got?.['downloaded_sha256']], [DATA.length, sha256(DATA)])
  assert.ok(releasedOut(down).includes(DATA.subarray(0, 20_000)), 'what came back is on the tape')
  const none = await scp(`:${files}/absent`, back)
  assert.equal(none.code, 1)
  assert.match(none.stderr, /No such file/)
})

test('scp -O: rules on files hold for each of a folder, the others go on', async (t) => {
  const here = await rig(t, POLICY)
  if (here === undefined) return
  const { gateway, files, scp } = here
  await mkdir(join(files, 'all', 'kept'), { recursive: true })
  await mkdir(join(files, 'closed'))
  await writeFile(join(files, 'all', 'kept', 'key'), 'key')
  await writeFile(join(files, 'all', 'plain'), 'plain')
  await writeFile(join(files, 'all', 'zz'), 'behind')
  const back = join(gateway.folder, 'back')
  const down = await scp('-r', `:${files}/all`, back)
  assert.equal(down.code, 1)
  assert.match(down.stderr, /these files stay/)
  assert.deepEqual(await readdir(join(back, 'kept')), [])
  assert.equal(await readFile(join(back, 'plain'), 'utf8'), 'plain')
  assert.equal(await readFile(join(back, 'zz'), 'utf8'), 'behind')
  const own = join(gateway.folder, 'own')
  await writeFile(own, 'own')
  for (const there of [`${files}/closed`, `${files}/closed/`, `${files}/closed/other`, `${files}/elsewhere/../closed/own`]) {
    const up = await scp(own, `:${there}`)
    assert.equal(up.code, 1, there)
    assert.match(up.stderr, /nothing goes there/)
  }
  for (const there of [`${files}/clos[e]d`, `${files}/c*`]) {
    const up = await scp(own, `:${there}`)
    assert.notEqual(up.code, 0, there)
    assert.match(up.stderr, /has a pattern/)
  }
  const byPattern = await scp(`:${files}/al[l]/kep[t]/key`, join(gateway.folder, 'key'))
  assert.equal(byPattern.code, 1)
  assert.match(byPattern.stderr, /these files stay/)
  assert.deepEqual(await readdir(join(files, 'closed')), [])
  assertRan(await scp(own, `:${files}/open`), 'elsewhere')
  const frames = await gateway.frames()
  assert.equal(told(frames, 'file').length, 1)
})

test('scp -O: a budget ends a transfer in its middle', async (t) => {
  const here = await rig(t, POLICY)
  if (here === undefined) return
  const { gateway, files, scp } = here
  const large = join(gateway.folder, 'large')
  await writeFile(large, randomBytes(5 * 1024 * 1024))
  await writeFile(join(files, 'large'), await readFile(large))
  const down = await scp(`:${files}/large`, join(gateway.folder, 'got'))
  assert.notEqual(down.code, 0)
  assert.match(down.stderr, /more than 1 MiB of one file \[small-downloads\]/)
  const got = (await stat(join(gateway.folder, 'got'))).size
  assert.ok(got <= 1024 * 1024, `${got} bytes came through`)
  const up = await scp(large, `:${files}/sent`)
  assert.notEqual(up.code, 0)
  assert.match(up.stderr, /more than 2 MiB \[small-uploads\]/)
  const sent = (await stat(join(files, 'sent'))).size
  assert.ok(sent <= 2 * 1024 * 1024, `${sent} bytes went through`)
  const frames = await gateway.frames()
  assert.ok(told(frames, 'file-close').some(({ status }) => status === 'cut'))
  assert.deepEqual(
    frames.filter(({ kind }) => kind === 'refusal').map(({ body }) => String(Buffer.from(body ?? []))),
    ['sallyport: more than 2 MiB [small-uploads]\n'],
    'what was on its way when the file was cut harms nobody',
  )
})

test('scp -O: values in files are masked in place, both ways on the tape', async (t) => {
  const here = await rig(t)
  if (here === undefined) return
  const { gateway, files, scp } = here
  const text = `${'x'.repeat(32_760)} ${EMAIL} ${'y'.repeat(50_000)} ${EMAIL}`
  await writeFile(join(files, 'text'), text)
  const got = join(gateway.folder, 'got')
  assertRan(await scp(`:${files}/text`, got), 'down')
  assert.equal(await readFile(got, 'utf8'), text.replaceAll(EMAIL, '*'.repeat(EMAIL.length)))
  const down = await gateway.frames()
  await writeFile(got, text)
  assertRan(await scp(got, `:${files}/sent`), 'up')
  assert.equal(await readFile(join(files, 'sent'), 'utf8'), text)
  const up = await gateway.frames()
  for (const { body } of [...down, ...up]) assert.ok(!Buffer.from(body ?? []).includes(EMAIL), 'the address is on the tape')
  assert.equal(told(up, 'file-close')[0]?.['uploaded_sha256'], undefined)
})
