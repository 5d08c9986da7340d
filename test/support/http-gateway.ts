import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { type Log, silentLog } from '../../gateway/log.ts'
import { Service } from '../../gateway/service.ts'

/** What the gateway proves itself with. Made here, so that no file holds anything like it. */
const UPSTREAM_TOKEN = `upstream-${'t'.repeat(24)}`

const POLICY = `
version: 1
labels:
  pii.nickname: { names: [nickname], entity: nickname }
rules:
  - { id: no-deletes, on: http, match: { method: DELETE }, action: block, reason: nothing is deleted here, hint: ask for an archive }
  - { id: ask-payments, on: http, match: { route: /payments/*, method: POST }, action: hold, reason: payments are decided by people, approval: { groups: [deciders], timeout: 20s } }
  - { id: no-shell-tool, on: http, match: { tool: shell* }, action: block, reason: no shells }
  - { id: too-much, on: http, threshold: { bytes: 4MiB, per: statement }, action: block, reason: more than 4 MiB in one answer }
`

/** A gateway in a folder of its own in front of one HTTP service. */
export interface HttpGateway extends AsyncDisposable {
  readonly folder: string
  readonly config: string
  readonly dataDir: string
  readonly service: Service
  readonly keys: { readonly agent: string; readonly outsider: string; readonly approver: string }
  /** `http://127.0.0.1:<port>/t/shop`. */
  readonly url: string
  readonly port: number
  /** The credential the target sees. */
  readonly upstreamToken: string
  /** Ends all sessions and the listeners; the tapes are sealed when it resolves. */
  stop(): Promise<boolean>
}

export async function httpGateway(
  target: RequestListener,
  options: {
    readonly policy?: string
    readonly log?: Log
    readonly credential?: string
    readonly tls?: 'required' | 'optional'
    /** The listener's own, in place of one made at its start. */
    readonly identity?: { readonly cert: string; readonly key: string }
    /** A target that runs already, in place of one that `target` answers for. */
    readonly at?: { readonly port: number; readonly tls: string }
    readonly onUpgrade?: (request: IncomingMessage, socket: Duplex) => void
  } = {},
): Promise<HttpGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-http-'))
  const origin = createServer(target)
  if (options.onUpgrade !== undefined) origin.on('upgrade', options.onUpgrade)
  await once(origin.listen(0, '127.0.0.1'), 'listening')
  const keys = { agent: newAccessKey(), outsider: newAccessKey(), approver: newAccessKey() }
  const config = join(folder, 'sallyport.yaml')
  const { port: originPort } = origin.address() as AddressInfo // it listens on TCP
  await writeFile(join(folder, 'policy.yaml'), options.policy ?? POLICY)
  const { identity, at = { port: originPort, tls: '{ mode: off }' } } = options
  for (const [name, text] of Object.entries(identity ?? {})) await writeFile(join(folder, `${name}.pem`), text, { mode: 0o600 })
  await writeFile(
    config,
    `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  http: { address: '127.0.0.1:0', tls: { mode: ${options.tls ?? 'optional'}${identity === undefined ? '' : ', cert: cert.pem, key: key.pem'} } }
targets:
  - name: shop
    protocol: http
    hosts: [shop.internal]
    host: 127.0.0.1
    port: ${at.port}
    groups: [agents]
    tls: ${at.tls}
    credential: ${options.credential ?? '{ password: { env: UPSTREAM } }'}
identities:
  - { subject: agent-7, kind: agent, groups: [agents], principal: ada, keys: [{ id: agent, sha256: ${hashAccessKey(keys.agent)} }] }
  - { subject: eve, kind: human, groups: [others], keys: [{ id: eve, sha256: ${hashAccessKey(keys.outsider)} }] }
  - { subject: grace, kind: human, groups: [deciders], keys: [{ id: grace, sha256: ${hashAccessKey(keys.approver)} }] }
`,
  )
  const env = { UPSTREAM: UPSTREAM_TOKEN }
  const service = await Service.open(await loadConfig(config, env), { log: options.log ?? silentLog(), env })
  const [listener] = service.listeners
  if (listener === undefined) throw new Error('the configuration has a listener')
  const { port } = listener.address
  const stop = (): Promise<boolean> => service.stop('test ends')
  return {
    folder,
    config,
    dataDir: join(folder, 'data'),
    service,
    keys,
    url: `http://127.0.0.1:${port}/t/shop`,
    port,
    upstreamToken: UPSTREAM_TOKEN,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
      origin.closeAllConnections()
      origin.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
