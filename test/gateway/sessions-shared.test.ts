import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Session } from '../../gateway/protocol.ts'
import { SharedSessions } from '../../gateway/sessions-shared.ts'

/** As much of a session as sharing looks at. */
class FakeSession {
  readonly #end = new AbortController()
  sealed = 0

  get signal(): AbortSignal {
    return this.#end.signal
  }

  kill(): void {
    this.#end.abort()
  }

  closing(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.sealed++
    this.#end.abort()
  }
}

function opener() {
  const opened: FakeSession[] = []
  const open = async (): Promise<Session> => {
    await wait(1)
    const session = new FakeSession()
    opened.push(session)
    return session as unknown as Session
  }
  return { opened, open }
}

const make = (session: Session): Session => session

test('those who come at once share one session; another key has its own', async () => {
  const shared = new SharedSessions()
  const { opened, open } = opener()
  const joined = await Promise.all(['a', 'a', 'a', 'b'].map((key) => shared.join(key, open, make)))
  assert.equal(opened.length, 2)
  assert.equal(joined[0]?.state, joined[2]?.state)
})

test('the session is sealed once, some time after the last one left', async () => {
  const shared = new SharedSessions(20)
  const { opened, open } = opener()
  const first = await shared.join('a', open, make)
  const second = await shared.join('a', open, make)
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  await wait(60)
  assert.equal(opened[0]?.sealed, 0, 'one is still inside')
  second[Symbol.dispose]()
  const back = await shared.join('a', open, make)
  await wait(60)
  assert.equal(opened[0]?.sealed, 0, 'and another came back in time')
  back[Symbol.dispose]()
  await wait(60)
  assert.equal(opened[0]?.sealed, 1)
  await shared.join('a', open, make)
  assert.equal(opened.length, 2)
})

test('a session that is ended is sealed when the last one has left, and nobody joins it any more', async () => {
  const shared = new SharedSessions()
  const { opened, open } = opener()
  const joined = await shared.join('a', open, make)
  opened[0]?.kill()
  await shared.join('a', open, make)
  assert.deepEqual([opened.length, opened[0]?.sealed], [2, 0])
  joined[Symbol.dispose]()
  await shared.drained()
  assert.equal(opened[0]?.sealed, 1)
})

test('an opening that fails fails for those who waited for it, and the next one tries anew', async () => {
  const shared = new SharedSessions()
  const { open } = opener()
  const refuse = (): Promise<Session> => Promise.reject(new Error('full'))
  const results = await Promise.allSettled([shared.join('a', refuse, make), shared.join('a', refuse, make)])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.ok(await shared.join('a', open, make))
})
