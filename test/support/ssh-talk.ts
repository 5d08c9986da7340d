import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type {
  ClientChannel,
  Connection,
  ExecOptions,
  ServerChannel,
  Session,
  Client as SshClient,
  Server as SshServer,
} from 'ssh2'
import type { GateParts } from '../../gateway/gate.ts'
import { Chatter } from '../../gateway/intake.ts'
import { loadShell } from '../../gateway/policy/shell/parse.ts'
import { Conversation } from '../../gateway/protocols/ssh/conversation.ts'
import { AgentDoor } from '../../gateway/protocols/ssh/forward-ends.ts'
import { newKey } from '../../gateway/protocols/ssh/host-key.ts'
import { hearLate } from '../../gateway/protocols/ssh/late-requests.ts'
import { Client, Server } from '../../gateway/protocols/ssh/library.ts'
import { SshWire } from '../../gateway/protocols/ssh/wire.ts'
import { type FakeParts, fakeGate, fakeParts } from './fakes.ts'

const FACTS = { host: '127.0.0.1', port: 22, user: 'ada', method: 'none', software: 'ssh2', hostKey: '' }

/** A conversation between a client and a target that does what the test says; nothing is asked of either before that. */
export interface SshTalk extends AsyncDisposable {
  readonly parts: FakeParts
  exec(options?: ExecOptions, command?: string): Promise<ClientChannel>
  /** What of the tape is of this kind. */
  taped(kind: string): FakeParts['recorder']['entries']
}

/** `target`: hears of every session channel that is opened there. */
export async function startSshTalk(
  target: (session: Session) => void,
  parts: Partial<Omit<GateParts, 'recorder' | 'approvals'>> = {},
): Promise<SshTalk> {
  await loadShell()
  const [far, near] = [await listen(), await listen()]
  far.server.on('connection', (connection) => connection.on('session', (accept) => target(accept())))
  const upstream = await far.login()
  const fakes = fakeParts(parts)
  const wire = new SshWire()
  const session = new AbortController()
  const conversation = Promise.withResolvers<Conversation>()
  near.server.on('connection', (connection: Connection) => {
    const { signal } = session
    const ends = { connection, wire, signal, chatter: new Chatter(), gate: fakeGate(wire, fakes) }
    conversation.resolve(new Conversation({ ...ends, upstream: Promise.resolve({ client: upstream, facts: FACTS }) }))
  })
  const client = await near.login()
  const ended = (await conversation.promise).ended()
  return {
    parts: fakes,
    exec: (options = {}, command = 'run') =>
      new Promise((resolve, reject) =>
        client.exec(command, options, (error, channel) => (error === undefined ? resolve(channel) : reject(error))),
      ),
    taped: (kind) => fakes.recorder.entries.filter((entry) => entry.kind === kind),
    async [Symbol.asyncDispose]() {
      client.end()
      await ended
      upstream.end()
      for (const { server } of [far, near]) server.close()
    },
  }
}

/** The channel of the next command, once the target has let it begin. */
export function begun(session: Session): Promise<ServerChannel> {
  session.on('pty', (accept) => accept?.())
  return new Promise((resolve) => session.once('exec', (accept) => resolve(accept())))
}

async function listen(): Promise<{ readonly server: SshServer; readonly login: () => Promise<SshClient> }> {
  const server = new Server({ hostKeys: [newKey('test')] }, (connection) => {
    hearLate(connection)
    connection.on('error', () => undefined)
    connection.on('authentication', (context) => context.accept())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const login = async (): Promise<SshClient> => {
    const client = new Client()
    client.on('error', () => undefined)
    const { port } = server.address() as AddressInfo
    client.connect({ host: '127.0.0.1', port, username: 'ada', authHandler: ['none'], agent: new AgentDoor() })
    await once(client, 'ready')
    return client
  }
  return { server, login }
}
