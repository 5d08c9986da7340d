import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { ServerChannel } from 'ssh2'
import { sendSignal, sendSize } from '../../../../gateway/protocols/ssh/late-requests.ts'
import { Packets, packet, STATUS, statusPacket, TYPE, typeOf } from '../../../../gateway/protocols/ssh/sftp/packets.ts'
import { ALLOW, BLOCK, HOLD, scriptedJudge } from '../../../support/fakes.ts'
import { begun, startSshTalk } from '../../../support/ssh-talk.ts'

const LIMIT = { timeout: 30_000 }
/** More than the windows on the way take. */
const SIZE = 4 * 1024 * 1024

/** What a client says who writes all of it, and closes. */
async function writes(channel: NodeJS.WritableStream & { close(): void }): Promise<void> {
  await new Promise((written) => channel.write(Buffer.alloc(SIZE, 'what is said '), written))
  channel.end()
  channel.close()
}

test(
  'a program that reads nothing for longer than a terminal may, and then goes on, has all that was said before its client closed',
  LIMIT,
  async () => {
    const { promise, resolve } = Promise.withResolvers<ServerChannel>()
    await using talk = await startSshTalk((session) => void begun(session).then(resolve))
    const client = await talk.exec()
    const program = await promise
    let got = 0
    await writes(client)
    await wait(1_500)
    program.on('data', (bytes: Buffer) => {
      got += bytes.length
    })
    await once(program, 'close')
    assert.equal(got, SIZE)
    assert.deepEqual(talk.taped('undelivered'), [])
  },
)

test('a terminal that takes nothing is hung up on soon, and the tape says how much did not go', LIMIT, async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec({ pty: true })
  const program = await promise
  await writes(client)
  for (const until = Date.now() + 10_000; talk.taped('undelivered').length === 0 && Date.now() < until; ) await wait(20)
  const recorded = talk.taped('terminal-input').reduce((size, { body }) => size + (body?.length ?? 0), 0)
  assert.deepEqual(
    talk.taped('undelivered').map(({ dir, facts }) => ({ dir, size: facts['size'] })),
    [{ dir: 'in', size: recorded - program.readableLength }],
  )
  program.resume()
  await once(program, 'close')
})

/** A target that lets a command begin once it is told to; `asked`: it has been asked. */
async function lateTarget(parts: Parameters<typeof startSshTalk>[1] = {}) {
  const asked = Promise.withResolvers<void>()
  const signals: string[] = []
  let accept: (() => ServerChannel) | undefined
  const talk = await startSshTalk((session) => {
    session.on('signal', (_accept, _reject, { name }) => void signals.push(name))
    session.once('exec', (accepts) => {
      accept ??= accepts
      asked.resolve()
    })
  }, parts)
  const begin = (): ServerChannel => {
    assert.ok(accept !== undefined)
    return accept()
  }
  return { talk, asked: asked.promise, begin, signals }
}

test('a command that begins after its client has closed has what was said before, and is hung up on', LIMIT, async () => {
  const { talk, asked, begin } = await lateTarget()
  await using _ = talk
  const client = await talk.exec()
  client.write('what is said')
  await asked
  client.close()
  await once(client.resume(), 'close')
  const program = begin()
  let got = ''
  program.on('data', (bytes: Buffer) => {
    got += bytes.toString()
  })
  await once(program, 'close')
  assert.equal(got, 'what is said')
})

test(
  'a signal that comes while the target is being asked goes to the command, and takes no hold from what follows',
  LIMIT,
  async () => {
    const judge = scriptedJudge(({ kind }) => (kind === 'stdin' ? HOLD : ALLOW))
    const { talk, asked, begin, signals } = await lateTarget({ judge })
    await using _ = talk
    const client = await talk.exec()
    await asked
    client.signal('INT')
    client.signal('TERM')
    // Answered behind them.
    await talk.exec()
    const program = begin()
    while (signals.length < 2) await wait(5)
    assert.deepEqual(signals, ['INT', 'TERM'])
    client.write('may I?\n')
    const { approvals } = talk.parts
    while (approvals.asked.length === 0) await wait(5)
    let got = ''
    program.on('data', (bytes: Buffer) => {
      got += bytes.toString()
    })
    approvals.decide('A-00000000', 'approved')
    while (got === '' && approvals.withdrawn.length === 0) await wait(5)
    assert.equal(got, 'may I?\n')
    program.exit(0)
    program.end()
  },
)

test('a command that is interrupted before it is asked for is not, and its client is told', LIMIT, async () => {
  const { talk } = await lateTarget()
  await using _ = talk
  const { recorder } = talk.parts
  recorder.pause()
  const client = await talk.exec()
  client.signal('INT')
  // Answered behind it.
  await talk.exec()
  recorder.resume()
  let said = ''
  client.stderr.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  const [status] = await once(client.resume(), 'close')
  assert.equal(said, 'sallyport: interrupted before it began\n')
  assert.equal(status, 255)
})

test('what a program says to a client that has closed is not recorded as said', LIMIT, async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec()
  const program = await promise
  program.write('in time\n')
  await once(client, 'data')
  await writes(client)
  await once(client.resume(), 'close')
  program.write('too late\n')
  program.stderr.write('too late\n')
  await wait(100)
  program.resume()
  await once(program, 'close')
  const said = [...talk.taped('stdout'), ...talk.taped('stderr')].map(({ body }) => Buffer.from(body ?? []).toString())
  assert.deepEqual(said, ['in time\n'])
})

