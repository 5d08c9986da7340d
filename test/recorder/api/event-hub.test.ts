import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { type ApiRig, apiRig, keyOf, listen, type Name, PEOPLE } from '../../support/api.ts'
import { entry, START } from '../../support/recording.ts'
import { ask } from '../desk/contract.ts'

let rig: ApiRig
before(async () => {
  rig = await apiRig({ heartbeatMs: 20 })
})
after(() => rig[Symbol.asyncDispose]())
afterEach(() => rig.changed.clear())

const bearer = (name: Name): Record<string, string> => ({ authorization: `Bearer ${keyOf(name)}` })

test('a stream ends when the key it was opened with is revoked, by cookie or by bearer', async () => {
  const { cookie } = await rig.as('ivan')
  const streams = await Promise.all([{ cookie }, bearer('ivan')].map((headers) => listen(rig.server.port, '/events', headers)))
  rig.changed.set('ivan', undefined)
  await Promise.all(streams.map(({ ended }) => ended))
})

test('a stream ends with the last role, and a live tail with the role or the target it needs', async () => {
  const { info } = await rig.room.open(START)
  await rig.catalog.settle()
  const path = `/sessions/${info.id}/live`
  const other = await listen(rig.server.port, path, bearer('gina'))
  for (const groups of [[], ['agents', 'viewers'], ['vault-team', 'investigators']]) {
    const live = await listen(rig.server.port, path, bearer('ivan'))
    assert.equal((await live.next()).event, 'progress')
    rig.changed.set('ivan', { ...PEOPLE.ivan, groups })
    await live.ended
    rig.changed.clear()
  }
  // Nobody else’s was touched.
  assert.equal((await other.next()).data.session, info.id)
  other.close()
})

test('what a stream tells follows the groups of now', async () => {
  const seen = await listen(rig.server.port, '/events', bearer('otto'))
  rig.changed.set('otto', { ...PEOPLE.otto, groups: ['agents', 'investigators'] })
  // Two beats of the heart are surely over when another reader’s stream, opened and revoked since, has ended.
  for (let beats = 0; beats < 2; beats += 1) {
    const other = await listen(rig.server.port, '/events', bearer('vera'))
    rig.changed.set('vera', undefined)
    await other.ended
    rig.changed.delete('vera')
  }
  await rig.room.open({ ...START, target: { ...START.target, name: 'vault' } })
  const { info, recorder } = await rig.room.open(START)
  await recorder.append([entry({ kind: 'query', body: serialize.query('SELECT 1') })])
  const opened = await seen.next()
  assert.deepEqual([opened.event, opened.data.id], ['opened', info.id])
  seen.close()
})

test('a flood of streams of one person is stopped, and costs nobody else theirs', async () => {
  const own = await listen(rig.server.port, '/events', bearer('gus'))
  const streams = await Promise.all(Array.from({ length: 30 }, () => listen(rig.server.port, '/events', bearer('ivan'))))
  const { status, json } = await rig.ask('/events', { headers: bearer('ivan') })
  assert.deepEqual([status, json.code], [429, 'API_LIMITED'])
  const { info } = await rig.room.open(START)
  let event = await own.next()
  while (event.data.id !== info.id && event.data.session !== info.id) event = await own.next()
  for (const stream of streams) stream.close()
  await Promise.all(streams.map(({ ended }) => ended))
  own.close()
  // Room again once they are gone; the server learns of it a moment later.
  for (let again = 429; again === 429; ) {
    const last = await listen(rig.server.port, '/events', bearer('ivan')).catch(() => undefined)
    again = last === undefined ? 429 : 200
    last?.close()
  }
})

test('a desk that cannot be read for a while ends no events: of sessions they go on, of requests they come again', {
  timeout: 60_000,
}, async (t) => {
  const stop = new AbortController()
  t.after(() => stop.abort())
  const seen = await listen(rig.server.port, '/events', bearer('ann'))
  const noticed = rig.desk.watch(stop.signal)[Symbol.asyncIterator]().next()
  const damaged = join(rig.folder.path, 'desk', 'A-00000000.0000.json')
  await writeFile(damaged, '{}')
  await assert.rejects(noticed, { code: 'STORE_FAILED' })
  const { info } = await rig.room.open(START)
  let event = await seen.next()
  while (event.event === 'progress') event = await seen.next()
  assert.deepEqual([event.event, event.data.id], ['opened', info.id])
  await rm(damaged)
  const { id } = await rig.desk.submit(ask({ binding: 'c'.repeat(64) }))
  const told: string[] = []
  while (event.data.id !== id) {
    event = await seen.next()
    told.push(event.event)
  }
  assert.ok(told.includes('reset') && event.event === 'approval', told.join(' '))
  seen.close()
})
