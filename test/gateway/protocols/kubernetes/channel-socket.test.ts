import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame, OPCODES, WebSocketReader } from '../../../../gateway/protocols/http/websocket.ts'
import { ChannelSocket } from '../../../../gateway/protocols/kubernetes/channel-socket.ts'
import { testMasker } from '../../../support/fakes.ts'

const MAIL = `ann${String.fromCharCode(64)}example.org`
const message = (to: 'client' | 'server', bytes: readonly number[] | Buffer): Uint8Array =>
  encodeFrame(to, { opcode: OPCODES.binary, payload: Uint8Array.from(bytes) })

test('output is masked across messages, keeps its length, and is whole before the status', () => {
  const socket = new ChannelSocket({ channel: 1, terminal: false })
  const masker = testMasker()
  const status = { status: 'Failure', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }
  const parts = [
    Buffer.from(`\x01for ${MAIL.slice(0, 5)}`),
    Buffer.from(`\x01${MAIL.slice(5)}`),
    Buffer.from(`\x03${JSON.stringify(status)}`),
  ]
  const messages = parts.flatMap((part) => socket.receive('server', message('client', part)))
  const reader = new WebSocketReader('server')
  const written = messages.map((each) => [each.kind, each.framed(each.redacted(masker).bytes)] as const)
  const streams = written.flatMap(([, bytes]) => reader.receive(bytes)).map(({ payload }) => Buffer.from(payload).toString())
  const said = streams
    .filter((text) => text.startsWith('\x01'))
    .map((text) => text.slice(1))
    .join('')
  assert.equal(said, `for ${'*'.repeat(MAIL.length)}`)
  assert.ok(streams.at(-1)?.startsWith('\x03'), 'the status comes last')
  assert.deepEqual(messages.at(-1)?.facts(), { status: 7 })
})

test('what is no stream of its side ends the connection', () => {
  const bad: ['client' | 'server', readonly number[]][] = [
    ['client', [1, 65]],
    ['client', [3, 65]],
    ['client', [9]],
    ['client', []],
    ['client', [255]],
    ['client', [255, 9]],
    ['server', [0, 65]],
    ['server', [4, 65]],
  ]
  for (const [from, bytes] of bad) {
    const socket = new ChannelSocket({ channel: 1, terminal: false })
    const to = from === 'client' ? 'server' : 'client'
    assert.throws(() => socket.receive(from, message(to, bytes)), { code: 'PROTOCOL_MALFORMED' }, `${from} ${bytes}`)
  }
  const text = encodeFrame('server', { opcode: OPCODES.text, payload: Buffer.from('x') })
  assert.throws(() => new ChannelSocket({ channel: 1, terminal: false }).receive('client', text), { code: 'PROTOCOL_MALFORMED' })
})

test('what ends it is said where clients look for how it ended', () => {
  const socket = new ChannelSocket({ channel: 1, terminal: false })
  const [status, close] = new WebSocketReader('server').receive(socket.farewell({ message: 'over', rules: ['r1'] }))
  assert.equal(status?.payload[0], 3)
  assert.match(Buffer.from(status?.payload.subarray(1) ?? '').toString(), /"message":"sallyport: over \[r1\]"/)
  assert.equal(close?.opcode, OPCODES.close)
})
