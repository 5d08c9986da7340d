import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { echoFrame } from '../../gateway/protocols/echo/wire.ts'
import type { BlobPlace } from '../../recorder/store/places.ts'
import type { Durability } from '../../schemas/session.ts'
import { spawnGateway } from '../support/gateway.ts'
import type { LogLines } from '../support/gateway-log.ts'
import type { PgServer } from '../support/pg-server.ts'
import type { Random } from '../support/random.ts'

/** A machine that is busy with other things must not look like a fault. */
const START_TIMEOUT_MS = 180_000
const TARGET_NAME = 'parrot'

/** A gateway as it is installed, in front of a server that echoes and perhaps of a PostgreSQL. Killed and started again at will. */
export class RealGateway implements AsyncDisposable {
  readonly path: string
  readonly dataDir: string
  readonly key: string
  readonly target: EchoTarget
  readonly #env: NodeJS.ProcessEnv
  #running: Awaited<ReturnType<typeof spawnGateway>> | undefined

  private constructor(path: string, key: string, target: EchoTarget, env: NodeJS.ProcessEnv) {
    this.path = path
    this.dataDir = join(path, 'data')
    this.key = key
    this.target = target
    this.#env = env
  }

  static async make(options: {
    readonly durability: Durability
    readonly postgres?: PgServer
    readonly store?: BlobPlace
    readonly gateway?: string
    /** The URL of a database that several share. */
    readonly shared?: string
    readonly policy?: string
    /** Added to the gateway's environment. */
    readonly env?: NodeJS.ProcessEnv
  }): Promise<RealGateway> {
    const { durability, postgres, store, gateway = 'gw1', shared, policy = 'version: 1\nrules: []\n', env = {} } = options
    const path = await mkdtemp(join(tmpdir(), 'sallyport-chaos-'))
    const key = newAccessKey()
    const target = await EchoTarget.start()
    const groups = ['agents']
    const tls = { mode: 'off' }
    const password = join(path, 'password')
    const accountKey = join(path, 'account-key')
    await writeFile(password, postgres?.password ?? '', { mode: 0o600 })
    const access = store !== undefined && 'key' in store.access ? store.access : undefined
    if (access !== undefined) await writeFile(accountKey, access.key, { mode: 0o600 })
    const listener = { address: '127.0.0.1:0', tls: { mode: 'optional' } }
    const config = {
      gateway,
      dataDir: 'data',
      policy: 'policy.yaml',
      recording: { durability, spool: { size: 64 } },
      ...(store === undefined
        ? {}
        : {
            store: {
              blob: {
                url: store.url,
                container: store.container,
                ...(access === undefined ? {} : { key: { file: accountKey } }),
              },
            },
          }),
      ...(shared === undefined ? {} : { shared: { url: { file: join(path, 'shared-url') } } }),
      listeners: { echo: listener, ...(postgres === undefined ? {} : { postgres: listener }) },
      targets: [
        {
          name: TARGET_NAME,
          protocol: 'echo',
          host: '127.0.0.1',
          port: target.port,
          groups,
          tls,
          credential: { user: 'nobody' },
        },
        ...(postgres === undefined
          ? []
          : [
              {
                name: 'shop',
                protocol: 'postgres',
                host: '127.0.0.1',
                port: postgres.port,
                database: 'postgres',
                groups,
                tls,
                credential: { user: 'postgres', password: { file: password } },
              },
            ]),
      ],
      identities: [
        { subject: 'agent-7', kind: 'agent', groups, keys: [{ id: 'agent', sha256: hashAccessKey(key) }] },
        { subject: 'grace', kind: 'human', groups: ['deciders'] },
      ],
    }
    await writeFile(join(path, 'sallyport.yaml'), JSON.stringify(config))
    await writeFile(join(path, 'policy.yaml'), policy)
    await writeFile(join(path, 'shared-url'), shared ?? '', { mode: 0o600 })
    return new RealGateway(path, key, target, env)
  }

  /** Resolves when it listens; what a dead one left is recovered by then. */
  async start(): Promise<void> {
    const { path, dataDir, key } = this
    const keys = { agent: key, human: key, approver: key }
    const folder = { path, dataDir, config: join(path, 'sallyport.yaml'), keys, [Symbol.asyncDispose]: async () => undefined }
    this.#running = await spawnGateway(folder, { startTimeoutMs: START_TIMEOUT_MS, env: this.#env })
  }

  get log(): LogLines {
    return this.#live.log
  }

