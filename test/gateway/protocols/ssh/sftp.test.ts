import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shellTests } from '../../../../gateway/policy/shell/match-shell.ts'
import { SshOutput } from '../../../../gateway/protocols/ssh/output.ts'
import { packet, STATUS, TYPE } from '../../../../gateway/protocols/ssh/sftp/packets.ts'
import { pathFact } from '../../../../gateway/protocols/ssh/sftp/paths.ts'
import { Sftp } from '../../../../gateway/protocols/ssh/sftp/sftp.ts'
import { SshWire } from '../../../../gateway/protocols/ssh/wire.ts'
import { ALLOW, BLOCK, fakeGate, fakeParts, scriptedJudge } from '../../../support/fakes.ts'

const EMAIL = ['lovelace', 'example.org'].join('@')
const NOBODY = new AbortController().signal

const LENIENT = scriptedJudge((message) => (typeof message.facts()['malformed'] === 'string' ? BLOCK : ALLOW))

/** A channel of SFTP before a target that has one file and gives so much of it at once, every chunk cut into pieces of this size. */
function talk(content: Buffer, pieceSize: number, judge = LENIENT, most = Number.POSITIVE_INFINITY, limits = false) {
  const wire = new SshWire()
  wire.opened(1, false)
  const parts = fakeParts({ judge })
  const gate = fakeGate(wire, parts)
  const sftp = new Sftp(1, wire.nextStatement)
  const toClient: Buffer[] = []
  const said: string[] = []
  const asked: number[] = []
  const failing = new Set<number>()
  let held: Buffer[] | undefined
  const answers = (bytes: Buffer): Buffer => {
    const id = bytes.readUInt32BE(5)
    asked.push(bytes[4] ?? 0)
    switch (bytes[4]) {
      case TYPE.init:
        return limits ? packet(TYPE.version, 3, 'limits@openssh.com', '1') : packet(TYPE.version, 3)
      case TYPE.extended:
        return packet(TYPE.extendedReply, id, BigInt(most + 1_024), BigInt(most), BigInt(most), 0n)
      case TYPE.realpath:
        return packet(TYPE.name, id, 1, '/home/ada', '', 0)
      case TYPE.open:
        return packet(TYPE.handle, id, 'h')
      case TYPE.read: {
        if (failing.delete(id)) return packet(TYPE.status, id, STATUS.failure, '', '')
        const offset = Number(bytes.readBigUInt64BE(14))
        const data = content.subarray(offset, offset + Math.min(most, bytes.readUInt32BE(22)))
        return data.length === 0 ? packet(TYPE.status, id, STATUS.eof, '', '') : packet(TYPE.data, id, data)
      }
      default:
        return packet(TYPE.status, id, STATUS.ok, '', '')
    }
  }
  async function feed(bytes: Buffer, from: 'client' | 'server'): Promise<void> {
    for (let at = 0; at < bytes.length; at += pieceSize) {
      const messages = sftp[from](bytes.subarray(at, at + pieceSize))
      for await (const outputs of gate.pass(messages, NOBODY)) {
        for (const output of outputs) {
          assert.ok(output instanceof SshOutput)
          if (output.action.act === 'stderr') said.push(Buffer.from(output.bytes).toString())
          else if (output.to === 'client') toClient.push(Buffer.from(output.bytes))
          else if (output.bytes.length > 0) await each(Buffer.from(output.bytes))
        }
      }
    }
  }
  async function each(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const size = 4 + bytes.readUInt32BE(at)
      const said = answers(bytes.subarray(at, at + size))
      if (held === undefined) await feed(said, 'server')
      else held.push(said)
      at += size
    }
  }
  /** From here on answers wait, until they are told of, from the first or from the last on. */
  const hold = () => {
    held = []
    return async (fromLast: boolean): Promise<void> => {
      while (held !== undefined && held.length > 0) {
        const now: Buffer[] = held
        held = []
        for (const one of fromLast ? now.reverse() : now) await feed(one, 'server')
      }
      held = undefined
    }
  }
  const fail = (id: number): unknown => failing.add(id)
  return { sftp, parts, said, asked, toClient, hold, fail, client: (bytes: Buffer) => feed(bytes, 'client') }
}

