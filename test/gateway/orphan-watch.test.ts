import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../../gateway/log.ts'
import { OrphanWatch } from '../../gateway/orphan-watch.ts'
import { Presence } from '../../recorder/ledger/presence.ts'

const SILENT_MS = 61_000

interface Made extends AsyncDisposable {
  readonly watch: OrphanWatch
  readonly says: (gateway: string, type: string) => void
  /** Who was silent at each recovery. */
  readonly recoveries: string[][]
}

function made(names: readonly string[]): Made {
  const presence = new Presence()
  const recoveries: string[][] = []
  const watch = new OrphanWatch({
    room: {
      recoverOrphans: async (isSilent) => {
        recoveries.push(names.filter(isSilent))
        return { sessions: [], problems: [] }
      },
    },
    ledger: { catchUp: async () => undefined, presence },
    log: silentLog(),
  })
  const says = (gateway: string, type: string): void =>
    presence.saw({ gateway, type, n: 1, at: '', sessions: 0 } as Parameters<Presence['saw']>[0])
  return { watch, says, recoveries, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() }
}

test('a gateway that falls silent has its tapes ended, once; who speaks, or has spoken since, is left alone', async (t) => {
  const start = performance.now()
  let nowMs = start
  t.mock.method(performance, 'now', () => nowMs)
  await using it = made(['gone', 'here', 'stopped'])
  it.says('gone', 'gateway.interim')
  it.says('here', 'gateway.start')
  it.says('stopped', 'gateway.stop')
  await it.watch.look()
  assert.deepEqual(it.recoveries, [])
  nowMs += SILENT_MS
  it.says('here', 'gateway.interim')
  await it.watch.look()
  // Who said that it stopped, or never said anything, has been silent for as long as anybody has listened.
  assert.deepEqual(it.recoveries, [['gone', 'stopped']])
  it.says('here', 'gateway.interim')
  await it.watch.look()
  assert.equal(it.recoveries.length, 1)
  it.says('gone', 'gateway.start')
  nowMs += SILENT_MS
  it.says('here', 'gateway.interim')
  await it.watch.look()
  assert.equal(it.recoveries.length, 1, 'it was seen to, and nobody saw it come back')
  it.says('gone', 'gateway.interim')
  await it.watch.look()
  nowMs += SILENT_MS
  it.says('here', 'gateway.interim')
  await it.watch.look()
  assert.deepEqual(it.recoveries.at(-1), ['gone', 'stopped'])
  assert.equal(it.recoveries.length, 2)
})

test('a store that is slow is not looked at again before it has answered', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const looks: PromiseWithResolvers<void>[] = []
  const looked: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()]
  const watch = new OrphanWatch({
    room: { recoverOrphans: async () => ({ sessions: [], problems: [] }) },
    ledger: {
      catchUp: () => {
        const look = Promise.withResolvers<void>()
        looked[looks.push(look) - 1]?.resolve()
        return look.promise
      },
      presence: new Presence(),
    },
    log: silentLog(),
  })
  t.mock.timers.tick(100_000)
  await looked[0]?.promise
  assert.equal(looks.length, 1)
  looks[0]?.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(20_000)
  await looked[1]?.promise
  looks[1]?.resolve()
  await watch[Symbol.asyncDispose]()
})
