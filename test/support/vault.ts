import assert from 'node:assert/strict'
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
  /** Statuses to answer with before the truth; 0 cuts the connection, Infinity leaves it without an answer. */
  failures: number[]
  /** What becomes of an answer that is right: another object, or the body itself. */
  alter: ((answer: Readonly<Record<string, unknown>>, path: string) => object | string) | undefined
  /** Of the first version. */
  readonly publicKey: KeyObject
  /** Makes a new version of the key. */
  rotate(): void
  /** Where it sends whoever is told 302. */
  elsewhere: string
}

const VERSION = '0123456789abcdef0123456789abcdef'
const A_YEAR_S = '31536000'

/** Key Vault on loopback: one key `evidence` (P-256), one `rsa`, and secrets. Tokens must be for the vault's audience. */
export async function startVault(tls: Identity): Promise<TestVault> {
  const versions = new Map<string, ReturnType<typeof newKey>>([[VERSION, newKey()]])
  const server = createServer(tls, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const { pathname, searchParams } = new URL(request.url ?? '/', vault.url)
    vault.asked.push(`${request.method} ${pathname}`)
    const say = (status: number, value: object): void => {
      const altered = status === 200 ? (vault.alter?.({ ...value }, pathname) ?? value) : value
      const headers = { 'content-type': 'application/json', 'retry-after': A_YEAR_S, location: vault.elsewhere }
      response.writeHead(status, headers).end(typeof altered === 'string' ? altered : JSON.stringify(altered))
    }
    const refuse = (status: number, code: string): void => say(status, { error: { code, message: 'as the test says' } })
    const failure = vault.failures.shift()
    if (failure === 0) return void request.socket.destroy()
    if (failure === Number.POSITIVE_INFINITY) return
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
    const asked = version === undefined || version === '' ? [...versions.keys()].at(-1) : version
    const key = versions.get(asked ?? '')
    if (kind === 'keys' && key === undefined) return refuse(404, 'KeyNotFound')
    const kid = `${vault.url}/keys/${name}/${asked}`
    if (kind !== 'keys' || !['evidence', 'rsa'].includes(name)) return refuse(404, 'KeyNotFound')
    if (verb !== 'sign')
      return say(200, {
        key:
          name === 'rsa'
            ? { kid, kty: 'RSA' }
            : { kid, kty: 'EC', crv: 'P-256', x: key?.x, y: key?.y, key_ops: ['sign', 'verify'] },
        attributes: { enabled: true },
      })
    const { alg, value } = JSON.parse(body)
    if (alg !== 'ES256' || version === undefined || version === '') return refuse(400, 'BadParameter')
    say(200, {
      kid,
      value: signDigest(Buffer.from(key?.d ?? '', 'base64url'), Buffer.from(value, 'base64url')).toString('base64url'),
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const vault: TestVault = {
    url: `https://127.0.0.1:${port}`,
    secrets: new Map(),
    asked: [],
    failures: [],
    alter: undefined,
    publicKey: versions.get(VERSION)?.publicKey ?? assert.fail(),
    rotate: () => void versions.set(String(versions.size).repeat(32).slice(0, 32), newKey()),
    elsewhere: '',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return vault
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { publicKey, ...privateKey.export({ format: 'jwk' }) }
}

function audienceOf(authorization: string | undefined): string | undefined {
  const payload = /^Bearer [^.]+\.([^.]+)\./.exec(authorization ?? '')?.[1]
  return payload === undefined ? undefined : JSON.parse(Buffer.from(payload, 'base64url').toString()).aud
}