/** The contents of DATA packets. */
function contents(packets: readonly Buffer[]): Buffer {
  const all = Buffer.concat(packets)
  const found: Buffer[] = []
  for (let at = 0; at < all.length; at += 4 + all.readUInt32BE(at))
    if (all[at + 4] === TYPE.data) found.push(all.subarray(at + 13, at + 4 + all.readUInt32BE(at)))
  return Buffer.concat(found)
}

function idsOf(packets: Buffer): number[] {
  const ids: number[] = []
  for (let at = 0; at < packets.length; at += 4 + packets.readUInt32BE(at)) ids.push(packets.readUInt32BE(at + 5))
  return ids
}

const TEXT = Buffer.from(`${'a b '.repeat(300)}${EMAIL} ${'c d '.repeat(300)}${EMAIL}`)

for (const pieceSize of [1, 7, 1_000_000]) {
  for (const blockSize of [3, 100, 1_210, 32_768]) {
    test(`however packets are cut (${pieceSize}) and files read (${blockSize}), the same is masked`, async () => {
      const { client, toClient, parts } = talk(TEXT, pieceSize)
      await client(packet(TYPE.init, 3))
      await client(packet(TYPE.open, 1, '/file', 1, 0))
      const steps = blockSize === 3 ? 30 : Math.ceil(TEXT.length / blockSize)
      const start = blockSize === 3 ? 1_195 : 0
      for (let step = 0; step < steps; step++)
        await client(packet(TYPE.read, 10 + step, 'h', BigInt(start + step * blockSize), blockSize))
      await client(packet(TYPE.close, 2, 'h'))
      const got = contents(toClient).toString()
      const expected = TEXT.toString().replaceAll(EMAIL, '*'.repeat(EMAIL.length))
      assert.equal(got, expected.slice(start, start + steps * blockSize))
      const close = parts.recorder.entries.find(({ kind, facts }) => kind === 'file-reply' && facts['downloaded'] !== undefined)
      assert.equal(close?.facts['downloaded'], got.length)
      assert.equal(close?.facts['downloaded_sha256'] === undefined, start > 0)
    })
  }
}

const SECRET = ['correct', 'Horse9', 'battery'].join('-')

test('a read of no byte takes no context from the next', async () => {
  const text = `first\nDB_PASSWORD=${SECRET}\nlast\n`
  const { client, toClient, parts } = talk(Buffer.from(text), 1_000_000)
  const at = text.indexOf(SECRET)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.open, 1, '/file', 1, 0))
  await client(packet(TYPE.read, 2, 'h', BigInt(at), 0))
  await client(packet(TYPE.read, 3, 'h', BigInt(at), 8))
  await client(packet(TYPE.read, 4, 'h', BigInt(at + 8), 0))
  await client(packet(TYPE.read, 5, 'h', BigInt(at + 8), SECRET.length - 8))
  assert.equal(contents(toClient).toString(), '*'.repeat(SECRET.length))
  for (const { body } of parts.recorder.entries) assert.ok(!Buffer.from(body ?? []).includes(SECRET.slice(8)))
})

test('behind a read that the target gives less of than was asked, nothing goes on without context', async () => {
  const text = `${'a b '.repeat(30_000)}DB_PASSWORD=${SECRET}\n`
  const at = text.indexOf(SECRET)
  for (const [most, size] of [
    [65_536, 100_000],
    [16_384, 32_768],
  ] as const) {
    const { client, toClient, parts } = talk(Buffer.from(text), 1_000_000, LENIENT, most)
    await client(packet(TYPE.init, 3))
    await client(packet(TYPE.open, 1, '/file', 1, 0))
    const read = (id: number): Buffer[] => [
      packet(TYPE.read, id, 'h', BigInt(at - size), size),
      packet(TYPE.read, id + 1, 'h', BigInt(at), SECRET.length),
    ]
    // Both before any answer, and one after the other.
    await client(Buffer.concat(read(2)))
    for (const one of read(4)) await client(one)
    assert.ok(!Buffer.concat(toClient).includes(SECRET), `${most}`)
    for (const { body } of parts.recorder.entries) assert.ok(!Buffer.from(body ?? []).includes(SECRET), `${most}`)
  }
})

