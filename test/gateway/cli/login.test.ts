import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { login, token } from '../../../gateway/cli/login.ts'
import { JwtProver } from '../../../gateway/identity/jwt.ts'
import { CLIENT_ID, type OidcIssuer, oidcIssuer, Wanderer } from '../../support/oidc-issuer.ts'

const CLI_CLIENT = `${CLIENT_ID}-cli`
const stack = new AsyncDisposableStack()
let issuer: OidcIssuer
let console: string
let home: string
/** Whom the console names. */
let answered: string
before(async () => {
  issuer = stack.use(await oidcIssuer())
  issuer.people.set('ada', { oid: 'ada', roles: ['analysts'] })
  issuer.open('http://127.0.0.1/unused')
  answered = issuer.issuer
  // What a console answers who asks how one may sign in.
  const server = createServer((_request, response) => {
    const way = { issuer: answered, clientId: CLI_CLIENT, scope: 'openid profile' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ways: [{ id: 'oidc', name: 'x', href: '/x', login: way }] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stack.defer(() => void server.close())
  const address = server.address()
  console = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  home = await mkdtemp(join(tmpdir(), 'sallyport-login-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
})
after(() => stack.disposeAsync())

function terminal() {
  const said = { out: '', err: '' }
  let heard: () => void = () => undefined
  const told = new Promise<void>((resolve) => {
    heard = resolve
  })
  const cli = {
    env: { HOME: home },
    cwd: home,
    out: (text: string): void => {
      said.out += text
    },
    err: (text: string): void => {
      said.err += text
      heard()
    },
  }
  return { cli, said, told }
}

test('before anybody signed in there is no token', async () => {
  await assert.rejects(token({}, terminal().cli), { code: 'AUTH_REQUIRED' })
})

test('a person confirms the code in a browser; the terminal then has a token that proves them, and renews it', async () => {
  const { cli, said, told } = terminal()
  const done = login(`${console}/`, cli)
  await Promise.race([told, done])
  const address = /open (\S+)/.exec(said.err)?.[1] ?? ''
  await new Wanderer().confirmDevice(address, 'ada')
  assert.equal(await done, 0)
  const path = join(home, '.config', 'sallyport', 'login.json')
  assert.equal((await stat(path)).mode & 0o777, 0o600)

  const shown = terminal()
  assert.equal(await token({}, shown.cli), 0)
  const prover = await JwtProver.open([
    {
      issuer: issuer.issuer,
      audience: CLI_CLIENT,
      jwks: { uri: `${issuer.issuer}/jwks` },
      kind: 'human',
      groups: ['analysts'],
      claims: { groups: 'roles' },
    },
  ])
  const proof = await prover.prove(shown.said.out.trim())
  assert.deepEqual('identity' in proof && [proof.identity.subject, proof.identity.groups], ['ada', ['analysts']])

  const kubectl = terminal()
  await token({ execCredential: true }, kubectl.cli)
  const credential = JSON.parse(kubectl.said.out)
  assert.equal(credential.kind, 'ExecCredential')
  assert.equal(credential.status.token, shown.said.out.trim())
  assert.ok(Date.parse(credential.status.expirationTimestamp) > Date.now())

  await token({ pgpass: 'pgpass' }, terminal().cli)
  assert.equal(await readFile(join(home, 'pgpass'), 'utf8'), `*:*:*:*:${shown.said.out.trim()}\n`)
  assert.equal((await stat(join(home, 'pgpass'))).mode & 0o777, 0o600)

  // One that has run out is renewed without a person.
  const kept = JSON.parse(await readFile(path, 'utf8'))
  const [head = '', body = '', signature = ''] = kept.idToken.split('.')
  const old = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), exp: 1 }
  const expired = [head, Buffer.from(JSON.stringify(old)).toString('base64url'), signature].join('.')
  await writeFile(path, JSON.stringify({ ...kept, idToken: expired }))
  const again = terminal()
  assert.equal(await token({}, again.cli), 0)
  assert.ok('identity' in (await prover.prove(again.said.out.trim())))
})

test('neither console nor issuer is asked in clear over a network', async () => {
  const { cli, said } = terminal()
  await assert.rejects(login('http://console.example.org', cli), { code: 'CONFIG_INVALID' })
  await assert.rejects(login('http://localhost:@console.example.org/', cli), { code: 'CONFIG_INVALID' })
  for (const named of ['http://login.example.org', 'http://localhost:@login.example.org', 'ftp://127.0.0.1/', 'nonsense']) {
    answered = named
    await assert.rejects(login(console, cli), { code: 'AUTH_DENIED' })
  }
  answered = issuer.issuer
  assert.equal(said.err, '')
})
