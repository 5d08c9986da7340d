import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type GenerateResult, generate } from 'selfsigned'
import type { Settings } from '../../../gateway/config.ts'
import { checkCertificates, checkIssuers } from '../../../gateway/doctor/check-identity.ts'

async function folder(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'))
  t.after(() => rm(made, { recursive: true, force: true }))
  return made
}

test('issuers whose keys can be had, and those that cannot be asked', async (t) => {
  const answers: Record<string, object> = { '/jwks': { keys: [{ kty: 'oct', k: 'AA' }] }, '/none': { keys: [] } }
  const server = createServer(({ url = '' }, response) => {
    const answer = answers[url]
    if (answer === undefined) response.writeHead(404).end()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on TCP
  answers['/.well-known/openid-configuration'] = { issuer: base, jwks_uri: `${base}/jwks` }
  const file = join(await folder(t), 'jwks.json')
  await writeFile(file, JSON.stringify(answers['/jwks']))
  const jwt = [
    { uri: `${base}/jwks` },
    { uri: `${base}/none` },
    { uri: `${base}/gone` },
    { uri: 'http://127.0.0.1:1/' },
    { file },
  ].map((jwks, index) => ({ issuer: `https://${index}.example`, audience: 'sallyport', kind: 'service' as const, jwks }))
  const signIn = { oidc: { issuer: base, clientId: 'console' } }
  const own = { host: '127.0.0.1', port: 0, roles: {}, signIn } as Settings['console'] & object // what is asked of it
  const seen = await checkIssuers({ jwt, console: own })
  assert.deepEqual(
    seen.map(({ status }) => status),
    ['ok', 'failed', 'failed', 'failed', 'ok', 'ok'],
  )
  assert.match(seen[2]?.seen ?? '', /\/gone does not answer with keys/)
  delete answers['/jwks']
  const [, withoutKeys] = await checkIssuers({ jwt: jwt.slice(4), console: own })
  assert.match(`${withoutKeys?.status} ${withoutKeys?.seen}`, /failed .*\/jwks cannot be asked: HTTP 404/)
  delete answers['/.well-known/openid-configuration']
  const [, away] = await checkIssuers({ jwt: jwt.slice(4), console: own })
  assert.match(`${away?.status} ${away?.seen}`, /failed .*cannot be asked/)
})

test('certificates: none yet, good for long, for days, expired, missing', async (t) => {
  const dataDir = await folder(t)
  const make = async (name: string, days: number): Promise<{ certFile: string; keyFile: string }> => {
    const pair: GenerateResult = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      curve: 'P-256',
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() - 100 * 86_400_000),
      notAfterDate: new Date(Date.now() + days * 86_400_000),
    })
    const files = { certFile: join(dataDir, `${name}.crt`), keyFile: join(dataDir, `${name}.key`) }
    await writeFile(files.certFile, pair.cert)
    await writeFile(files.keyFile, pair.private)
    return files
  }
  const door = (protocol: 'postgres' | 'http' | 'ssh' | 'egress', tls: object) => ({
    protocol,
    host: '127.0.0.1',
    port: 0,
    tls: { required: false, ...tls },
  })
  const listeners = [
    door('postgres', {}),
    door('http', await make('long', 100)),
    door('http', await make('short', 5)),
    { ...door('http', await make('over', -2)), authority: await make('authority', -2) },
    door('http', { certFile: join(dataDir, 'gone.crt'), keyFile: join(dataDir, 'gone.key') }),
    door('ssh', {}),
  ]
  const seen = await checkCertificates({ listeners, dataDir, gateway: 'gw1' })
  assert.deepEqual(
    seen.map(({ what, status }) => `${what} ${status}`),
    [
      'certificate listeners.postgres ok',
      'certificate listeners.http ok',
      'certificate listeners.http warning',
      'certificate listeners.http failed',
      'certificate listeners.http failed',
      'authority listeners.egress failed',
    ],
  )
  assert.match(seen[2]?.seen ?? '', /good for [45] days/)
  assert.match(seen[3]?.seen ?? '', /expired/)
})