test('what was to go on behind a read that was not answered is refused, and had when it is asked for again', async () => {
  const text = Buffer.from(`${'a b '.repeat(20_000)}\n`)
  const { client, toClient, parts, fail } = talk(text, 1_000_000)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.open, 1, '/file', 1, 0))
  const read = (id: number): Buffer => packet(TYPE.read, id, 'h', 32_768n, 32)
  fail(2)
  await client(Buffer.concat([packet(TYPE.read, 2, 'h', 0n, 32_768), read(3)]))
  const refused = toClient.slice(2).map((bytes) => [bytes[4], bytes.readUInt32BE(5), bytes.readUInt32BE(9)])
  assert.ok(
    refused.some((one) => one.join() === [TYPE.status, 3, STATUS.failure].join()),
    refused.join(' '),
  )
  const told = parts.recorder.entries.filter(({ kind }) => kind === 'file-download').at(-1)
  assert.equal(told?.facts['size'], 0)
  await client(read(4))
  assert.equal(contents(toClient.slice(-1)).toString(), 'a b '.repeat(8))
})

for (const most of [500, 10_000, 16_384, 32_768]) {
  for (const limits of [false, true]) {
    for (const turn of ['in', 'out of'] as const) {
      test(`a target that gives ${most} bytes at once (${limits ? '' : 'not '}saying so), ${turn} order: all of a file, and nothing past the masks`, async () => {
        // A value across every end of what the target gives, and of what the client asks for.
        const text = Buffer.from('a b '.repeat(25_000))
        for (let at = most; at < text.length; at += most) text.write(` ${EMAIL} `, at - 10)
        for (let at = 32_768; at < text.length; at += 32_768) text.write(` ${EMAIL} `, at - 10)
        const { client, toClient, parts, hold } = talk(text, 1_000_000, LENIENT, most, limits)
        await client(packet(TYPE.init, 3))
        await client(packet(TYPE.open, 1, '/file', 1, 0))
        const reads = Array.from({ length: 5 }, (_, at) => packet(TYPE.read, 10 + at, 'h', BigInt(at * 32_768), 32_768))
        const answer = hold()
        await client(Buffer.concat(reads))
        await answer(turn === 'out of')
        const got = contents(toClient)
        assert.equal(got.toString(), text.toString().replaceAll(EMAIL, '*'.repeat(EMAIL.length)))
        const down = parts.recorder.entries.filter(({ kind }) => kind === 'file-download')
        assert.ok(!Buffer.concat(down.map(({ body }) => Buffer.from(body ?? []))).includes(EMAIL.slice(0, 10)))
      })
    }
  }
}

test('what a target gives less of is asked for again only where the next read has not asked for it, and not where it said what it gives', async () => {
  const text = Buffer.from('a b '.repeat(40_000))
  const count = async (limits: boolean): Promise<number> => {
    const { client, asked, hold, toClient } = talk(text, 1_000_000, LENIENT, 32_768, limits)
    await client(packet(TYPE.init, 3))
    await client(packet(TYPE.open, 1, '/file', 1, 0))
    const answer = hold()
    await client(
      Buffer.concat(Array.from({ length: 5 }, (_, at) => packet(TYPE.read, 10 + at, 'h', BigInt(at * 32_768), 32_768))),
    )
    await answer(false)
    assert.equal(contents(toClient).length, text.length)
    return asked.filter((type) => type === TYPE.read).length
  }
  // One for the end of the file.
  assert.deepEqual([await count(false), await count(true)], [6, 5])
})

