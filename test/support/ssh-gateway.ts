import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { Log } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import { Service } from '../../gateway/service.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import type { TapeFrame } from '../../recorder/index.ts'
import type { Config } from '../../schemas/config.ts'
import { clientHere, type Ran, Running, type RunOptions } from './clients.ts'
import { LogLines } from './gateway-log.ts'
import { keyIn, type Sshd, startSshd } from './sshd.ts'
import { framesOf, sessionsOf } from './tapes.ts'

export const TARGET = 'web-1'

type Who = 'agent' | 'human'

export interface SshGatewayOptions {
  readonly policy?: string
  readonly sshd?: readonly string[]
  readonly limits?: NonNullable<Config['limits']>
  /** In the place of what the target really proves. */
  readonly hostKeys?: readonly string[]
  /** Who may sign certificates. */
  readonly userAuthorities?: readonly string[]
  readonly port?: number
  /** Authorities of hosts, in the place of host keys; and the name their certificates must have. */
  readonly hostAuthorities?: readonly string[]
  readonly hostName?: string
  /** A key and a certificate of the gateway's own, in the place of the key the target lets in; read anew for each session. */
  readonly own?: { readonly key: string; readonly certificate: string }
  /** Where people may sign in by a browser: those of the role `developers` have the target. */
  readonly device?: { readonly issuer: string; readonly clientId: string }
}

/** A gateway before a real sshd, in this process, and OpenSSH clients that know its host key. */
export interface SshGateway extends AsyncDisposable {
  readonly sshd: Sshd
  readonly service: Service
  readonly port: number
  readonly folder: string
  readonly dataDir: string
  readonly keys: Readonly<Record<Who | 'approver', string>>
  readonly log: LogLines
  /** Files of ssh keys that belong to somebody. */
  readonly identityFiles: Readonly<Record<Who, string>>
  /** Options of every OpenSSH client: which key, whose host key, nothing of the tester's own settings. */
  options(as?: Who): string[]
  /** `ssh ... <target> <args>` as the agent, unless said otherwise. */
  ssh(args: readonly string[], how?: RunOptions & { readonly as?: Who; readonly flags?: readonly string[] }): Running
  run(args: readonly string[], how?: RunOptions & { readonly as?: Who; readonly flags?: readonly string[] }): Promise<Ran>
  desk(): Promise<RecordsDesk>
  /** Of the only session so far, or the newest, once it is sealed. */
  frames(): Promise<TapeFrame[]>
}

const OPEN_POLICY = 'version: 1\nrules: []\n'

