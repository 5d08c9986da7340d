import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { type Log, silentLog } from '../../gateway/log.ts'
import { Service } from '../../gateway/service.ts'
import { selfSigned } from './pg-tls.ts'

/** A forward proxy in a folder of its own, with a web server in clear and one over TLS behind it, both on loopback. */
export interface EgressGateway extends AsyncDisposable {
  readonly dataDir: string
  readonly config: string
  readonly key: string
  readonly port: number
  /** PEM certificate of the TLS server, and the file it is in. */
  readonly ca: string
  readonly caFile: string
  readonly ports: { readonly clear: number; readonly tls: number }
  /** What the TLS server's connections have carried, once each has closed. */
  readonly carried: readonly { readonly read: number; readonly written: number }[]
  stop(): Promise<boolean>
}

export async function egressGateway(
  options: {
    readonly policy?: string
    readonly allow?: string
    readonly networks?: string
    readonly log?: Log
    /** YAML of `intercept`; the TLS server's certificate is `ca.pem` beside it. */
    readonly intercept?: string
    /** What the TLS server answers, and speaks after an upgrade. */
    readonly answer?: RequestListener
    readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void
  } = {},
): Promise<EgressGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-egress-'))
  const { cert, key: tlsKey } = await selfSigned()
  const carried: { read: number; written: number }[] = []
  const answer: RequestListener = options.answer ?? ((_request, response) => response.end('s'.repeat(100_000)))
  const secure = createTlsServer({ cert, key: tlsKey }, answer)
  if (options.upgrade !== undefined) secure.on('upgrade', options.upgrade)
  secure.on('connection', (socket: Socket) => {
    socket.once('close', () => carried.push({ read: socket.bytesRead, written: socket.bytesWritten }))
  })
  const clear = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end(`${request.method} ${request.url} ${request.headers.authorization?.length}`))
  })
  await once(secure.listen(0, '127.0.0.1'), 'listening')
  await once(clear.listen(0, '127.0.0.1'), 'listening')
  const ports = { clear: (clear.address() as AddressInfo).port, tls: (secure.address() as AddressInfo).port } // they listen on TCP
  const key = newAccessKey()
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, cert)
  await writeFile(join(folder, 'policy.yaml'), options.policy ?? 'version: 1\nrules: []\n')
  const config = join(folder, 'sallyport.yaml')
  await writeFile(
    config,
    `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  egress: { address: '127.0.0.1:0', tls: { mode: optional } }
targets:
  - name: egress
    protocol: egress
    groups: [agents]
    egress:
      allow: ${options.allow ?? '[localhost, 169.254.169.254, 10.1.2.3]'}
      ports: [${ports.tls}, ${ports.clear}, 80]
      networks: ${options.networks ?? "['127.0.0.0/8', '::1/128', '169.254.0.0/16']"}
${options.intercept === undefined ? '' : `      intercept: ${options.intercept}\n`}identities:
  - { subject: agent-7, kind: agent, groups: [agents], principal: ada, keys: [{ id: agent, sha256: ${hashAccessKey(key)} }] }
  - { subject: grace, kind: human, groups: [deciders], keys: [{ id: grace, sha256: ${hashAccessKey(newAccessKey())} }] }
`,
  )
  const service = await Service.open(await loadConfig(config, {}), { log: options.log ?? silentLog(), env: {} })
  const [listener] = service.listeners
  if (listener === undefined) throw new Error('the configuration has a listener')
  const stop = (): Promise<boolean> => service.stop('test ends')
  return {
    dataDir: join(folder, 'data'),
    config,
    key,
    port: listener.address.port,
    ca: cert,
    caFile,
    ports,
    carried,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
      for (const server of [secure, clear]) {
        server.closeAllConnections()
        server.close()
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}
