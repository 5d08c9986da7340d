import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TargetSettings } from '../../../gateway/config.ts'
import { checkSigner, checkSpool, checkTargets } from '../../../gateway/doctor/check-machine.ts'
import { openFileSigner } from '../../../recorder/index.ts'
import { startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { startVault } from '../../support/vault.ts'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

function target(name: string, port: number, password?: { readonly env: string }): [string, TargetSettings] {
  const credential = {
    user: 'gateway',
    tls: { mode: 'verify' as const },
    from: (path: string) => path,
    ...(password ? { password } : {}),
  }
  return [
    name,
    {
      target: { name, protocol: 'postgres', host: '127.0.0.1', port, labels: {} },
      hosts: [],
      groups: [],
      durability: 'process',
      credential,
    },
  ]
}

test('the spool is looked at where it will be, also before it is there', async () => {
  await using made = await temporary()
  const { status, seen } = await checkSpool({ dataDir: join(made.path, 'not', 'yet') })
  assert.ok(['ok', 'warning'].includes(status), seen)
  assert.match(seen, /MiB free for .*not\/yet\/spool/)
})

test('spools that are kept, and what is none among them, are named', async () => {
  await using made = await temporary()
  const spool = join(made.path, 'spool')
  await mkdir(join(spool, 'gw1'), { recursive: true })
  await writeFile(join(spool, 'gw1', 'reserve'), '')
  assert.doesNotMatch((await checkSpool({ dataDir: made.path })).seen, /evidence|no spools/)
  await writeFile(join(spool, 'README'), 'x')
  const foreign = await checkSpool({ dataDir: made.path })
  assert.equal(foreign.status, 'warning')
  assert.match(foreign.seen, /no spools: README$/)
  for (const name of ['.kept~gw1~17~gw2', '.claimed~gw1~18~gw3']) await mkdir(join(spool, name))
  const kept = await checkSpool({ dataDir: made.path })
  assert.equal(kept.status, 'warning')
  assert.match(kept.seen, /evidence: (?=.*\.kept~gw1~17~gw2)(?=.*\.claimed~gw1~18~gw3)/)
})

test('targets are reached one by one; what keeps one away is told', async () => {
  const server = createServer((socket) => socket.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const closed = createServer()
  await once(closed.listen(0, '127.0.0.1'), 'listening')
  const { port: nobody } = closed.address() as AddressInfo
  closed.close()
  const targets = new Map([target('up', port), target('down', nobody), target('poor', port, { env: 'NO_SUCH_PASSWORD' })])
  const checks = await checkTargets({ targets }, {})
  server.close()
  assert.deepEqual(
    checks.map(({ what, status }) => [what, status]),
    [
      ['target up', 'ok'],
      ['target down', 'failed'],
      ['target poor', 'failed'],
    ],
  )
  assert.match(checks[0]?.seen ?? '', / answers, no secret is configured; not tried: TLS \(verify\), the login$/)
  assert.match(checks[1]?.seen ?? '', /ECONNREFUSED/)
  assert.match(checks[2]?.seen ?? '', /NO_SUCH_PASSWORD is not set/)
})

test('a credential of HTTP that is too short to be found in answers is told', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const [name, settings] = target('short', port, { env: 'SHORT' })
  const targets = new Map([[name, { ...settings, target: { ...settings.target, protocol: 'http' as const } }]])
  const [short] = await checkTargets({ targets }, { SHORT: 'abc' })
  const [long] = await checkTargets({ targets }, { SHORT: 'abcdef' })
  server.close()
  assert.deepEqual([short?.status, long?.status], ['warning', 'ok'])
})

test('a key file is found or still to be made; a key in a vault has to sign', async () => {
  await using made = await temporary()
  const settings = { dataDir: made.path, gateway: 'gw1' }
  assert.equal((await checkSigner(settings)).status, 'warning')
  await openFileSigner(join(made.path, 'keys'), 'gw1')
  assert.equal((await checkSigner(settings)).status, 'ok')

  await using endpoint = await startIdentityEndpoint()
  using _env = withEnv(endpoint.env)
  await using vault = await startVault(await trustedTls())
  const signer = { url: vault.url, key: 'evidence', identity: { kind: 'managed', clientId: randomUUID() } } as const
  assert.match((await checkSigner({ ...settings, signer })).seen, /signs ES256/)
  const inDays = (days: number) => ({ exp: Math.floor(Date.now() / 1000) + days * 86_400 })
  for (const [attributes, status] of [
    [inDays(100), 'ok'],
    [inDays(10), 'warning'],
    [inDays(-1), 'failed'],
    [{ enabled: false }, 'failed'],
  ] as const) {
    vault.alter = (answer, path) => (path.endsWith('/sign') ? answer : { ...answer, attributes })
    assert.equal((await checkSigner({ ...settings, signer })).status, status, JSON.stringify(attributes))
  }
  vault.alter = undefined
  const wrong = await checkSigner({ ...settings, signer: { ...signer, key: 'rsa' } })
  assert.deepEqual([wrong.status, /P-256/.test(wrong.seen)], ['failed', true])
})
