import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type Identity, selfSigned } from './pg-tls.ts'

/** What the endpoint answers: a token, a refusal, or nothing at all. */
export type Answer = 'ok' | 400 | 429 | 500 | 'cut'

export interface IdentityEndpoint extends AsyncDisposable {
  /** For a process whose managed identity it is. */
  readonly env: { readonly IDENTITY_ENDPOINT: string; readonly IDENTITY_HEADER: string }
  /** `resource client_id` of every question, in order. */
  readonly asked: string[]
  /** What it answers from now on; one after the other, the last one for ever. */
  answers: readonly Answer[]
  /** Life of the tokens it gives from now on, s. */
  lifeS: number
}

/** The endpoint App Service and Container Apps give their processes (API version 2019-08-01), on loopback. */
export async function startIdentityEndpoint(): Promise<IdentityEndpoint> {
  const header = randomBytes(16).toString('hex')
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const say = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.headers['x-identity-header'] !== header || url.searchParams.get('api-version') !== '2019-08-01')
      return say(401, { error: 'unauthorized' })
    const resource = url.searchParams.get('resource') ?? ''
    endpoint.asked.push(`${resource} ${url.searchParams.get('client_id') ?? ''}`.trim())
    const [answer = 'ok', ...later] = endpoint.answers
    if (later.length > 0) endpoint.answers = later
    if (answer === 'cut') return void request.socket.destroy()
    if (answer !== 'ok') return say(answer, { statusCode: answer, message: 'as the test says' })
    const now = Math.floor(Date.now() / 1000)
    say(200, {
      access_token: jwt({ aud: resource, iat: now - 10, nbf: now - 10, exp: now + endpoint.lifeS, n: endpoint.asked.length }),
      expires_on: String(now + endpoint.lifeS),
      resource,
      token_type: 'Bearer',
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const endpoint: IdentityEndpoint = {
    env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: header },
    asked: [],
    answers: ['ok'],
    lifeS: 3_600,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return endpoint
}

/** The shape of Entra's tokens; nobody here checks the signature. */
function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const tenant = '11111111-2222-3333-4444-555555555555'
  const payload = { iss: `https://sts.windows.net/${tenant}/`, tid: tenant, oid: 'recorder', idtyp: 'app', ...claims }
  return [part({ typ: 'JWT', alg: 'RS256' }), part(payload), randomBytes(32).toString('base64url')].join('.')
}

/** Sets variables of this process until disposed; tests of a file run one after the other. */
export function withEnv(variables: Readonly<Record<string, string>>): Disposable {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    },
  }
}

/** A certificate for loopback and `addresses` that this process trusts from now on, as NODE_EXTRA_CA_CERTS makes others do. */
export async function trustedTls(...addresses: readonly string[]): Promise<Identity> {
  const tls = await selfSigned('localhost', 'sha256', addresses)
  setDefaultCACertificates([...getCACertificates('default'), tls.cert])
  return tls
}