/** Undefined, and said, where this machine has no OpenSSH. */
export async function startSshGateway(t: TestContext, options: SshGatewayOptions = {}): Promise<SshGateway | undefined> {
  const program = clientHere(t, 'ssh')
  if (program === undefined || clientHere(t, 'sshd') === undefined) return undefined
  await using stack = new AsyncDisposableStack()
  const sshd = stack.use(await startSshd(options.sshd))
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-ssh-'))
  // What is withdrawn at the end may still be written down.
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  const keys = { agent: newAccessKey(), human: newAccessKey(), approver: newAccessKey() }
  const own = { agent: await keyIn(folder, 'id_agent'), human: await keyIn(folder, 'id_human') }
  await mkdir(join(folder, 'secrets'), { mode: 0o700 })
  await writeFile(join(folder, 'secrets', 'target'), sshd.userKey, { mode: 0o600 })
  await writeFile(join(folder, 'policy.yaml'), options.policy ?? OPEN_POLICY)
  const identity = (subject: string, kind: string, groups: string[], key: string, rest: object): object => ({
    subject,
    kind,
    groups,
    keys: [{ id: subject, sha256: hashAccessKey(key) }],
    ...rest,
  })
  const config = {
    gateway: 'gw1',
    dataDir: 'data',
    policy: 'policy.yaml',
    listeners: {
      ssh: {
        address: '127.0.0.1:0',
        ...(options.userAuthorities === undefined ? {} : { userAuthorities: options.userAuthorities }),
        ...(options.device === undefined ? {} : { deviceLogin: true }),
      },
    },
    targets: [
      {
        name: TARGET,
        protocol: 'ssh',
        host: '127.0.0.1',
        port: options.port ?? sshd.port,
        groups: ['agents', 'developers'],
        ...(options.hostAuthorities === undefined
          ? { hostKeys: options.hostKeys ?? [sshd.hostKey] }
          : { hostAuthorities: options.hostAuthorities }),
        ...(options.hostName === undefined ? {} : { hostName: options.hostName }),
        credential: {
          user: sshd.user,
          privateKey: { file: options.own?.key ?? 'secrets/target' },
          ...(options.own === undefined ? {} : { userCertificate: options.own.certificate }),
        },
      },
    ],
    identities: [
      identity('agent-7', 'agent', ['agents'], keys.agent, { principal: 'ada', sshKeys: [own.agent.line] }),
      identity('ada', 'human', ['developers'], keys.human, { sshKeys: [own.human.line] }),
      identity('grace', 'human', ['approvers'], keys.approver, {}),
    ],
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.device === undefined ? {} : deviceLogin(options.device)),
  }
  const file = join(folder, 'sallyport.yaml')
  await writeFile(file, JSON.stringify(config))
  const log = new LogLines()
  const service = await Service.open(await loadConfig(file, {}), {
    log: new Log(pino({ level: 'info', base: {} }, log)),
    env: {},
  })
  stack.defer(async () => void (await service.stop('test over')))
  const port = service.listeners[0]?.address.port ?? 0
  const dataDir = join(folder, 'data')
  const hostKey = await readFile(join(placesIn(dataDir).keys, 'ssh_host_ed25519_key.pub'), 'utf8')
  await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`)
  const clientOptions = (as: Who = 'agent'): string[] =>
    [
      `IdentityFile=${own[as].path}`,
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
      'GlobalKnownHostsFile=/dev/null',
      'StrictHostKeyChecking=yes',
      'BatchMode=yes',
      `Port=${port}`,
    ].flatMap((option) => ['-o', option])
  const kept = stack.move()
  const ssh: SshGateway['ssh'] = (args, { as = 'agent', flags = [], ...how } = {}) =>
    new Running(program, ['-F', 'none', ...flags, ...clientOptions(as), `${as}+${TARGET}@127.0.0.1`, ...args], how)
  return {
    sshd,
    service,
    port,
    folder,
    dataDir,
    keys,
    log,
    identityFiles: { agent: own.agent.path, human: own.human.path },
    options: (as) => ['-F', 'none', ...clientOptions(as)],
    ssh,
    run: (args, how) => ssh(args, { input: '', ...how }).ended,
    async desk() {
      const desk = openFolderDesk(placesIn(dataDir).approvals)
      kept.defer(() => desk[Symbol.dispose]())
      return desk
    },
    async frames() {
      const sessions = await sessionsOf(dataDir)
      const id = sessions
        .map((session) => session.id)
        .sort()
        .at(-1)
      if (id === undefined) throw new Error('no session was recorded')
      await log.until((line) => line['msg'] === 'session sealed' && line['session'] === id)
      return framesOf(dataDir, id)
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function deviceLogin({ issuer, clientId }: NonNullable<SshGatewayOptions['device']>): object {
  const rules = { groups: ['developers'], claims: { groups: 'roles' } }
  return {
    console: {
      address: '127.0.0.1:0',
      roles: { viewer: ['approvers'] },
      signIn: { oidc: { issuer, clientId, scope: 'openid profile', ...rules } },
    },
    jwt: [{ issuer, audience: clientId, jwks: { uri: `${issuer}/jwks` }, kind: 'human', ...rules }],
  }
}
