import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EchoClient, type EchoGateway, echoGateway } from '../support/echo-gateway.ts'

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
const WAIT_MS = 20_000
const DIED = 'worker died; it is started again'

type Line = Readonly<Record<string, unknown>>

/** `sallyport serve` as a process of its own, and its log as it comes. */
class Serving implements AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: Line[] = []
  readonly #stirred = new Set<() => void>()

  constructor(gateway: EchoGateway, args: readonly string[]) {
    this.child = spawn(process.execPath, [MAIN, 'serve', '--config', gateway.config, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    if (this.child.stderr === null) throw new Error('stderr is piped')
    createInterface({ input: this.child.stderr }).on('line', (line) => {
      this.lines.push(line.startsWith('{') ? JSON.parse(line) : { text: line })
      for (const stir of this.#stirred) stir()
    })
  }

  /** Resolves with the first line of this message for which `fits`, already there or still to come. */
  async line(msg: string, fits: (line: Line) => boolean = () => true): Promise<Line> {
    const signal = AbortSignal.timeout(WAIT_MS)
    for (;;) {
      const found = this.lines.find((line) => line['msg'] === msg && fits(line))
      if (found !== undefined) return found
      await new Promise<void>((resolve, reject) => {
        this.#stirred.add(resolve)
        signal.addEventListener('abort', () => reject(new Error(`no line "${msg}" in ${JSON.stringify(this.lines)}`)), {
          once: true,
        })
      })
    }
  }

  /** Once `count` processes serve. */
  async port(count: number): Promise<number> {
    const at = await Promise.all(
      Array.from({ length: count }, (_, index) => this.line('listening', ({ worker }) => count === 1 || worker === index + 1)),
    )
    return Number(at[0]?.['port'])
  }

  async stop(): Promise<number | null> {
    const exited =
      this.child.exitCode === null ? once(this.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) }) : [this.child.exitCode]
    this.child.kill('SIGTERM')
    return (await exited)[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

async function greeted(port: number, key: string): Promise<EchoClient> {
  const client = await EchoClient.enter(port, key)
  client.say('hello')
  assert.equal(await client.hear(), 'hello')
  return client
}

test('one process: SIGTERM says farewell, seals and exits with 0', async () => {
  await using gateway = await echoGateway()
  await using serving = new Serving(gateway, [])
  using client = await greeted(await serving.port(1), gateway.keys.agent)
  assert.equal(await serving.stop(), 0)
  assert.match((await client.hear()) ?? '', /shutting down/)
  await serving.line('session sealed')
})

test('several processes share the port; one that dies is started again, its tape sealed, and the others notice nothing', async () => {
  await using gateway = await echoGateway()
  await using serving = new Serving(gateway, ['--workers', '2'])
  const port = await serving.port(2)
  // Connections are dealt out in turn, so two sessions sit in two processes.
  const clients = [await greeted(port, gateway.keys.agent), await greeted(port, gateway.keys.agent)]
  const opened = serving.lines.filter(({ msg }) => msg === 'session opened')
  assert.deepEqual(opened.map(({ worker }) => worker).sort(), [1, 2])

  const victim = await serving.line('worker started', ({ worker }) => worker === 1)
  process.kill(Number(victim['pid']), 'SIGKILL')
  await serving.line(DIED, ({ worker }) => worker === 1)
  await serving.line('worker started', ({ worker, pid }) => worker === 1 && pid !== victim['pid'])
  const survivor = clients[opened.findIndex(({ worker }) => worker === 2)]
  survivor?.say('still here')
  assert.equal(await survivor?.hear(), 'still here')

  await serving.line(
    'listening',
    (line) => line['worker'] === 1 && serving.lines.indexOf(line) > serving.lines.findIndex(({ msg }) => msg === DIED),
  )
  const later = [await greeted(port, gateway.keys.agent), await greeted(port, gateway.keys.agent)]
  assert.equal(await serving.stop(), 0)
  for (const client of [...clients, ...later]) client[Symbol.dispose]()
  const ids = serving.lines.filter(({ msg }) => msg === 'session opened').map(({ session }) => session)
  assert.equal(new Set(ids).size, 4, 'no two sessions share an id, over processes and restarts')
})

test('a configuration that cannot be served ends at once with 1 and every mistake', async () => {
  await using gateway = await echoGateway({ limits: { sessions: 0, idleTimeoutMs: 1 } })
  await using serving = new Serving(gateway, ['--workers', '2'])
  const [code] = await once(serving.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) })
  assert.equal(code, 1)
  const told = serving.lines.map(({ text }) => text).join('\n')
  assert.match(told, /CONFIG_INVALID/)
  assert.match(told, /limits.sessions/)
  assert.match(told, /limits.idleTimeoutMs/)
})

test('a port that is taken ends several workers too, not in a loop', async () => {
  await using gateway = await echoGateway()
  await using one = new Serving(gateway, [])
  const port = await one.port(1)
  await using other = await echoGateway({ address: `127.0.0.1:${port}` })
  await using serving = new Serving(other, ['--workers', '2'])
  const [code] = await once(serving.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) })
  assert.equal(code, 1)
  assert.match(serving.lines.map(({ text }) => text).join('\n'), new RegExp(`cannot listen on 127.0.0.1:${port}`))
})
