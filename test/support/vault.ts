import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { signDigest } from './p256.ts'
import type { Identity } from './pg-tls.ts'

export interface TestVault extends AsyncDisposable {
  readonly url: string
  readonly secrets: Map<string, string>
  /** `GET /keys/k` ..., in order. */
  readonly asked: string[]
  /** Statuses to answer with before the truth; 0 cuts the connection. */
  failures: number[]
  readonly publicKey: KeyObject
}

const VERSION = '0123456789abcdef0123456789abcdef'

/** Key Vault on loopback: one key `evidence` (P-256), one `rsa`, and secrets. Tokens must be for the vault's audience. */
export async function startVault(tls: Identity): Promise<TestVault> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y, d = '' } = privateKey.export({ format: 'jwk' })
  const server = createServer(tls, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const { pathname, searchParams } = new URL(request.url ?? '/', vault.url)
    vault.asked.push(`${request.method} ${pathname}`)
    const say = (status: number, value: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    const refuse = (status: number, code: string): void => say(status, { error: { code, message: 'as the test says' } })
    const failure = vault.failures.shift()
    if (failure === 0) return void request.socket.destroy()
    if (failure !== undefined) return refuse(failure, 'Failure')
    if (audienceOf(request.headers.authorization) !== 'https://vault.azure.net') return refuse(401, 'Unauthorized')
    if (searchParams.get('api-version') === null) return refuse(400, 'BadParameter')
    const [, kind, name = '', version, verb] = pathname.split('/')
    if (kind === 'secrets') {
      const value = vault.secrets.get(name)
      return value === undefined
        ? refuse(404, 'SecretNotFound')
        : say(200, { value, id: `${vault.url}/secrets/${name}/${VERSION}` })
    }
    const kid = `${vault.url}/keys/${name}/${VERSION}`
    if (kind !== 'keys' || !['evidence', 'rsa'].includes(name)) return refuse(404, 'KeyNotFound')
    if (verb !== 'sign') return say(200, { key: name === 'rsa' ? { kid, kty: 'RSA' } : { kid, kty: 'EC', crv: 'P-256', x, y } })
    const { alg, value } = JSON.parse(body)
    if (alg !== 'ES256' || version !== VERSION) return refuse(400, 'BadParameter')
    say(200, { kid, value: signDigest(Buffer.from(d, 'base64url'), Buffer.from(value, 'base64url')).toString('base64url') })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const vault: TestVault = {
    url: `https://127.0.0.1:${port}`,
    secrets: new Map(),
    asked: [],
    failures: [],
    publicKey,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return vault
}

function audienceOf(authorization: string | undefined): string | undefined {
  const payload = /^Bearer [^.]+\.([^.]+)\./.exec(authorization ?? '')?.[1]
  return payload === undefined ? undefined : JSON.parse(Buffer.from(payload, 'base64url').toString()).aud
}
