import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { guardRequests, MAX_UNTAKEN_SIZE } from '../../../../gateway/protocols/ssh/request-guard.ts'

/** A connection whose socket takes nothing. */
function connection() {
  const socket = Object.assign(new EventEmitter(), {
    writableLength: 0,
    reading: true,
    pause: () => Object.assign(socket, { reading: false }),
    resume: () => Object.assign(socket, { reading: true }),
  })
  const protocol = {
    _handlers: { GLOBAL_REQUEST: () => protocol._onWrite(Buffer.alloc(52)) },
    _onWrite: (data: Uint8Array) => {
      socket.writableLength += data.length
    },
    requestSuccess: () => undefined,
    requestFailure: () => undefined,
    disconnect: () => undefined,
  }
  guardRequests({ _protocol: protocol }, Object(socket))
  return { socket, protocol }
}

test('from whoever takes no answers nothing more is read, until they are taken', () => {
  const { socket, protocol } = connection()
  const ask: (self: unknown, name: string, wantReply: boolean) => void = protocol._handlers.GLOBAL_REQUEST
  let asked = 0
  for (; socket.reading && asked < 1_000_000; asked++) ask(protocol, 'keepalive@openssh.com', false)
  assert.ok(asked < MAX_UNTAKEN_SIZE / 52 + 2, String(asked))
  socket.writableLength = 0
  socket.emit('drain')
  assert.ok(socket.reading)
})

test('an answer makes room for a question', () => {
  const { protocol } = connection()
  const ask: (self: unknown, name: string, wantReply: boolean) => void = protocol._handlers.GLOBAL_REQUEST
  for (let count = 0; count < 10_000; count++) {
    ask(protocol, 'keepalive@openssh.com', true)
    protocol.requestFailure()
  }
  assert.throws(() => {
    for (let count = 0; count < 10_000; count++) ask(protocol, 'keepalive@openssh.com', true)
  })
})
