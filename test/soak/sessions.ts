import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { Client } from 'pg'
import { Client as SshClient } from 'ssh2'
import { EchoClient } from '../support/echo-gateway.ts'
import type { SoakProtocol, SoakRig } from './rig.ts'

const READY_TIMEOUT_MS = 120_000

/** One client that is in. `work`: one exchange, checked. */
export interface SoakSession {
  work(): Promise<void>
  close(): Promise<void>
}

export function enter(protocol: SoakProtocol, rig: SoakRig): Promise<SoakSession> {
  switch (protocol) {
    case 'echo':
      return echo(rig)
    case 'http':
      return http(rig)
    case 'postgres':
      return postgres(rig)
    case 'ssh':
      return ssh(rig)
    default:
      return protocol satisfies never
  }
}

async function echo({ ports, key }: SoakRig): Promise<SoakSession> {
  const client = await EchoClient.enter(ports.echo, key)
  let count = 0
  const work = async (): Promise<void> => {
    count += 1
    client.say(`word ${count}`)
    same(await client.hear(), `word ${count}`)
  }
  await work()
  return { work, close: async () => void client.socket.destroy() }
}

async function http({ ports, key }: SoakRig): Promise<SoakSession> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let count = 0
  const work = async (): Promise<void> => {
    count += 1
    const path = `/t/web/things/${count}`
    const asked = request({ host: '127.0.0.1', port: ports.http, path, agent, headers: { authorization: `Bearer ${key}` } })
    asked.end()
    const [response] = await once(asked, 'response')
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    if (!text.includes(`/things/${count}`)) throw new Error(`http: ${response.statusCode} ${text.slice(0, 200)}`)
  }
  await work()
  return { work, close: async () => agent.destroy() }
}

async function postgres({ ports, key }: SoakRig): Promise<SoakSession> {
  const client = new Client({ host: '127.0.0.1', port: ports.postgres, user: 'agent', password: key, database: 'shop' })
  client.on('error', () => undefined)
  await client.connect()
  let count = 0
  const work = async (): Promise<void> => {
    count += 1
    const { rows } = await client.query('SELECT $1::int AS n, repeat($2, 100) AS text FROM generate_series(1, 20)', [count, 'x'])
    same(rows[0]?.n, count)
  }
  await work()
  return { work, close: () => client.end() }
}

async function ssh({ ports, key }: SoakRig): Promise<SoakSession> {
  const client = new SshClient()
  client.on('error', () => undefined)
  const ready = once(client, 'ready', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })
  client.connect({
    host: '127.0.0.1',
    port: ports.ssh,
    username: 'agent+host',
    password: key,
    readyTimeout: READY_TIMEOUT_MS,
    keepaliveInterval: 0,
  })
  await ready
  let count = 0
  const work = async (): Promise<void> => {
    count += 1
    const said = await new Promise<string>((resolve, reject) => {
      client.exec(`echo ${count}`, (error, stream) => {
        if (error !== undefined) return reject(error)
        let text = ''
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        stream.on('close', () => resolve(text))
        stream.stderr.resume()
      })
    })
    same(said.trim(), String(count))
  }
  await work()
  return {
    work,
    close: async () => {
      client.end()
    },
  }
}

function same(said: unknown, expected: unknown): void {
  if (said !== expected) throw new Error(`${JSON.stringify(said)} in place of ${JSON.stringify(expected)}`)
}
