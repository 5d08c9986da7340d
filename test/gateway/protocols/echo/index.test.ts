import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { Gate } from '../../../../gateway/gate.ts'
import type { Knock, Session, Sessions } from '../../../../gateway/protocol.ts'
import { echo } from '../../../../gateway/protocols/echo/index.ts'
import { EchoWire, echoFrame } from '../../../../gateway/protocols/echo/wire.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { fakeParts } from '../../../support/fakes.ts'

/** A session in front of a server that echoes; `knocks` keeps who came. */
async function parrot(): Promise<{ readonly sessions: Sessions; readonly knocks: Knock[] } & AsyncDisposable> {
  const server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const knocks: Knock[] = []
  const session: Partial<Session> = {
    target: { name: 'parrot', protocol: 'echo', host: '127.0.0.1', port, labels: {} },
    signal: new AbortController().signal,
    gate: (wire) => new Gate(fakeParts(), wire),
    closing: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const open = async (knock: Knock): Promise<Session> => {
    knocks.push(knock)
    if (knock.secret !== 'sesame') throw new ApplianceError('AUTH_DENIED', 'no such key')
    return session as Session // what serve uses of it
  }
  const sessions = { open } as Partial<Sessions> as Sessions // likewise
  return { sessions, knocks, [Symbol.asyncDispose]: async () => void server.close() }
}

async function talk(sessions: Sessions, ...chunks: readonly Uint8Array[]): Promise<string[]> {
  const [client, ours] = duplexPair()
  const served = echo.serve(ours, sessions, new AbortController().signal)
  for (const chunk of chunks) client.write(chunk)
  const wire = new EchoWire()
  const texts: string[] = []
  for await (const chunk of client) {
    for (const message of wire.receive('server', chunk)) texts.push(`${message.channel}: ${message.command?.()}`)
    if (texts.length === chunks.length) client.end()
  }
  await served
  return texts
}

test('what came behind the knock is echoed, whole frames and halves, in their order', async () => {
  await using rig = await parrot()
  const second = echoFrame(2, 'second')
  const first = Buffer.concat([echoFrame(0, 'parrot sesame'), echoFrame(1, 'first'), second.subarray(0, 4)])
  assert.deepEqual(await talk(rig.sessions, first, second.subarray(4)), ['1: first', '2: second'])
  assert.deepEqual(
    rig.knocks.map(({ target, secret }) => [target, secret]),
    [['parrot', 'sesame']],
  )
})

test('who is not let in is told why, and nothing is sent to the target', async () => {
  await using rig = await parrot()
  assert.deepEqual(await talk(rig.sessions, echoFrame(0, 'parrot wrong')), ['0: ! AUTH_DENIED: no such key'])
})