  get pid(): number {
    return this.#live.pid
  }

  async port(protocol: 'echo' | 'postgres'): Promise<number> {
    const line = await this.log.until((one) => one['msg'] === 'listening' && one['protocol'] === protocol)
    return Number(line['port'])
  }

  /** The session of a client by its own port; undefined where it was never opened. */
  sessionOf(clientPort: number): string | undefined {
    const opened = this.log.lines.find((line) => line['msg'] === 'session opened' && line['client'] === `127.0.0.1:${clientPort}`)
    return opened === undefined ? undefined : String(opened['session'])
  }

  /** The session of a client by its own port, undefined where it could not be recorded and was refused; waits until one or the other is told. */
  async outcomeOf(clientPort: number): Promise<string | undefined> {
    const line = await this.log.until(
      ({ msg, client }) =>
        client === `127.0.0.1:${clientPort}` && (msg === 'session opened' || String(msg).startsWith('session not opened')),
    )
    return line['session'] === undefined ? undefined : String(line['session'])
  }

  async kill(): Promise<void> {
    await this.#live.kill()
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.kill().catch(() => undefined)
    this.target.close()
    await rm(this.path, { recursive: true, force: true })
  }

  get #live(): Awaited<ReturnType<typeof spawnGateway>> {
    if (this.#running === undefined) throw new Error('the gateway is not running')
    return this.#running
  }
}

/** Echoes, and keeps what it was given: the other half of what was released. */
export class EchoTarget {
  readonly port: number
  readonly received = new Map<number, Buffer[]>()
  readonly #server: ReturnType<typeof createServer>
  onData: (size: number) => void = () => undefined
  #next = 0

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port // it listens on TCP
    server.on('connection', (socket: Socket) => {
      const parts: Buffer[] = []
      this.received.set(this.#next, parts)
      this.#next += 1
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        parts.push(chunk)
        this.onData(chunk.length)
        if (!socket.write(chunk)) {
          socket.pause()
          socket.once('drain', () => socket.resume())
        }
      })
    })
  }

  static async start(): Promise<EchoTarget> {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return new EchoTarget(server)
  }

  /** What the connection got on which this was said first. */
  with(tag: string): Buffer {
    for (const parts of this.received.values()) {
      const all = Buffer.concat(parts)
      if (all.includes(tag)) return all
    }
    return Buffer.alloc(0)
  }

  close(): void {
    this.#server.close()
  }
}

export interface Arrival {
  readonly atMs: number
  /** Bytes received by then. */
  readonly total: number
}

/** Talks without a pause, and keeps everything it is given. */
export class Talker {
  readonly tag: string
  readonly socket: Socket
  readonly arrivals: Arrival[] = []
  readonly #parts: Buffer[] = []
  readonly #random: Random
  #total = 0
  #localPort = 0

  private constructor(socket: Socket, random: Random, tag: string, onData: (size: number) => void) {
    this.socket = socket
    this.#random = random
    this.tag = tag
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#parts.push(chunk)
      this.#total += chunk.length
      this.arrivals.push({ atMs: performance.now(), total: this.#total })
      onData(chunk.length)
    })
  }

  static async enter(
    port: number,
    key: string,
    random: Random,
    tag: string,
    onData: (size: number) => void = () => undefined,
  ): Promise<Talker> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const talker = new Talker(socket, random, tag, onData)
    talker.#localPort = socket.localPort ?? 0
    socket.write(echoFrame(0, `${TARGET_NAME} ${key}`))
    socket.write(echoFrame(0, tag))
    return talker
  }

  get localPort(): number {
    return this.#localPort
  }

  get received(): Buffer {
    return Buffer.concat(this.#parts)
  }

  get gone(): Promise<void> {
    return new Promise((resolve) => (this.socket.closed ? resolve() : this.socket.once('close', () => resolve())))
  }

  /** Until the connection ends or `until` says so. */
  async talk(until: () => boolean = () => false, pauseMs = 0): Promise<void> {
    while (!this.socket.destroyed && !until()) {
      const text = this.#random.words(this.#random.scale(10, this.#random.chance(0.05) ? 300_000 : 2_000))
      if (!this.socket.write(echoFrame(this.#random.between(0, 1), text)))
        await Promise.race([once(this.socket, 'drain').catch(() => undefined), this.gone])
      await new Promise((resolve) => (pauseMs > 0 ? setTimeout(resolve, pauseMs) : setImmediate(resolve)))
    }
  }
}
