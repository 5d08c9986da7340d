import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { GroupSync } from '../../../recorder/tape/group-sync.ts'
import { idle } from '../../support/play.ts'

function rig(): { readonly syncs: GroupSync; readonly running: PromiseWithResolvers<void>[] } {
  const running: PromiseWithResolvers<void>[] = []
  const syncs = new GroupSync(() => {
    const sync = Promise.withResolvers<void>()
    running.push(sync)
    return sync.promise
  })
  return { syncs, running }
}

test('those who come while a sync runs wait for the next one', async () => {
  const { syncs, running } = rig()
  const first = syncs.wait()
  await idle()
  let served = false
  const second = syncs.wait().then(() => {
    served = true
  })
  running[0]?.resolve()
  await first
  assert.equal(served, false)
  const third = syncs.wait()
  await idle()
  assert.equal(running.length, 2)
  running[1]?.resolve()
  await Promise.all([second, third])
})

test('two halves that ask again as soon as they are served become one group', async () => {
  const sizes: number[] = []
  let size = 0
  const late = Promise.withResolvers<void>()
  const syncs = new GroupSync(async () => {
    sizes.push(size)
    size = 0
    late.resolve()
    await wait(3)
  })
  const client = async (): Promise<void> => {
    for (let round = 0; round < 5; round += 1) {
      size += 1
      await syncs.wait()
    }
  }
  await Promise.all([client(), client(), ...[client, client].map((half) => late.promise.then(half))])
  assert.deepEqual(sizes, [2, 4, 4, 4, 4, 2])
})

test('who does not come again is waited for only a moment, and only once', async () => {
  const { syncs, running } = rig()
  const gone = syncs.wait()
  await idle()
  const still = syncs.wait()
  running[0]?.resolve()
  await gone
  await wait(20)
  assert.equal(running.length, 2)
  running[1]?.resolve()
  await still
  const again = syncs.wait()
  await idle()
  assert.equal(running.length, 3)
  running[2]?.resolve()
  await again
})

test('a sync that fails is told to those who waited for it, and the next one is tried', async () => {
  const { syncs, running } = rig()
  const first = syncs.wait()
  await idle()
  running[0]?.reject(new Error('EIO'))
  await assert.rejects(first, /EIO/)
  const second = syncs.wait()
  await idle()
  running[1]?.resolve()
  await second
  await syncs.idle()
})
