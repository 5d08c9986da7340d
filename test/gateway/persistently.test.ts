import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPersistently } from '../../gateway/persistently.ts'
import { ApplianceError } from '../../schemas/errors.ts'

/** What opens at the attempt after these. */
function opening(failures: readonly unknown[]) {
  const left = [...failures]
  const told: unknown[] = []
  const state = { open: 0, attempts: 0 }
  const done = Promise.withResolvers<void>()
  const open = async () => {
    state.attempts++
    if (left.length > 0) throw left.shift()
    state.open++
    done.resolve()
    return { name: 'it', [Symbol.asyncDispose]: async () => void state.open-- }
  }
  return { open, told, state, done: done.promise, onFailed: (error: unknown) => void told.push(error) }
}

const away = new ApplianceError('STORE_FAILED', 'away')
const wrong = new ApplianceError('CONFIG_INVALID', 'no such port')

test('what opens at once is there, and given back', async () => {
  const it = opening([])
  const kept = await openPersistently(it.open, it)
  assert.equal(kept.opened?.name, 'it')
  await kept[Symbol.asyncDispose]()
  assert.deepEqual(it.state, { open: 0, attempts: 1 })
})

test('a mistake of the configuration at the first attempt is one', async () => {
  const it = opening([wrong])
  await assert.rejects(openPersistently(it.open, it), wrong)
  assert.deepEqual(it.told, [])
})

test('whatever else is in the way is told, and tried again until it opens, also where the configuration is what is wrong by then', async () => {
  const disk = Object.assign(new Error('no space'), { code: 'ENOSPC' })
  const it = opening([away, disk, wrong])
  await using kept = await openPersistently(it.open, { ...it, firstRetryMs: 1 })
  assert.equal(it.state.open, 0)
  await it.done
  await new Promise(setImmediate)
  assert.equal(kept.opened?.name, 'it')
  assert.deepEqual(it.told, [away, disk, wrong])
})

test('who stops meanwhile waits for no further attempt; one that was under way is given back', async () => {
  const waiting = opening([away])
  await (await openPersistently(waiting.open, waiting))[Symbol.asyncDispose]()
  assert.equal(waiting.state.attempts, 1)

  const it = opening([away])
  const slow = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const open = async () => {
    if (it.state.attempts > 0) {
      begun.resolve()
      await slow.promise
    }
    return it.open()
  }
  const kept = await openPersistently(open, { ...it, firstRetryMs: 1 })
  await begun.promise
  const disposed = kept[Symbol.asyncDispose]()
  slow.resolve()
  await disposed
  assert.deepEqual(it.state, { open: 0, attempts: 2 })
})
