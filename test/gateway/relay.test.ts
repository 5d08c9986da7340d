import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Gate } from '../../gateway/gate.ts'
import { EchoWire, echoFrame, MAX_ECHO_BYTES } from '../../gateway/protocols/echo/wire.ts'
import { relay, send } from '../../gateway/relay.ts'
import type { Refusal } from '../../schemas/verdict.ts'
import { ALLOW, type FakeParts, fakeParts, HOLD, scriptedJudge } from '../support/fakes.ts'

/** Two connected sockets of this machine; both let the far end close its half first. */
async function pair(): Promise<readonly [near: Socket, far: Socket]> {
  const server = createServer({ allowHalfOpen: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }) // it listens on TCP
  const [far] = (await once(server, 'connection')) as [Socket] // the event's one argument
  await once(near, 'connect')
  server.close()
  return [near, far]
}

interface Rig extends AsyncDisposable {
  readonly client: Socket
  readonly server: Socket
  readonly ended: Promise<string>
  readonly end: (refusal: Refusal) => void
}

async function rig(parts: FakeParts): Promise<Rig> {
  const [client, ours] = await pair()
  const [theirs, server] = await pair()
  const stop = new AbortController()
  const wire = new EchoWire()
  const ended = relay({ client: ours, server: theirs }, wire, new Gate(parts, wire), stop.signal)
  for (const socket of [client, server]) socket.on('error', () => undefined)
  return {
    client,
    server,
    ended,
    end: (refusal) => stop.abort(refusal),
    [Symbol.asyncDispose]: async () => {
      client.destroy()
      server.destroy()
      await ended
    },
  }
}

/** Reads frames until `count` have come or the socket ends. */
async function frames(socket: Socket, count: number): Promise<string[]> {
  const wire = new EchoWire()
  const texts: string[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    for (const message of wire.receive('server', chunk)) texts.push(`${message.channel}: ${message.command?.()}`)
    if (texts.length >= count) break
  }
  return texts
}

const holding = (): FakeParts =>
  fakeParts({ judge: scriptedJudge((message) => (message.command?.().startsWith('please') ? HOLD : ALLOW)) })

test('while channel 1 is held channel 2 goes on', async () => {
  const parts = holding()
  await using talk = await rig(parts)
  talk.client.write(Buffer.concat([echoFrame(1, 'please'), echoFrame(2, 'hello')]))
  assert.deepEqual(await frames(talk.server, 1), ['2: hello'])
  parts.approvals.decide('A-00000000', 'approved')
  assert.deepEqual(await frames(talk.server, 1), ['1: please'])
})

test('a client that leaves withdraws what it asked for', async () => {
  const parts = holding()
  await using talk = await rig(parts)
  talk.client.write(echoFrame(1, 'please'))
  await frames(talk.client, 1)
  const withdrawn = new Promise<string>((resolve) => {
    parts.approvals.withdraw = async (id) => resolve(id)
  })
  talk.client.destroy()
  assert.equal(await withdrawn, 'A-00000000')
})

test('a client that has said all it had to say still gets its answers', async () => {
  await using talk = await rig(fakeParts())
  talk.client.end(echoFrame(1, 'last'))
  assert.deepEqual(await frames(talk.server, 2), ['1: last'])
  const answers = Array.from({ length: 50 }, (_, index) => echoFrame(1, `${index} ${'x'.repeat(50_000)}`))
  talk.server.end(Buffer.concat(answers))
  assert.equal((await frames(talk.client, 51)).length, 50, 'the last byte too, though both have closed')
  assert.equal(await talk.ended, 'closed')
})

test('a server that ends ends the session, and what is held for it', async () => {
  const parts = holding()
  await using talk = await rig(parts)
  talk.client.write(echoFrame(1, 'please'))
  await frames(talk.client, 1)
  talk.server.end(echoFrame(2, 'bye'))
  const heard = await frames(talk.client, 3)
  assert.ok(heard.includes('2: bye'))
  assert.equal(await talk.ended, 'closed')
  assert.deepEqual(parts.approvals.withdrawn, ['A-00000000'])
})

test('a client that never reads keeps the server from sending more than a bounded amount', async () => {
  await using talk = await rig(fakeParts())
  talk.client.pause()
  const frame = echoFrame(1, 'x'.repeat(60_000))
  let stalled = false
  for (let count = 0; count < 2_000 && !stalled; count++) {
    if (talk.server.write(frame)) continue
    stalled = !(await Promise.race([
      once(talk.server, 'drain').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, false)),
    ]))
  }
  assert.ok(stalled, '120 MB were taken for a client that reads nothing')
})

test('bytes that are no messages end the session with a word about it', async () => {
  await using talk = await rig(fakeParts())
  const oversize = Buffer.from(echoFrame(1, ''))
  oversize.writeUInt32BE(MAX_ECHO_BYTES + 1, 1)
  talk.client.write(oversize)
  assert.match((await frames(talk.client, 1))[0] ?? '', /PROTOCOL_OVERSIZE/)
  assert.match(await talk.ended, /PROTOCOL_OVERSIZE/)
})