for (const fails of [false, true]) {
  test(`a file is closed once its reads are answered${fails ? ', were it with a failure' : ''}, and its summary knows of all of them`, async () => {
    const { client, toClient, asked, hold, fail, parts } = talk(TEXT, 1_000_000, LENIENT, 1_000)
    await client(packet(TYPE.init, 3))
    await client(packet(TYPE.open, 1, '/file', 1, 0))
    const before = toClient.length
    const answer = hold()
    if (fails) fail(3)
    await client(Buffer.concat([packet(TYPE.read, 2, 'h', 0n, 1_200), packet(TYPE.read, 3, 'h', 1_200n, TEXT.length)]))
    const closed = client(packet(TYPE.close, 4, 'h'))
    await answer(false)
    await closed
    const ids = toClient.slice(before).flatMap((bytes) => idsOf(bytes))
    assert.deepEqual(ids, [2, 3, 4])
    assert.equal(asked.at(-1), TYPE.close)
    const { facts } = parts.recorder.entries.findLast(({ kind }) => kind === 'file-reply') ?? {}
    assert.equal(facts?.['downloaded'], fails ? 1_200 : TEXT.length)
  })
}

test('a file that is to be closed waits for no target that is gone, and is told of as cut', async () => {
  const { client, hold, sftp } = talk(TEXT, 1_000_000)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.open, 1, '/file', 1, 0))
  hold()
  const closed = client(Buffer.concat([packet(TYPE.read, 2, 'h', 0n, 100), packet(TYPE.close, 3, 'h')]))
  const told = [...sftp.end(), ...sftp.end()].map((message) => message.facts())
  await closed
  assert.deepEqual(told, [{ path: '/file', statement: 1, status: 'cut' }])
})

test('a key that a client reads in small blocks stays masked to its end', async () => {
  const key = ['-----BEGIN', ' PRIVATE KEY-----\n', 'QUJD'.repeat(800), '\n-----END', ' PRIVATE KEY-----\n'].join('')
  const { client, toClient } = talk(Buffer.from(`first\n${key}last\n`), 1_000_000)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.open, 1, '/file', 1, 0))
  for (let at = 0; at < key.length + 11; at += 64) await client(packet(TYPE.read, 10 + at, 'h', BigInt(at), 64))
  const got = contents(toClient).toString()
  assert.ok(!got.includes('QUJD'), got.slice(0, 200))
  assert.match(got, /^first\n\*+/)
})

test('what is refused is answered here, with its id, and never sent; the reason is said once', async () => {
  const judge = scriptedJudge((message) => (message.kind === 'file' ? BLOCK : ALLOW))
  const { client, toClient, said, asked, parts } = talk(TEXT, 5, judge)
  await client(packet(TYPE.init, 3))
  for (const id of [7, 8, 9]) await client(packet(TYPE.remove, id, '/file'))
  const answers = Buffer.concat(toClient.slice(1))
  assert.deepEqual([answers[4], answers.readUInt32BE(5), answers.readUInt32BE(9)], [TYPE.status, 7, STATUS.permissionDenied])
  // Where relative paths begin, and where each of the three leads: no question of the client's own.
  assert.deepEqual(asked, [TYPE.init, ...Array<number>(4).fill(TYPE.realpath)])
  assert.equal(said.length, 1)
  const [entry] = parts.recorder.entries.filter(({ kind }) => kind === 'file')
  assert.deepEqual([entry?.facts['operations'], entry?.facts['path'], entry?.verdict?.act], [['remove'], '/file', 'block'])
})

