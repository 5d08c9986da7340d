import assert from 'node:assert/strict'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { PLAIN } from '../../../../gateway/protocols/http/dialect.ts'
import { tunnel } from '../../../../gateway/protocols/http/tunnel.ts'
import type { TunnelCodec, TunnelMessage } from '../../../../gateway/protocols/http/tunnel-message.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../../../../gateway/protocols/http/websocket.ts'
import { HttpWire } from '../../../../gateway/protocols/http/wire.ts'
import { ChannelSocket } from '../../../../gateway/protocols/kubernetes/channel-socket.ts'
import { ExecStreams } from '../../../../gateway/protocols/kubernetes/exec-streams.ts'
import { type FakeParts, fakeGate, fakeParts } from '../../../support/fakes.ts'

const NOBODY = new AbortController().signal
const MAIL = ['lovelace', 'example.org'].join('@')
const INPUTS = [
  'rm$IFS-rf$IFS/srv/data',
  `mail ${MAIL} and\x1b[31m ${MAIL.slice(0, 5)}\x1b[0m${MAIL.slice(5)}`,
  `a\nbb ${'x'.repeat(1_500)} 4111 1111 1111 1111 \x1b[`,
  `${'\0\x01\x02\xff'.repeat(300)}${MAIL}`,
]

const taped = ({ recorder }: FakeParts): Buffer => Buffer.concat(recorder.entries.map(({ body }) => Buffer.from(body ?? [])))
const stdin = (text: Uint8Array): Uint8Array =>
  encodeFrame('server', { opcode: OPCODES.binary, payload: Buffer.concat([Buffer.from([0]), text]) })

/** A tunnel with a client and a server at its ends. */
function talk(codec: TunnelCodec) {
  const parts = fakeParts()
  const [client, clientEnd] = duplexPair()
  const [server, serverEnd] = duplexPair()
  const session = new AbortController()
  const gate = fakeGate(new HttpWire(PLAIN), parts)
  const over = tunnel({ ends: { client: clientEnd, server: serverEnd }, codec, gate, channel: 1, session: session.signal })
  return { parts, client, server, session, over }
}

for (const name of ['stdin', 'data'] as const)
  test(`whenever its sender leaves, the target has nothing of what it sent that the tape has not: ${name}`, async () => {
    for (const text of INPUTS)
      for (const size of [1, 7, 100, 700]) {
        const parts = fakeParts()
        const gate = fakeGate(new HttpWire(PLAIN), parts)
        const streams = new ExecStreams({ channel: 1, terminal: false, farewell: () => new Uint8Array() })
        const sent = Buffer.from(text, 'latin1')
        let got = Buffer.alloc(0)
        const pass = async (messages: readonly TunnelMessage[]): Promise<void> => {
          for await (const outputs of gate.pass(messages, NOBODY))
            got = Buffer.concat([got, ...outputs.map(({ bytes }) => bytes)])
          const tape = taped(parts)
          assert.ok(tape.length >= got.length, `${text}, ${size}: the target has ${got.length} bytes, the tape ${tape.length}`)
          assert.ok(got.equals(sent.subarray(0, got.length)))
        }
        const frame = (bytes: Uint8Array): Uint8Array => bytes
        for (let at = 0; at < sent.length; at += size) {
          const bytes = sent.subarray(at, at + size)
          await pass(streams.messages({ from: 'client', name, id: 1, bytes, last: false, frame }))
          if (at % 3 === 0) await pass(streams.rest('client'))
        }
        await pass(streams.messages({ from: 'client', name, id: 1, bytes: Buffer.alloc(0), last: true, frame }))
        assert.ok(got.equals(sent), 'all of it has gone')
      }
  })

test('what is kept back of keys is on the tape when the session is ended, and goes to the target before that', async () => {
  const { parts, client, server, session, over } = talk(new ChannelSocket({ channel: 1, terminal: true }))
  client.write(stdin(Buffer.from('rm$IFS-rf$IFS/srv/data')))
  const [bytes] = await once(server, 'data')
  const [message] = new WebSocketReader('client').receive(bytes)
  assert.equal(Buffer.from(message?.payload ?? []).toString(), '\0rm$IFS-rf$IFS/srv/data')
  session.abort()
  client.resume().end()
  await over
  assert.match(taped(parts).toString(), /^rm\$IFS-rf\$IFS\/srv\/data/)
})

test('what is kept back of stdin is nowhere when the session is ended', async () => {
  const { parts, client, server, session, over } = talk(new ChannelSocket({ channel: 1, terminal: false }))
  client.write(stdin(Buffer.from('echo rm$IFS-rf$IFS/srv/data')))
  const [bytes] = await once(server, 'data')
  const [message] = new WebSocketReader('client').receive(bytes)
  assert.equal(Buffer.from(message?.payload ?? []).toString(), '\0echo ')
  session.abort()
  client.resume().end()
  await over
  assert.match(taped(parts).toString(), /^echo (?!rm)/)
})

test('what one connection of a port-forward keeps back does not wait for another that never rests', async () => {
  const streams = new ExecStreams({ channel: 1, terminal: false, farewell: () => new Uint8Array() })
  // The first byte says whose the others are.
  const codec: TunnelCodec = {
    receive: (from, chunk) => {
      const [id = 0] = chunk
      const frame = (bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from([id]), bytes])
      return streams.messages({ from, name: 'data', id, bytes: chunk.subarray(1), last: false, frame })
    },
    rest: (from, idleMs) => streams.rest(from, idleMs),
    holds: (from) => streams.holds(from),
    farewell: () => new Uint8Array(),
  }
  const { client, server, session, over } = talk(codec)
  let got = ''
  server.on('data', (bytes: Buffer) => {
    if (bytes[0] === 2) got += bytes.subarray(1).toString()
  })
  client.resume()
  client.write('\x02user=ada')
  for (const until = Date.now() + 30_000; got === '' && Date.now() < until; await wait(5)) client.write('\x01SELECT 1;\n')
  assert.equal(got, 'user=ada')
  session.abort()
  await over.catch(() => undefined)
})

test('what is kept back goes on in its time, too, where a chunk takes longer to be read than that', async () => {
  const streams = new ExecStreams({ channel: 1, terminal: false, farewell: () => new Uint8Array() })
  const settled = Promise.withResolvers<void>()
  const codec: TunnelCodec = {
    receive: async (from, bytes) => {
      await settled.promise
      return streams.messages({
        from,
        name: 'data',
        id: 1,
        bytes: Buffer.from(bytes),
        last: false,
        frame: (released) => released,
      })
    },
    rest: (from, idleMs) => {
      if (from === 'client') settled.resolve()
      return streams.rest(from, idleMs)
    },
    holds: (from) => streams.holds(from),
    farewell: () => new Uint8Array(),
  }
  const { client, server, session, over } = talk(codec)
  let got = ''
  server.on('data', (bytes: Buffer) => {
    got += bytes.toString()
  })
  client.resume()
  client.write('user=ada')
  for (const until = Date.now() + 5_000; got === '' && Date.now() < until; ) await wait(5)
  assert.equal(got, 'user=ada')
  session.abort()
  await over.catch(() => undefined)
})
