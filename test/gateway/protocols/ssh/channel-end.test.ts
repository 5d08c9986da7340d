import assert from 'node:assert/strict'
import { Duplex, PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ChannelEnd } from '../../../../gateway/protocols/ssh/channel-end.ts'

const SAID = Promise.resolve()

/** An end that has taken each write once `take` has resolved. */
function end(take: () => Promise<void>): ChannelEnd<Duplex> {
  return new ChannelEnd(
    new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => void take().then(() => done()),
    }),
  )
}

test('an end that still takes something is waited for, however long all of it needs', async () => {
  const slow = end(() => wait(60))
  for (let count = 0; count < 10; count++) slow.write('data', Buffer.from('a line\n'))
  await slow.finish(SAID, 200)
  assert.equal(slow.unsent, 0)
})

test('an end that takes nothing is given up, and knows how much did not go', async () => {
  let turn = 0
  const stuck = end(() => (turn++ < 2 ? Promise.resolve() : new Promise(() => undefined)))
  for (let count = 0; count < 10; count++) stuck.write('data', Buffer.from('a line\n'))
  await stuck.finish(SAID, 20)
  stuck.write('data', Buffer.from('more'))
  assert.equal(stuck.unsent, 8 * 7 + 4)
  assert.equal(stuck.room(), undefined)
})

test('what is said in the end is waited for, too', async () => {
  const slow = end(() => wait(5))
  let said = false
  const saying = wait(30).then(() => {
    slow.write('data', Buffer.from('the last of it'))
    slow.after(() => {
      said = true
    })
  })
  await slow.finish(saying, 5_000)
  assert.ok(said)
  assert.equal(slow.unsent, 0)
})

test('what has gone has gone, whatever the library tells of it later; what was told is told once', async () => {
  const channel = new Duplex({ read: () => undefined, write: () => undefined })
  const windowed = new ChannelEnd<Duplex>(channel)
  windowed.write('data', Buffer.alloc(1_000))
  Object.assign(channel, { _waitWindow: true, _chunk: Buffer.alloc(300) })
  assert.equal(windowed.unsent, 300)
  Object.assign(channel, { _waitWindow: false, _chunk: undefined })
  assert.equal(windowed.tellUnsent(), 300)
  windowed.write('data', Buffer.alloc(50))
  assert.equal(windowed.tellUnsent(), 50)
  assert.equal(windowed.tellUnsent(), 0)
})

for (const over of ['already', 'while it is waited for'])
  test(`an end that is over is not waited for: ${over}`, { timeout: 5_000 }, async () => {
    const channel = new PassThrough()
    const gone = new ChannelEnd<Duplex>(channel)
    gone.write('data', Buffer.alloc(2 ** 20))
    if (over === 'already') gone.end()
    const finished = gone.finish(new Promise(() => undefined), 600_000)
    channel.destroy()
    await finished
  })
