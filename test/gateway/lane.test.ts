import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from '../../gateway/gate.ts'
import { Lanes } from '../../gateway/lane.ts'
import type { Message } from '../../gateway/message.ts'
import { EchoWire, echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { ALLOW, type FakeParts, fakeParts, HOLD, scriptedJudge } from '../support/fakes.ts'
import { idle } from '../support/play.ts'

function rig(parts: FakeParts): {
  readonly lanes: Lanes
  readonly written: string[]
  readonly failures: unknown[]
  readonly stop: AbortController
} {
  const written: string[] = []
  const failures: unknown[] = []
  const stop = new AbortController()
  const lanes = new Lanes({
    gate: new Gate(parts, new EchoWire()),
    deliver: async (outputs) => {
      for (const { to, bytes } of outputs) written.push(`${to} ${bytes[0]}: ${Buffer.from(bytes.subarray(5)).toString()}`)
    },
    asker: stop.signal,
    stop: stop.signal,
    onFail: (error) => void failures.push(error),
  })
  return { lanes, written, failures, stop }
}

const say = (channel: number, text: string): readonly Message[] => new EchoWire().receive('client', echoFrame(channel, text))

test('what one read brought passes in one append', async () => {
  const parts = fakeParts()
  const { lanes, written } = rig(parts)
  lanes.push([...say(0, 'a'), ...say(0, 'b'), ...say(0, 'c')])
  await lanes.drained()
  assert.deepEqual(written, ['server 0: a', 'server 0: b', 'server 0: c'])
  assert.equal(parts.recorder.durable.length, 1)
})

test('while one channel is held the others go on, and it keeps its own order', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.command?.() === 'please' ? HOLD : ALLOW)) })
  const { lanes, written } = rig(parts)
  lanes.push([...say(1, 'please'), ...say(1, 'after'), ...say(2, 'meanwhile')])
  await idle()
  assert.ok(written.includes('server 2: meanwhile'))
  assert.ok(!written.includes('server 1: after'))
  parts.approvals.decide('A-00000000', 'approved')
  await lanes.drained()
  assert.deepEqual(
    written.filter((line) => line.startsWith('server 1')),
    ['server 1: please', 'server 1: after'],
  )
})

test('there is no room while too much waits, and there is again once it passed', async () => {
  const parts = fakeParts()
  const { lanes } = rig(parts)
  parts.recorder.pause()
  lanes.push(say(0, 'x'.repeat(300 * 1024)))
  let roomy = false
  const room = lanes.room().then(() => {
    roomy = true
  })
  await idle()
  assert.equal(roomy, false)
  parts.recorder.resume()
  await room
  assert.equal(roomy, true)
})

test('a recorder that fails is told once, and what waited is not let in afterwards', async () => {
  const parts = fakeParts()
  const { lanes, written, failures, stop } = rig(parts)
  parts.recorder.break()
  lanes.push(say(0, 'a'))
  await lanes.drained()
  stop.abort()
  lanes.push(say(0, 'b'))
  await lanes.drained()
  assert.equal(failures.length, 1)
  assert.deepEqual(written, [])
})

test('messages without bytes fill a lane, too, and what waits is not copied for each', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.command?.() === 'please' ? HOLD : ALLOW)) })
  const { lanes, stop } = rig(parts)
  lanes.push(say(1, 'please'))
  const [ping] = say(1, '')
  assert.ok(ping !== undefined)
  const empty: Message = new Proxy(ping, { get: (of, name) => (name === 'bytes' ? new Uint8Array() : Reflect.get(of, name)) })
  const count = 200_000
  const begin = process.cpuUsage()
  for (let at = 0; at < count; at++) lanes.push([empty])
  const { user } = process.cpuUsage(begin)
  assert.ok(lanes.full)
  // Copied for each they would be 20 thousand million words.
  assert.ok(user < 5_000_000, `${user} us`)
  stop.abort()
  parts.approvals.decide('A-00000000', 'rejected')
  await lanes.drained()
})

test('who says a message once the last is through is told when', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.command?.() === 'please' ? HOLD : ALLOW)) })
  const { lanes, written } = rig(parts)
  lanes.push(say(1, 'please'))
  await idle()
  const [news] = say(1, 'news')
  assert.ok(news !== undefined)
  let told = 0
  lanes.pushTold(news, () => {
    told++
  })
  await idle()
  assert.equal(told, 0)
  parts.approvals.decide('A-00000000', 'approved')
  await lanes.drained()
  assert.equal(told, 1)
  assert.ok(written.includes('server 1: news'))
})