test('a recorder that fails ends the session with a word about it, and nothing else gets through', async () => {
  const parts = fakeParts()
  await using talk = await rig(parts)
  parts.recorder.break()
  talk.client.write(echoFrame(1, 'unrecorded'))
  assert.deepEqual(await frames(talk.client, 2), ['0: ! RECORDER_FAILED: the disk is full'])
  assert.deepEqual(await frames(talk.server, 1), [])
  assert.equal(parts.recorder.sealed, 'recording.failed')
})

test('an operator ends the session in its own words, and nothing passes behind them', async () => {
  const parts = fakeParts()
  await using talk = await rig(parts)
  talk.client.write(echoFrame(1, 'hello'))
  await frames(talk.server, 1)
  talk.end({ why: 'withdrawn', message: 'ended by an operator', rules: [] })
  talk.server.write(echoFrame(1, 'late'))
  assert.deepEqual(await frames(talk.client, 2), ['0: ! ended by an operator'])
  assert.match(await talk.ended, /ended by an operator/)
})

test('the last words do not wait for a store that is away, and what waits for it is released to nobody behind them', async () => {
  const parts = fakeParts()
  await using talk = await rig(parts)
  talk.client.write(echoFrame(1, 'hello'))
  await frames(talk.server, 1)
  parts.recorder.pause()
  talk.client.write(echoFrame(1, 'unrecorded'))
  talk.server.write(echoFrame(1, 'neither'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  talk.end({ why: 'withdrawn', message: 'ended by an operator', rules: [] })
  assert.deepEqual(await frames(talk.client, 2), ['0: ! ended by an operator'])
  parts.recorder.resume()
  assert.match(await talk.ended, /ended by an operator/)
  assert.deepEqual(await frames(talk.server, 1), [])
})

test('a client that reads nothing is cut; sooner where it was shut out than where the gateway stops', {
  timeout: 120_000,
}, async () => {
  const deaf = async () => {
    const talk = await rig(fakeParts())
    talk.client.pause()
    const flood = echoFrame(1, 'x'.repeat(60_000))
    talk.server.on('error', () => undefined)
    // Until neither the sockets nor the relay take any more.
    for (let taken = true; taken; ) {
      if (talk.server.write(flood)) continue
      const drained = once(talk.server, 'drain').then(() => true)
      taken = await Promise.race([drained, new Promise<boolean>((resolve) => setTimeout(resolve, 300, false))])
    }
    return talk
  }
  await using stopped = await deaf()
  await using shutOut = await deaf()
  const order: string[] = []
  const both = Promise.all([stopped, shutOut].map(async (talk) => order.push((await talk.ended).split(':')[0] ?? '')))
  stopped.end({ why: 'shutdown', message: 'the gateway is shutting down', rules: [] })
  shutOut.end({ why: 'withdrawn', message: 'this session ends: its key is revoked', rules: [] })
  await both
  assert.deepEqual(order, ['withdrawn', 'shutdown'])
})

test('a peer that resets the connection is no error of ours', async () => {
  const talk = await rig(fakeParts())
  talk.client.resetAndDestroy()
  assert.match(await talk.ended, /closed|peer:/)
  talk.server.destroy()
})

test('outputs are written in their order to each end', async () => {
  const [near, far] = await pair()
  const [other, end] = await pair()
  await send(
    { client: near, server: other },
    [
      { to: 'client', bytes: echoFrame(1, 'a') },
      { to: 'server', bytes: echoFrame(1, 'b') },
      { to: 'client', bytes: echoFrame(1, 'c') },
    ],
    new AbortController().signal,
  )
  assert.deepEqual(await frames(far, 2), ['1: a', '1: c'])
  assert.deepEqual(await frames(end, 1), ['1: b'])
  for (const socket of [near, far, other, end]) socket.destroy()
})

test('the last words arrive although the client had more to say, and reads late: closing over unread bytes would reset the connection', async () => {
  await using talk = await rig(fakeParts())
  talk.client.pause()
  // More than the sockets hold, towards a client that does not read; and the client goes on talking.
  const flood = echoFrame(1, 'x'.repeat(50_000))
  while (talk.server.write(flood));
  const more = setInterval(() => talk.client.write(flood), 1)
  talk.client.on('error', () => clearInterval(more))
  await once(talk.server, 'data')
  talk.end({ why: 'withdrawn', message: 'ended by Grace', rules: [] })
  await Promise.race([talk.ended, new Promise((resolve) => setTimeout(resolve, 300))])
  const wire = new EchoWire()
  const heard: string[] = []
  talk.client.on('data', (chunk) => {
    for (const message of wire.receive('server', chunk)) heard.push(String(message.command?.()))
  })
  await new Promise((resolve) => talk.client.once('end', resolve).once('close', resolve).resume())
  clearInterval(more)
  assert.match(heard.at(-1) ?? '', /ended by Grace/)
})
