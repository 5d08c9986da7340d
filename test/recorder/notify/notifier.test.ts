import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { Deliveries } from '../../../recorder/notify/deliveries.ts'
import { Notifier } from '../../../recorder/notify/notifier.ts'
import { webhook } from '../../../recorder/notify/webhook.ts'
import { type Receiver, receiver } from '../../support/receiver.ts'
import { ask } from '../desk/contract.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const ana = { subject: 'ana@example.org', kind: 'human', groups: ['dba'] } as const

async function rig(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-notify-'))
  const there = await receiver()
  const desk = openFolderDesk(join(folder, 'desk'))
  const told = new FolderRecords(join(folder, 'notified'))
  const failed: string[] = []
  t.after(async () => {
    desk[Symbol.dispose]()
    told[Symbol.dispose]()
    await there[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    desk,
    there,
    failed,
    /** Taken by the receiver, and kept in mind: one that is stopped in between tells it again. */
    async noted(id: string): Promise<void> {
      const deliveries = new Deliveries(told, 'hook-0')
      while ((await deliveries.last(id))?.news !== there.received.at(-1)?.headers['webhook-id']) await wait(10)
    },
    remembered: () => new Deliveries(told, 'hook-0').known(),
    open: (receivers: readonly Receiver[] = [there], keepMs = Number.POSITIVE_INFINITY) =>
      Notifier.open({
        desk,
        channels: receivers.map(({ url }, index) => webhook(`hook-${index}`, { url, secret: SECRET, gateway: 'gw1' })),
        told,
        keepMs,
        onFailed: (channel, news, _error, final) => void failed.push(`${channel} ${news} ${final}`),
        onError: (error) => assert.fail(String(error)),
        retryAfterMs: [5, 5],
      }),
  }
}

const typesOf = ({ received }: Receiver): string[] =>
  received.map(({ body }) => JSON.parse(body).type.replace('sallyport.approval.', ''))

test('each step is told in order, again until it is taken, under the same id', { timeout: 90_000 }, async (t) => {
  const { desk, there, open, failed } = await rig(t)
  await using _notifier = await open()
  there.script.push(503, 503)
  const { id } = await desk.submit(ask({ approvers: { groups: ['dba'], count: 2 } }))
  await there.until(3)
  await desk.decide(id, { act: 'approve' }, ana)
  await there.until(4)
  await desk.decide(id, { act: 'reject', reason: 'no' }, { ...ana, subject: 'ben@example.org' })
  await there.until(5)
  assert.deepEqual(typesOf(there), ['requested', 'requested', 'requested', 'voted', 'rejected'])
  assert.equal(new Set(there.received.slice(0, 3).map(({ headers }) => headers['webhook-id'])).size, 1)
  assert.deepEqual(failed, [`hook-0 ${id}.pending.0 false`, `hook-0 ${id}.pending.0 false`])
})

test('a receiver that hangs holds up neither the desk nor another receiver', { timeout: 90_000 }, async (t) => {
  const { desk, there, open } = await rig(t)
  await using healthy = await receiver()
  there.script.push('hang')
  {
    await using _notifier = await open([there, healthy])
    const { id } = await desk.submit(ask())
    await desk.decide(id, { act: 'approve' }, ana)
    assert.equal(await desk.consume(id), true)
    await healthy.until(1)
  }
  // Stopped in the middle of a delivery, at once.
  assert.equal(there.received.length, 1)
})

test('after a restart nothing is told twice, and what happened meanwhile is told', { timeout: 90_000 }, async (t) => {
  const { desk, there, open, noted } = await rig(t)
  const { id } = await desk.submit(ask())
  {
    await using _notifier = await open()
    await there.until(1)
    await noted(id)
  }
  {
    await using _notifier = await open()
    const other = await desk.submit(ask({ binding: 'b'.repeat(64) }))
    await there.until(2)
    await desk.retract(other.id, { subject: 'agent:claude', kind: 'agent', groups: [] })
    await there.until(3)
    await noted(other.id)
  }
  assert.deepEqual(typesOf(there), ['requested', 'requested', 'withdrawn'])
  await desk.decide(id, { act: 'reject', reason: 'no' }, ana)
  {
    await using _notifier = await open()
    await there.until(4)
  }
  assert.equal(typesOf(there).at(-1), 'rejected')
})

test('what a receiver refuses for good is given up, and the next is told', { timeout: 90_000 }, async (t) => {
  const { desk, there, open, failed } = await rig(t)
  await using _notifier = await open()
  there.script.push(400)
  const { id } = await desk.submit(ask())
  await there.until(1)
  await desk.submit(ask({ binding: 'b'.repeat(64) }))
  await there.until(2)
  assert.deepEqual(failed, [`hook-0 ${id}.pending.0 true`])
})

test('what the desk removes is forgotten by the channels, also what it removed while nobody ran', {
  timeout: 90_000,
}, async (t) => {
  const { desk, there, open, noted, remembered } = await rig(t)
  const first = await open()
  const request = await desk.submit(ask({ ttlMs: 60_000 }))
  await desk.decide(request.id, { act: 'reject', reason: 'no' }, ana)
  await there.until(1)
  while ((await desk.get(request.id)).state !== 'rejected') await wait(10)
  await noted(request.id)
  await first[Symbol.asyncDispose]()
  // All that has ended is past.
  const second = await open([there], Number.NEGATIVE_INFINITY)
  while ((await desk.list()).length > 0) await wait(10)
  await second[Symbol.asyncDispose]()
  await using _third = await open()
  assert.deepEqual(await remembered(), [])
})
