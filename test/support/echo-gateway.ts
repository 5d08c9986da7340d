import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { type Log, silentLog } from '../../gateway/log.ts'
import { echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { Service } from '../../gateway/service.ts'

const WAIT_MS = 60_000

const POLICY = `
version: 1
rules:
  - id: no-swearing
    action: block
    match: { text: '*damn*' }
    reason: mind your language
  - id: ask-first
    action: hold
    match: { text: 'please *' }
    reason: a person decides about requests
    approval: { groups: [deciders], timeout: 30s }
`

/** A whole gateway in a folder of its own, in front of a server that echoes. */
export interface EchoGateway extends AsyncDisposable {
  readonly folder: string
  readonly config: string
  readonly dataDir: string
  readonly keys: { readonly agent: string; readonly outsider: string; readonly approver: string }
  /** Opens the service in this process; closed with the rest. */
  start(log?: Log): Promise<{ readonly service: Service; readonly port: number }>
}

export async function echoGateway(
  options: {
    readonly limits?: Readonly<Record<string, number>>
    readonly policy?: string
    readonly address?: string
    readonly extra?: string
    readonly env?: NodeJS.ProcessEnv
  } = {},
): Promise<EchoGateway> {
  const { env = {} } = options
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-echo-'))
  const target = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  await once(target.listen(0, '127.0.0.1'), 'listening')
  const keys = { agent: newAccessKey(), outsider: newAccessKey(), approver: newAccessKey() }
  const config = join(folder, 'sallyport.yaml')
  const { port } = target.address() as AddressInfo // it listens on TCP
  await writeFile(join(folder, 'policy.yaml'), options.policy ?? POLICY)
  await writeFile(
    config,
    `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  echo: { address: '${options.address ?? '127.0.0.1:0'}', tls: { mode: optional } }
targets:
  - name: parrot
    protocol: echo
    host: 127.0.0.1
    port: ${port}
    groups: [agents]
    tls: { mode: off }
    credential: { user: nobody }
identities:
  - { subject: agent-7, kind: agent, groups: [agents], principal: ada, keys: [{ id: agent, sha256: ${hashAccessKey(keys.agent)} }] }
  - { subject: eve, kind: human, groups: [others], keys: [{ id: eve, sha256: ${hashAccessKey(keys.outsider)} }] }
  - { subject: grace, kind: human, groups: [deciders], keys: [{ id: grace, sha256: ${hashAccessKey(keys.approver)} }] }
limits: ${JSON.stringify(options.limits ?? {})}
${options.extra ?? ''}`,
  )
  const ends: (() => Promise<unknown>)[] = []
  return {
    folder,
    config,
    dataDir: join(folder, 'data'),
    keys,
    async start(log = silentLog()) {
      const service = await Service.open(await loadConfig(config, env), { log, env })
      ends.push(() => service.stop('test ends'))
      const [listener] = service.listeners
      if (listener === undefined) throw new Error('the configuration has a listener')
      return { service, port: listener.address.port }
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) await end()
      target.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A client that says and hears frames, in order. */
export class EchoClient implements Disposable {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => undefined)
  }

  static async open(port: number, from = '127.0.0.1'): Promise<EchoClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true })
    await once(socket, 'connect', { signal: AbortSignal.timeout(WAIT_MS) })
    return new EchoClient(socket)
  }

  /** Connects and knocks. */
  static async enter(port: number, key: string, target = 'parrot', from?: string): Promise<EchoClient> {
    const client = await EchoClient.open(port, from)
    client.say(`${target} ${key}`)
    return client
  }

  say(text: string, channel = 0): void {
    this.socket.write(echoFrame(channel, text))
  }

  /** The next frame's text; undefined once the gateway has closed the connection. */
  async hear(): Promise<string | undefined> {
    for (;;) {
      if (this.#bytes.length >= 5) {
        const end = 5 + this.#bytes.readUInt32BE(1)
        if (this.#bytes.length >= end) {
          const text = this.#bytes.subarray(5, end).toString()
          this.#bytes = this.#bytes.subarray(end)
          return text
        }
      }
      const chunk: unknown = this.socket.read()
      if (chunk instanceof Buffer) this.#bytes = Buffer.concat([this.#bytes, chunk])
      else if (this.socket.readableEnded || this.socket.destroyed) return undefined
      else await heard(this.socket)
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

function heard(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new Error('nothing was heard')), WAIT_MS)
    const events = ['readable', 'end', 'close'] as const
    const done = (error?: unknown): void => {
      clearTimeout(timer)
      for (const event of events) socket.off(event, onEvent)
      if (error instanceof Error) reject(error)
      else resolve()
    }
    const onEvent = (): void => done()
    for (const event of events) socket.on(event, onEvent)
  })
}