for (const [what, keys] of [
  ['typed', 'rm -rf /etc'],
  ['recalled from the history', '\x1b[A'],
] as const)
  test(`a line whose client closes right behind it is judged as it is shown: ${what}`, LIMIT, async () => {
    const judge = scriptedJudge((message) =>
      message.kind === 'line' && String(message.facts()['command']).includes('rm -rf') ? BLOCK : ALLOW,
    )
    const { promise, resolve } = Promise.withResolvers<ServerChannel>()
    await using talk = await startSshTalk((session) => void begun(session).then(resolve), { judge })
    const client = await talk.exec({ pty: true })
    const shell = await promise
    const prompt = 'ada@web:~$ '
    let got = ''
    shell.on('data', (bytes: Buffer) => {
      got += bytes.toString()
      const shown = bytes.toString().replace('\x1b[A', 'rm -rf /etc').replace('\r', `\r\n${prompt}`)
      setTimeout(() => shell.writable && shell.write(shown), 5)
    })
    shell.write(prompt)
    await once(client.resume(), 'data')
    client.write('ls\r')
    while (!got.endsWith('\r')) await wait(5)
    await wait(100)
    got = ''
    client.write(`${keys}\r`)
    client.close()
    await once(shell, 'close')
    assert.doesNotMatch(got, /\r/)
    assert.deepEqual(
      talk.taped('line').map(({ verdict }) => verdict?.act ?? 'allow'),
      ['allow', 'block'],
    )
  })

test('a block of a file that was asked for by a client that has closed is not recorded as given', LIMIT, async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec({}, '/usr/lib/openssh/sftp-server')
  const server = await promise
  const packets = new Packets()
  let readId = 0
  server.on('data', (bytes: Buffer) => {
    for (const asked of packets.take(bytes)) {
      const id = asked.length > 8 ? asked.readUInt32BE(5) : 0
      if (typeOf(asked) === TYPE.init) server.write(packet(TYPE.version, 3))
      else if (typeOf(asked) === TYPE.realpath) server.write(packet(TYPE.name, id, 1, '/home/ada/x', 'x', 0))
      else if (typeOf(asked) === TYPE.open) server.write(packet(TYPE.handle, id, 'h'))
      else if (typeOf(asked) === TYPE.extended) server.write(statusPacket(id, STATUS.unsupported, 'no'))
      else if (typeOf(asked) === TYPE.read) {
        readId = id
        server.pause()
      }
    }
  })
  const answers = new Packets()
  const answered = async (asked: Buffer): Promise<Buffer> => {
    client.write(asked)
    for (;;) {
      const [bytes] = await once(client, 'data')
      const [answer] = answers.take(bytes)
      if (answer !== undefined) return Buffer.from(answer)
    }
  }
  await answered(packet(TYPE.init, 3))
  const handle = (await answered(packet(TYPE.open, 1, '/x', 3, 0))).subarray(13)
  client.write(packet(TYPE.read, 2, handle, 0n, 1_000))
  while (readId === 0) await wait(5)
  // More than the windows take, so that the target is still waited for.
  const blocks = Array.from({ length: 120 }, (_, at) =>
    packet(TYPE.write, 10 + at, handle, BigInt(at * 32_768), Buffer.alloc(32_768, 'z ')),
  )
  await new Promise((written) => client.write(Buffer.concat(blocks), written))
  client.close()
  await once(client.resume(), 'close')
  server.write(packet(TYPE.data, readId, Buffer.alloc(1_512, 'what it holds ')))
  server.stderr.write('too late\n')
  await wait(200)
  server.resume()
  await once(server, 'close')
  assert.ok(talk.taped('file-upload').length + talk.taped('file-request').length > 0)
  assert.deepEqual([...talk.taped('file-download'), ...talk.taped('stderr')], [])
})

test('of a session that is over the tape says what its target did not take', LIMIT, async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  const talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec()
  const program = await promise
  await new Promise((written) => client.write(Buffer.alloc(SIZE, 'what is said '), written))
  const recorded = (): number => talk.taped('stdin').reduce((size, { body }) => size + (body?.length ?? 0), 0)
  // Until everybody on the way has as much as it may.
  for (let before = -1; recorded() > before; await wait(200)) before = recorded()
  await talk[Symbol.asyncDispose]()
  assert.deepEqual(
    talk.taped('undelivered').map(({ facts }) => facts['size']),
    [recorded() - program.readableLength],
  )
})

test('a program whose input is over still has its signals, and its screen still its size', LIMIT, async () => {
  const heard: string[] = []
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => {
    session.on('signal', (accept, _, { name }) => {
      heard.push(name)
      accept?.()
    })
    session.on('window-change', (accept, _, { cols }) => {
      heard.push(`${cols} columns`)
      accept?.()
    })
    void begun(session).then(resolve)
  })
  const client = await talk.exec({ pty: true })
  const program = await promise
  program.resume()
  client.end()
  await once(program, 'end')
  sendSignal(client, 'TERM')
  sendSize(client, { cols: 132, rows: 40, width: 0, height: 0 })
  for (const until = Date.now() + 10_000; heard.length < 2 && Date.now() < until; ) await wait(20)
  assert.deepEqual(heard, ['TERM', '132 columns'])
  program.exit(0)
  program.end()
})

test('a program that is over in the breath it begins in has its exit status told', LIMIT, async () => {
  await using talk = await startSshTalk((session) => {
    session.once('exec', (accept) => {
      const program = accept()
      program.write('said')
      program.exit(7)
      program.end()
    })
  })
  for (let at = 0; at < 20; at++) {
    const client = await talk.exec()
    const exit = once(client, 'exit')
    client.resume()
    await once(client, 'close')
    assert.deepEqual(await Promise.race([exit, Promise.resolve('none')]), [7], `command ${at}`)
  }
})
