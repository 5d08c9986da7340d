import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { excerpt } from '../../../gateway/cli/excerpt.ts'
import { parseFrames } from '../../../gateway/cli/frame-runs.ts'
import { verify } from '../../../gateway/cli/verify.ts'
import { readLines } from '../../../recorder/index.ts'
import { type Ran, runCli } from '../../support/cli.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

test('an excerpt is a file of its own that verifies; nothing is written over, and what is not there is not disclosed', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  assert.equal(await excerpt(id, { frames: [[2, 3]] }, cli), 0)
  assert.match(cli.text(), /\.excerpt\.json: 2 frames of /)
  const path = join(folder.path, `${id}.excerpt.json`)
  const told = terminal(folder)
  assert.equal(await verify(path, {}, told), 0)
  assert.match(told.text(), /an excerpt: frames 2-3 are disclosed, 3 more are hidden/)
  await assert.rejects(excerpt(id, { frames: [[2, 3]] }, cli), { code: 'STORE_CONFLICT' })
  const out = join(folder.path, 'more.excerpt.json')
  await assert.rejects(excerpt(id, { frames: [[4, 5]], out }, cli), { code: 'STORE_MISSING' })
  await assert.rejects(excerpt(id, { frames: [[1, 1]], out: 'x.zip' }, cli), { code: 'CONFIG_INVALID' })
})

test('what cannot be written, or asked for, is refused before the tape is read; an excerpt that cannot be made leaves no file', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  // Whoever reads it is told so.
  const tape = join(folder.path, 'tapes', id, '0000.tape')
  await writeFile(tape, (await readFile(tape)).fill(0, 200, 400))
  const frames = [[1, 1]] as const
  await writeFile(join(folder.path, 'there.excerpt.json'), 'mine')
  for (const [out, code] of [
    ['x.zip', 'CONFIG_INVALID'],
    ['there.excerpt.json', 'STORE_CONFLICT'],
    ['no/such/folder.excerpt.json', 'STORE_MISSING'],
  ] as const)
    await assert.rejects(excerpt(id, { frames, out }, cli), { code }, out)
  assert.equal(await readFile(join(folder.path, 'there.excerpt.json'), 'utf8'), 'mine')
  const nobody = { ...terminal(folder), env: { SALLYPORT_KEY: 'nobody has this' } }
  await assert.rejects(excerpt(id, { frames, out: 'new.excerpt.json' }, nobody), { code: 'AUTH_DENIED' })
  await assert.rejects(excerpt(id, { frames, out: 'new.excerpt.json' }, cli), { code: 'TAPE_MALFORMED' })
  assert.equal(existsSync(join(folder.path, 'new.excerpt.json')), false)
})

test('as the README has it: a gateway, an excerpt of its session, verified with the key that it keeps; one byte changed is INVALID', async () => {
  await using gateway = await echoGateway()
  const { service, port } = await gateway.start()
  {
    using client = await EchoClient.enter(port, gateway.keys.agent)
    for (const text of ['one', 'two', 'three']) {
      client.say(text)
      assert.equal(await client.hear(), text)
    }
  }
  const run = (line: string): Promise<Ran> =>
    runCli(line.split(' '), { cwd: gateway.folder, env: { SALLYPORT_CONFIG: gateway.config } })
  const trusting = 'verify few.excerpt.json --trust data/keys/gateway.pub'
  await service.stop('done')
  const [{ id }] = JSON.parse((await run('sessions --json')).out)
  const made = await run(`excerpt ${id} --frames 2-4 --out few.excerpt.json`)
  assert.equal(made.code, 0, made.err)
  const good = await run(trusting)
  assert.equal(good.code, 0, good.out + good.err)
  assert.match(good.out, /frames 2-4 are disclosed, \d+ more are hidden/)
  assert.match(good.out, /^VALID: few\.excerpt\.json .*\n.*\nsignatures were checked with the keys you named$/m)
  assert.match((await run('verify few.excerpt.json --trust nothing.pub')).err, /CONFIG_INVALID: .*nothing\.pub cannot be read/)
  assert.equal((await run('verify few.excerpt.json')).code, 30, 'a file says nothing of whom to believe')

  const path = join(gateway.folder, 'few.excerpt.json')
  const text = await readFile(path, 'utf8')
  const at = text.indexOf('"frame":"') + '"frame":"'.length
  await writeFile(path, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`)
  const bad = await run(trusting)
  assert.equal(bad.code, 20, bad.out + bad.err)
  assert.match(bad.out + bad.err, /INVALID.*frame 2\b/)
})

test('the ledger is told who took which frames, before they leave; without the gateway’s key nothing is written into it', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const entries = async (): Promise<Record<string, unknown>[]> => {
    const found: Record<string, unknown>[] = []
    for await (const { entry } of readLines(folder.store)) if (entry !== undefined) found.push(entry.statement)
    return found
  }
  const cli = terminal(folder)
  assert.equal(
    await excerpt(
      id,
      {
        frames: parseFrames('2-3,1') ?? [],
        reason: 'case 7',
        json: true,
      },
      cli,
    ),
    0,
  )
  assert.equal(JSON.parse(cli.text()).noted, true)
  const bytes = await readFile(join(folder.path, `${id}.excerpt.json`))
  const { actor, proof, format, sha256, sessionIds, frames, reason, gateway } = (await entries()).at(-1) ?? {}
  assert.deepEqual(
    { actor, proof, format, sha256, sessionIds, frames, reason, gateway },
    {
      actor: userInfo().username,
      proof: 'os',
      format: 'excerpt',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      sessionIds: [id],
      frames: [[1, 3]],
      reason: 'case 7',
      gateway: 'gw1-cli',
    },
  )
  // What the ledger does not take does not leave.
  await writeFile(
    join(folder.path, 'sallyport.yaml'),
    `${await readFile(join(folder.path, 'sallyport.yaml'))}ledger: { origin: another.example/log }\n`,
  )
  const out = 'refused.excerpt.json'
  await assert.rejects(excerpt(id, { frames: [[1, 1]], out }, terminal(folder)), { code: 'CONFIG_INVALID' })
  assert.equal(existsSync(join(folder.path, out)), false)
  const count = (await entries()).length
  await rm(join(folder.path, 'keys', 'gateway.key'))
  const copy = terminal(folder)
  assert.equal(await excerpt(id, { frames: [[1, 1]], out: 'copy.excerpt.json' }, copy), 0)
  assert.match(copy.text(), /not noted in the ledger: there is no key/)
  assert.equal((await entries()).length, count)
})

test('frame numbers are put in order and together', () => {
  assert.deepEqual(parseFrames('35, 10-20,21'), [
    [10, 21],
    [35, 35],
  ])
  assert.deepEqual(parseFrames('3-5,1-9'), [[1, 9]])
  for (const text of ['', '-1', '5-3', '1,,2', 'a', '0-100000']) assert.equal(parseFrames(text), undefined, text)
})