test('peers that break the rules are told apart from those that know more than we do', async () => {
  const { client, toClient, sftp } = talk(TEXT, 1_000_000)
  await client(packet(TYPE.init, 6))
  await client(packet(TYPE.extended, 1, 'unheard-of@example.org'))
  await client(packet(TYPE.read, 2, 'nothing', 0n, 10))
  await client(packet(TYPE.open, 3, Buffer.from([0x2f, 0xff]), 1, 0))
  const answers = toClient.slice(1).map((bytes) => [bytes[4], bytes.readUInt32BE(5)])
  assert.deepEqual(answers, [
    [TYPE.status, 1],
    [TYPE.status, 2],
    [TYPE.status, 3],
  ])
  assert.throws(() => sftp.server(packet(TYPE.data, 77, 'x')), { code: 'PROTOCOL_MALFORMED' })
  assert.throws(() => sftp.client(packet(TYPE.open, 4, '/x')), { code: 'PROTOCOL_MALFORMED' })
  assert.throws(() => new Sftp(1, () => 1).client(Buffer.from([0x7f, 0, 0, 0, 1])), { code: 'PROTOCOL_OVERSIZE' })
})

test('paths are what they mean', () => {
  assert.equal(pathFact('/a/./b/../c//d/', undefined), 'sftp /a/c/d')
  assert.equal(pathFact('//etc/shadow', undefined), 'sftp /etc/shadow')
  assert.equal(pathFact('.ssh/id', '/home/ada'), 'sftp /home/ada/.ssh/id')
  assert.equal(pathFact('.ssh/id', undefined), 'sftp ~/.ssh/id')
  assert.equal(pathFact('../x', undefined), 'sftp "$PWD"/x')
  assert.equal(pathFact('a/../../..', undefined), 'sftp "$PWD"')
  assert.equal(pathFact("/it's $x", undefined), `sftp '/it'\\''s $x'`)
})

test('a path is judged by where it leads as well; on a link itself by the folder it is in; where nobody says, by its name', async () => {
  const led: string[] = []
  const judge = scriptedJudge((message) => {
    if (message.kind === 'file') led.push(String(message.facts()['paths']))
    return ALLOW
  })
  const { client, sftp } = talk(TEXT, 1_000_000, judge)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.open, 1, '/a/link', 1, 0))
  await client(packet(TYPE.remove, 2, '/a/link'))
  // Ours is asked with the first id that is free.
  await client(packet(TYPE.stat, 0xffff_fffd, '/b'))
  sftp.leave()
  await client(packet(TYPE.stat, 4, '/c'))
  assert.deepEqual(led, ['sftp /a/link,sftp /home/ada', 'sftp /a/link,sftp /home/ada/link', 'sftp /b,sftp /home/ada', 'sftp /c'])
})

test('a folder that is renamed takes along what is in it: a rule on that is asked as well', async () => {
  const hit = shellTests({ file: ['~/.ssh/*', '*/kept/*'] })
  const hits: boolean[] = []
  const judge = scriptedJudge((message) => {
    if (message.kind === 'file') hits.push(hit.every((fits) => fits(message.facts())))
    return ALLOW
  })
  const { client } = talk(TEXT, 1_000_000, judge, 1_000)
  await client(packet(TYPE.init, 3))
  await client(packet(TYPE.rename, 1, '.ssh', 'x'))
  await client(packet(TYPE.extended, 2, 'posix-rename@openssh.com', '/files/kept/', '/files/x'))
  await client(packet(TYPE.rename, 3, '/files/plain', '/files/other'))
  await client(packet(TYPE.stat, 4, '/files/kept'))
  assert.deepEqual(hits, [true, true, false, false])
})

test('what leads above a home nobody knows is whatever it may be to a rule', () => {
  const hits = (file: string, path: string): boolean =>
    shellTests({ file }).every((test) => test({ paths: [pathFact(path, undefined)] }))
  assert.ok(hits('/etc/shadow', '../../etc/shadow'))
  assert.ok(hits('/etc/*', '../etc/passwd'))
  assert.ok(!hits('/etc/shadow', '../../etc/motd'))
  assert.ok(hits('/etc', '..'))
})
