import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics, metricsText } from '../../../gateway/monitoring/metrics.ts'
import { WorkerCounters } from '../../../gateway/monitoring/worker-counters.ts'

/** What `names` come to, in the text that is told. */
async function told(all: readonly object[], name: string): Promise<number | undefined> {
  const { text } = await metricsText([all])
  const found = new RegExp(`^sallyport_${name} (\\S+)$`, 'm').exec(text)
  return found === null ? undefined : Number(found[1])
}

test('what dead workers have counted goes on counting, beside those that came after them', async () => {
  const counters = new WorkerCounters()
  for (let generation = 1; generation <= 4; generation++) {
    const worker = new Metrics()
    worker.read({
      protocols: ['ssh'],
      sessions: () => new Map([['ssh' as const, 2]]),
      holding: () => 3,
      recorder: () => ({ bytes: 0, oldestMs: 0 }),
      traffic: { byProtocol: new Map([['ssh', { messages: { allow: 7 }, bytes: { in: 1 } }]]), add: () => undefined } as never,
    })
    worker.count('workers_died', {}, 5)
    const alive = await counters.all(await worker.json())
    assert.equal(await told(alive, 'workers_died_total'), 5 * generation)
    assert.equal(await told(alive, 'messages_total{protocol="ssh",verdict="allow"}'), 7 * generation)
    assert.equal(await told(alive, 'sessions_open{protocol="ssh"}'), 2, 'those of the dead are closed')
    const busy = await counters.all(undefined)
    assert.equal(await told(busy, 'workers_died_total'), 5 * generation, 'silent, and not gone')
    counters.died()
    const dead = await counters.all(undefined)
    assert.equal(await told(dead, 'workers_died_total'), 5 * generation)
    assert.equal(await told(dead, 'holds_waiting'), undefined)
  }
})
