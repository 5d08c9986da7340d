import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Health } from '../../../gateway/monitoring/health.ts'
import { Metrics } from '../../../gateway/monitoring/metrics.ts'
import { openMonitoring } from '../../../gateway/monitoring/server.ts'
import { Traffic } from '../../../gateway/monitoring/traffic.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'
import { greeted, Serving } from '../../support/serving.ts'

const ask = async (port: number, path: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: answer.status, text: await answer.text() }
}
const fail = (error: unknown): never => {
  throw error
}

test('a process is ready once it serves, and not while recording fails or it stops; it is healthy all along', async () => {
  let nowMs = 0
  const health = new Health(() => nowMs)
  const measure = async () => [{ metrics: [], ...(health.problem === undefined ? {} : { problem: health.problem }) }]
  await using server = await openMonitoring({ host: '127.0.0.1', port: 0 }, measure, fail)
  const ready = () => ask(server.port, '/readyz')
  assert.deepEqual(await ready(), { status: 503, text: 'starting\n' })
  health.serving()
  assert.deepEqual(await ready(), { status: 200, text: 'ready\n' })
  health.failed()
  assert.deepEqual(await ready(), { status: 503, text: 'recording fails\n' })
  health.worked()
  assert.equal((await ready()).status, 200)
  health.failed()
  nowMs += 31_000
  assert.equal((await ready()).status, 200)
  health.stopping()
  assert.deepEqual(await ready(), { status: 503, text: 'stopping\n' })
  assert.deepEqual(await ask(server.port, '/healthz'), { status: 200, text: 'ok\n' })
  const head = await fetch(`http://127.0.0.1:${server.port}/healthz`, { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal((await ask(server.port, '/')).status, 404)
  assert.equal((await ask(server.port, '/__proto__')).status, 404)
})

test('the numbers of all processes are added up', async () => {
  const processes = [new Metrics(), new Metrics()]
  for (const metrics of processes) {
    const traffic = new Traffic()
    const entry = { channel: 0, kind: 'query', facts: {}, body: Buffer.from('abc'), masks: null, verdict: null }
    traffic.add('postgres', [
      { ...entry, dir: 'in' },
      { ...entry, dir: 'out', verdict: { act: 'mask', rules: [], policy: '' } },
      { ...entry, dir: 'note' },
    ])
    const recorder = { bytes: 100, oldestMs: processes.indexOf(metrics) * 1_500 }
    metrics.read({
      protocols: ['postgres', 'ssh'],
      sessions: () => new Map([['postgres' as const, 2]]),
      holding: () => 1,
      recorder: () => recorder,
      traffic,
    })
    metrics.count('sessions_opened', { target: 'shop' }, 3)
  }
  const measure = () => Promise.all(processes.map(async (each) => ({ metrics: await each.json() })))
  await using server = await openMonitoring({ host: '127.0.0.1', port: 0 }, measure, fail)
  const { text } = await ask(server.port, '/metrics')
  for (const line of [
    'sallyport_sessions_open{protocol="postgres"} 4',
    'sallyport_sessions_open{protocol="ssh"} 0',
    '# TYPE sallyport_messages_total counter',
    '# TYPE sallyport_recorded_bytes_total counter',
    'sallyport_sessions_opened_total{target="shop"} 6',
    'sallyport_messages_total{protocol="postgres",verdict="allow"} 2',
    'sallyport_messages_total{protocol="postgres",verdict="mask"} 2',
    'sallyport_recorded_bytes_total{protocol="postgres",direction="out"} 6',
    'sallyport_holds_waiting 2',
    'sallyport_recorder_waiting_bytes 200',
    'sallyport_recorder_lag_seconds 1.5',
  ])
    assert.ok(text.includes(line), `${line} in ${text}`)
  assert.match(text, /nodejs_eventloop_lag_seconds/)
})

test('a gateway of two workers tells of both; while it drains, those inside go on and nobody gets in', async () => {
  await using gateway = await echoGateway({ limits: { drainTimeoutMs: 20_000 }, extra: 'monitoring: { address: "127.0.0.1:0" }' })
  await using serving = new Serving(gateway, ['--workers', '2'])
  const port = await serving.port(2)
  const { port: monitoring } = await serving.line('monitoring is served')
  assert.deepEqual(await ask(Number(monitoring), '/readyz'), { status: 200, text: 'ready\n' })
  using client = await greeted(port, gateway.keys.agent)
  const { text } = await ask(Number(monitoring), '/metrics')
  assert.match(text, /sallyport_sessions_open\{protocol="echo"\} 1\n/)
  assert.match(text, /sallyport_sessions_opened_total\{target="[^"]+"\} 1\n/)
  assert.equal(text.includes('agent'), false, 'nobody is named')
  const stopped = serving.stop()
  await serving.line('draining: no new connections, open sessions may end by themselves')
  assert.match((await ask(Number(monitoring), '/readyz')).text, /stopping|does not answer/)
  client.say('still here')
  assert.equal(await client.hear(), 'still here')
  await assert.rejects(EchoClient.enter(port, gateway.keys.agent))
  client.socket.end()
  assert.equal(await stopped, 0)
})

test('workers that die take none of what they counted along', async () => {
  await using gateway = await echoGateway({ extra: 'monitoring: { address: "127.0.0.1:0" }' })
  await using serving = new Serving(gateway, ['--workers', '2'])
  const port = await serving.port(2)
  const { port: monitoring } = await serving.line('monitoring is served')
  using _ = await greeted(port, gateway.keys.agent)
  const opened = async (): Promise<string | undefined> =>
    /sallyport_sessions_opened_total\{[^}]*\} (\d+)\n/.exec((await ask(Number(monitoring), '/metrics')).text)?.[1]
  assert.equal(await opened(), '1')
  const workers = await Promise.all([1, 2].map((index) => serving.line('worker started', ({ worker }) => worker === index)))
  for (const { pid } of workers) process.kill(Number(pid), 'SIGKILL')
  await Promise.all([1, 2].map((index) => serving.line('worker died; it is started again', ({ worker }) => worker === index)))
  assert.equal(await opened(), '1')
  assert.equal(await serving.stop(), 0)
})
