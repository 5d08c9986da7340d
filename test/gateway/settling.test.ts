import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Settling } from '../../gateway/settling.ts'

/** `more`: there may always be more. `at`: when it looked. */
function looking(more: boolean): { readonly at: number[]; readonly settling: Settling } {
  const at: number[] = []
  const settling = new Settling(() => {
    at.push(performance.now())
    return more
  })
  return { at, settling }
}

test('what is kept back is looked for once where that is all, and again behind what comes', async () => {
  const { at, settling } = looking(false)
  await wait(150)
  assert.equal(at.length, 1)
  settling.came(false)
  await wait(150)
  assert.equal(at.length, 2)
  settling.stop()
})

test('where a lane stands still it is looked for less and less often, and soon again once something comes', async () => {
  const { at, settling } = looking(true)
  await wait(700)
  // At 20 ms, 40, 80, 160, 320, 640.
  assert.ok(at.length <= 6, `${at.length} looks`)
  const cameAt = performance.now()
  settling.came(false)
  while ((at.at(-1) ?? 0) < cameAt) await wait(1)
  assert.ok((at.at(-1) ?? 0) - cameAt < 300)
  settling.stop()
})

for (const several of [true, false])
  test(`what comes puts ${several ? 'nothing off where it may be of another stream' : 'its own end off'}`, async () => {
    const { at, settling } = looking(true)
    for (const until = performance.now() + 200; performance.now() < until; ) {
      settling.came(several)
      await new Promise(setImmediate)
    }
    assert.equal(at.length > 2, several, `${at.length} looks`)
    settling.stop()
  })
