import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { EchoClient, type EchoGateway } from './echo-gateway.ts'

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
/** Starting four processes on a busy machine takes seconds. */
export const WAIT_MS = 90_000

type Line = Readonly<Record<string, unknown>>

/** `sallyport serve` as a process of its own, and its log as it comes. */
export class Serving implements AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: Line[] = []
  readonly #stirred = new Set<() => void>()

  constructor(gateway: EchoGateway, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [MAIN, 'serve', '--config', gateway.config, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
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

/** A client that is in and has been answered. */
export async function greeted(port: number, key: string): Promise<EchoClient> {
  const client = await EchoClient.enter(port, key)
  client.say('hello')
  assert.equal(await client.hear(), 'hello')
  return client
}
