import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex, PassThrough } from 'node:stream'
import { test } from 'node:test'
import { Chatter, Intake } from '../../gateway/intake.ts'

test('bytes are pulled in the order they came, and null means the end', async () => {
  const socket = new PassThrough()
  const intake = new Intake(socket)
  socket.write('one')
  socket.end('two')
  let read = ''
  for (let chunk = await intake.next(); chunk !== null; chunk = await intake.next()) read += Buffer.from(chunk).toString()
  assert.equal(read, 'onetwo')
  assert.equal(intake.left.aborted, true)
})

test('the far end’s leaving is noticed while nobody pulls', async () => {
  const socket = new PassThrough()
  const intake = new Intake(socket)
  socket.end('unread')
  await once(intake.left, 'abort')
  assert.equal(Buffer.from((await intake.next()) ?? []).toString(), 'unread')
  assert.equal(await intake.next(), null)
})

test('what is read ahead is bounded, and reading goes on once it is pulled', async () => {
  let produced = 0
  const socket = new Duplex({
    read() {
      if (produced < 64) this.push(Buffer.alloc(16 * 1024, produced++))
      else this.push(null)
    },
    write: (_, __, done) => done(),
  })
  const intake = new Intake(socket)
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(produced < 32, `${produced} chunks were read though nobody pulled`)
  let size = 0
  for (let chunk = await intake.next(); chunk !== null; chunk = await intake.next()) size += chunk.length
  assert.equal(size, 64 * 16 * 1024)
})

test('closing gives back what was read and not pulled', async () => {
  const socket = new PassThrough()
  const intake = new Intake(socket)
  socket.write('one')
  socket.write('two')
  await new Promise((resolve) => setImmediate(resolve))
  await intake.next()
  assert.equal(Buffer.from(intake.close()).toString(), 'two')
  socket.write('three')
  const second = new Intake(socket)
  assert.equal(Buffer.from((await second.next()) ?? []).toString(), 'three')
})

test('an error of the socket is the puller’s, and a late one harms nobody', async () => {
  const socket = new PassThrough()
  const intake = new Intake(socket)
  const pulled = intake.next()
  socket.destroy(new Error('reset'))
  await assert.rejects(pulled, /reset/)
  intake.close()
  socket.emit('error', new Error('again'))
})

test('a socket that was over before it was listened to is at its end', async () => {
  const socket = new PassThrough()
  socket.end()
  socket.resume()
  await once(socket, 'end')
  assert.equal(await new Intake(socket).next(), null)
})

test('a taker gets what comes as it comes, and nothing while it asks to be waited for', async () => {
  const socket = new PassThrough()
  const intake = new Intake(socket)
  const taken: string[] = []
  let go = (): void => undefined
  const flow = intake.flow({
    take(chunk) {
      taken.push(Buffer.from(chunk).toString())
      if (taken.length !== 2) return undefined
      return new Promise((resolve) => {
        go = resolve
      })
    },
    done: () => true,
  })
  for (const text of ['a', 'b', 'c']) {
    socket.write(text)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(taken, ['a', 'b'])
  socket.end('d')
  go()
  await flow
  assert.equal(taken.join(''), 'abcd')
})

test('what a taker throws or rejects with ends the flow', async () => {
  for (const fail of [
    () => {
      throw new Error('no')
    },
    () => Promise.reject(new Error('no')),
  ]) {
    const socket = new PassThrough()
    const flow = new Intake(socket).flow({ take: fail, done: () => true })
    await new Promise((resolve) => setImmediate(resolve))
    socket.write('x')
    await assert.rejects(flow, /no/)
  }
})

test('a socket in bulk takes long turns alone, and short ones while others say little things', async () => {
  let over = false
  const bulk = new Duplex({
    read() {
      this.push(over ? null : Buffer.alloc(8 * 1024))
    },
    write: (_, __, done) => done(),
  })
  const small = new PassThrough()
  const own = new PassThrough()
  const chatter = new Chatter()
  const turns: number[] = []
  let taken = 0
  const flows = [
    new Intake(bulk, chatter).flow({
      take(chunk) {
        taken += chunk.length
        return undefined
      },
      done: () => true,
    }),
    new Intake(small).flow({ take: () => undefined, done: () => true }),
    new Intake(own, chatter).flow({ take: () => undefined, done: () => true }),
  ]
  const turn = async (): Promise<void> => {
    taken = 0
    await new Promise((resolve) => setImmediate(resolve))
    turns.push(taken)
  }
  try {
    // The first turns tell it from a socket that says little.
    for (let count = 0; count < 8; count++) await turn()
    assert.ok(Math.max(...turns.splice(0).slice(4)) >= 128 * 1024)
    small.write('select 1')
    for (let count = 0; count < 8; count++) await turn()
    assert.ok(Math.max(...turns.splice(0).slice(4)) <= 32 * 1024)
    for (let count = 0; count < 600; count++) await turn()
    assert.ok(Math.max(...turns.splice(0).slice(-8)) >= 128 * 1024)
    // Of its own conversation: the other direction asks for more of the same.
    own.write('read')
    for (let count = 0; count < 8; count++) await turn()
    assert.ok(Math.max(...turns.splice(0)) >= 128 * 1024)
  } finally {
    over = true
    small.end()
    own.end()
    await Promise.all(flows)
  }
})
