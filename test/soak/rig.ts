import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { spawnGateway } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'
import { type Sshd, startSshd } from '../support/sshd.ts'

const START_TIMEOUT_MS = 180_000
const PROTOCOLS = ['echo', 'http', 'postgres', 'ssh'] as const
export type SoakProtocol = (typeof PROTOCOLS)[number]

/** A gateway with every kind of session in front of targets of every kind. */
export interface SoakRig extends AsyncDisposable {
  readonly key: string
  readonly ports: Readonly<Record<SoakProtocol, number>>
  /** What /metrics says, by name; of several series the sum. */
  metrics(): Promise<ReadonlyMap<string, number>>
  /** Ends it as an operator does; true when every tape was sealed. */
  stop(): Promise<boolean>
}

/** `sessions`: how many of each protocol will be open at once at most. */
export async function soakRig(sessions: number): Promise<SoakRig> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startPostgres({ settings: { max_connections: String(sessions + 20), shared_buffers: '16MB' } }))
  const sshd = stack.use(await startSshd(['MaxStartups 1000']))
  const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  await once(echo.listen(0, '127.0.0.1'), 'listening')
  stack.defer(() => void echo.close())
  const http = createHttp((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ path: request.url, at: Date.now() }))
  })
  await once(http.listen(0, '127.0.0.1'), 'listening')
  stack.defer(() => {
    http.closeAllConnections()
    http.close()
  })
  const path = await mkdtemp(join(tmpdir(), 'sallyport-soak-'))
  stack.defer(() => rm(path, { recursive: true, force: true }))
  const key = newAccessKey()
  await mkdir(join(path, 'secrets'), { mode: 0o700 })
  const secrets = { password: server.password, sshKey: sshd.userKey, token: 'of-the-target' }
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(path, 'secrets', name), text, { mode: 0o600 })
  const config = join(path, 'sallyport.yaml')
  const ports = { echo: portOf(echo.address()), http: portOf(http.address()), postgres: server.port }
  await writeFile(config, JSON.stringify(configuration({ key, ports, sshd, sessions })))
  await writeFile(join(path, 'policy.yaml'), 'version: 1\nrules: []\n')
  const folder = {
    path,
    config,
    dataDir: join(path, 'data'),
    keys: { agent: key, human: key, approver: key },
    [Symbol.asyncDispose]: async () => undefined,
  }
  const gateway = await spawnGateway(folder, { startTimeoutMs: START_TIMEOUT_MS })
  stack.defer(() => gateway.kill())
  const port = async (protocol: string): Promise<number> =>
    Number((await gateway.log.until((line) => line['msg'] === 'listening' && line['protocol'] === protocol))['port'])
  const listening = Object.fromEntries(await Promise.all(PROTOCOLS.map(async (each) => [each, await port(each)])))
  const monitoring = await gateway.log.until((line) => line['msg'] === 'monitoring is served')
  const kept = stack.move()
  return {
    key,
    ports: listening as SoakRig['ports'], // of every protocol
    metrics: () => metricsAt(Number(monitoring['port'])),
    stop: () => gateway.stop(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function configuration({
  key,
  ports,
  sshd,
  sessions,
}: {
  readonly key: string
  readonly ports: Readonly<Record<'echo' | 'http' | 'postgres', number>>
  readonly sshd: Sshd
  readonly sessions: number
}): object {
  const listener = { address: '127.0.0.1:0', tls: { mode: 'optional' } }
  const plain = { host: '127.0.0.1', groups: ['agents'], tls: { mode: 'off' } }
  const target = (name: string, protocol: string, port: number, credential: object, more: object = {}): object => ({
    ...plain,
    name,
    protocol,
    port,
    credential,
    ...more,
  })
  const { tls: _, ...withoutTls } = plain
  const all = sessions * PROTOCOLS.length
  return {
    gateway: 'gw1',
    dataDir: 'data',
    policy: 'policy.yaml',
    listeners: { echo: listener, http: listener, postgres: listener, ssh: { address: '127.0.0.1:0' } },
    monitoring: { address: '127.0.0.1:0' },
    limits: {
      sessions: all,
      sessionsPerIdentity: all,
      connectionsUnproved: all,
      connectionsUnprovedPerAddress: all,
      handshakeTimeoutMs: 120_000,
    },
    targets: [
      target('parrot', 'echo', ports.echo, { user: 'nobody' }),
      target('web', 'http', ports.http, { password: { file: 'secrets/token' } }),
      target(
        'shop',
        'postgres',
        ports.postgres,
        { user: 'postgres', password: { file: 'secrets/password' } },
        { database: 'postgres' },
      ),
      {
        ...withoutTls,
        name: 'host',
        protocol: 'ssh',
        port: sshd.port,
        hostKeys: [sshd.hostKey],
        credential: { user: sshd.user, privateKey: { file: 'secrets/sshKey' } },
      },
    ],
    identities: [{ subject: 'agent', kind: 'agent', groups: ['agents'], keys: [{ id: 'agent', sha256: hashAccessKey(key) }] }],
  }
}

async function metricsAt(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? []
    if (name !== '') sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP')
  return address.port
}
