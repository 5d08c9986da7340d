import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Connection } from 'ssh2'
import { Chatter } from '../../../../gateway/intake.ts'
import { Conversation } from '../../../../gateway/protocols/ssh/conversation.ts'
import { ForwardChannel } from '../../../../gateway/protocols/ssh/forward-channel.ts'
import { fromAgent } from '../../../../gateway/protocols/ssh/forward-ends.ts'
import { SshWire } from '../../../../gateway/protocols/ssh/wire.ts'
import { fakeGate, fakeParts } from '../../../support/fakes.ts'

function talkAlone() {
  const parts = fakeParts()
  const wire = new SshWire()
  const talk = new Conversation({
    connection: new EventEmitter() as Connection,
    gate: fakeGate(wire, parts),
    wire,
    signal: new AbortController().signal,
    upstream: new Promise(() => undefined),
    chatter: new Chatter(),
  })
  return { parts, talk }
}

test('a target that takes nothing any more is closed when its client has left, and the tape says what did not go', {
  timeout: 40_000,
}, async () => {
  const { parts, talk } = talkAlone()
  const client = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const server = new Duplex({ read: () => undefined, write: () => undefined })
  const said = Buffer.alloc(200_000, 'a line\n')
  client.push(said)
  client.push(null)
  client.once('end', () => client.destroy())
  const forward = new ForwardChannel(talk, 1)
  talk.add(1, forward)
  await forward.serve({ client: fromAgent(client), server: fromAgent(server) }, undefined)
  assert.ok(server.destroyed)
  const told = parts.recorder.entries.filter(({ kind }) => kind === 'undelivered').map(({ facts }) => facts['size'])
  assert.deepEqual(told, [said.length])
})

test('of a forward whose session is over the tape says what did not go, and nothing of that goes later', async () => {
  const { parts, talk } = talkAlone()
  let take = (): void => undefined
  const taken: Buffer[] = []
  const client = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const server = new Duplex({
    read: () => undefined,
    write(chunk, _encoding, done) {
      taken.push(chunk)
      take = done
    },
  })
  const forward = new ForwardChannel(talk, 1)
  talk.add(1, forward)
  const served = forward.serve({ client: fromAgent(client), server: fromAgent(server) }, undefined)
  client.push('the first line\n')
  while (taken.length === 0) await wait(5)
  client.push('the second line\n')
  const recorded = (): number => parts.recorder.entries.filter(({ kind }) => kind === 'forward-input').length
  while (recorded() < 2) await wait(5)
  await forward.settled()
  const told = parts.recorder.entries.filter(({ kind }) => kind === 'undelivered').map(({ facts }) => facts['size'])
  assert.deepEqual(told, ['the first line\nthe second line\n'.length])
  take()
  client.destroy()
  await served
  assert.equal(Buffer.concat(taken).toString(), 'the first line\n')
})

test('a client that is slow has all that the target said before it closed, to the last word of it', {
  timeout: 30_000,
}, async () => {
  const { parts, talk } = talkAlone()
  let got = ''
  const client = new Duplex({
    read: () => undefined,
    // The first of it takes longer than whoever has closed is waited for.
    write(chunk, _encoding, done) {
      setTimeout(done, got === '' ? 1_500 : 0)
      got += chunk.toString()
    },
  })
  // More than an end may have before its writer waits; the last of it may be the beginning of more.
  const pieces = ['a line of it\n'.repeat(16_000), 'a line of it\n'.repeat(8_000), 'the-last-word']
  const server = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  for (const piece of [...pieces, null]) server.push(piece)
  server.once('end', () => server.destroy())
  const forward = new ForwardChannel(talk, 1)
  talk.add(1, forward)
  await forward.serve({ client: fromAgent(client), server: fromAgent(server) }, undefined)
  const taped = parts.recorder.entries.filter(({ kind }) => kind === 'forward-output').map(({ body }) => Buffer.from(body ?? []))
  assert.equal(Buffer.concat(taped).toString(), pieces.join(''))
  assert.equal(got, pieces.join(''))
})

test('a client whose stream breaks is gone, and what broke it is heard once: by who serves it', { timeout: 30_000 }, async () => {
  const { talk } = talkAlone()
  const client = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const server = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const unheard: unknown[] = []
  const hear = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  try {
    const forward = new ForwardChannel(talk, 1)
    talk.add(1, forward)
    const broken = new Error('broken')
    const served = forward.serve({ client: fromAgent(client), server: fromAgent(server) }, undefined)
    const failed = assert.rejects(served, broken)
    client.destroy(broken)
    await failed
    await forward.gone
    await new Promise(setImmediate)
    assert.deepEqual(unheard, [])
  } finally {
    process.off('unhandledRejection', hear)
  }
})
