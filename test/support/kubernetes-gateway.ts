import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { silentLog } from '../../gateway/log.ts'
import { Service } from '../../gateway/service.ts'
import { KubernetesApi, type Pods } from './kubernetes-api.ts'

const CLUSTER_TOKEN = `cluster-${'t'.repeat(24)}`

const POLICY = `
version: 1
rules:
  - { id: no-deletes, on: kubernetes, match: { verb: [delete, deletecollection], namespace: prod }, action: block, reason: nothing is deleted in prod, hint: ask for a change }
  - { id: ask-scale, on: kubernetes, match: { verb: patch, resource: deployments }, action: hold, reason: people decide, approval: { groups: [deciders], timeout: 20s } }
  - { id: no-etc, on: kubernetes, match: { kind: exec, program: cat, file: /etc/shadow }, action: block, reason: not that file }
  - { id: ask-exec, on: kubernetes, match: { kind: exec, program: reboot }, action: hold, reason: people decide, approval: { groups: [deciders], timeout: 20s } }
  - { id: forward, on: kubernetes, match: { kind: port-forward }, action: allow }
exempt:
  - { who: { groups: [keepers] }, labels: kubernetes.secret }
`

export interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface KubernetesGateway extends AsyncDisposable {
  readonly api: KubernetesApi
  readonly folder: string
  readonly config: string
  readonly dataDir: string
  readonly port: number
  readonly url: string
  readonly keys: { readonly agent: string; readonly human: string; readonly keeper: string }
  readonly clusterToken: string
  readonly service: Service
  stop(): Promise<boolean>
  /** Runs kubectl to its end as this identity. */
  kubectl(binary: string, key: string, args: readonly string[], input?: string | Buffer): Promise<Said>
  start(binary: string, key: string, args: readonly string[]): ChildProcess
  /** Runs it with these arguments and nothing more. */
  plain(binary: string, args: readonly string[]): Promise<Said>
  /** Runs a command in a terminal of its own, and gives what stood on it. */
  inTerminal(command: readonly string[]): Promise<string>
}

/** kubectls this machine has, the oldest first: what speaks SPDY alone, and what speaks WebSocket. */
export function kubectls(): readonly string[] {
  const kept = '/usr/lib/google-cloud-sdk/bin'
  const versions = ['27', '30', '33'].map((minor) => join(kept, `kubectl.1.${minor}`)).filter((path) => existsSync(path))
  return versions.length > 0 ? versions : ['/usr/bin/kubectl'].filter((path) => existsSync(path))
}

export async function kubernetesGateway(
  pods: Pods,
  options: { readonly impersonate?: string; readonly policy?: string; readonly path?: string } = {},
): Promise<KubernetesGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-kube-'))
  const api = await KubernetesApi.start(pods, options.path)
  const keys = { agent: newAccessKey(), human: newAccessKey(), keeper: newAccessKey() }
  const config = join(folder, 'sallyport.yaml')
  await writeFile(join(folder, 'policy.yaml'), options.policy ?? POLICY)
  await writeFile(
    config,
    `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  kubernetes: { address: '127.0.0.1:0', tls: { mode: optional } }
targets:
  - name: cluster
    protocol: kubernetes
    host: 127.0.0.1
    port: ${api.port}
    ${options.path === undefined ? '' : `path: ${options.path}`}
    groups: [agents, people, keepers]
    tls: { mode: off }
    credential: { password: { env: CLUSTER } ${options.impersonate ?? ''} }
identities:
  - { subject: agent-7, kind: agent, groups: [agents], principal: ada, keys: [{ id: agent, sha256: ${hashAccessKey(keys.agent)} }] }
  - { subject: ada, kind: human, groups: [people], keys: [{ id: ada, sha256: ${hashAccessKey(keys.human)} }] }
  - { subject: kim, kind: human, groups: [keepers], keys: [{ id: kim, sha256: ${hashAccessKey(keys.keeper)} }] }
  - { subject: grace, kind: human, groups: [deciders] }
`,
  )
  const env = { CLUSTER: CLUSTER_TOKEN }
  const service = await Service.open(await loadConfig(config, env), { log: silentLog(), env })
  const [listener] = service.listeners
  if (listener === undefined) throw new Error('the configuration has a listener')
  const { port } = listener.address
  const url = `https://127.0.0.1:${port}/t/cluster`
  const stop = (): Promise<boolean> => service.stop('test ends')
  const own = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: '/dev/null' }
  const start = (binary: string, key: string, args: readonly string[]): ChildProcess =>
    spawn(
      binary,
      ['--server', url, '--insecure-skip-tls-verify', '--token', key, '--cache-dir', join(folder, 'cache'), ...args],
      {
        env: own,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
  return {
    api,
    folder,
    config,
    dataDir: join(folder, 'data'),
    port,
    url,
    keys,
    clusterToken: CLUSTER_TOKEN,
    service,
    stop,
    start,
    async inTerminal(command) {
      const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
      const child = spawn('script', ['-qec', quoted, '/dev/null'], { env: own, stdio: ['pipe', 'pipe', 'inherit'] })
      const chunks: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
      await once(child, 'close')
      return Buffer.concat(chunks).toString()
    },
    kubectl: (binary, key, args, input) => saidBy(start(binary, key, args), input),
    plain: (binary, args) => saidBy(spawn(binary, args, { env: own, stdio: ['pipe', 'pipe', 'pipe'] })),
    [Symbol.asyncDispose]: async () => {
      await stop()
      await api[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function saidBy(child: ChildProcess, input: string | Buffer = ''): Promise<Said> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin?.on('error', () => undefined).end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString('latin1'), stderr: Buffer.concat(stderr).toString() }
}
