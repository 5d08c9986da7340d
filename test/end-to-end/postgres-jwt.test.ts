import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose'
import { assertRan, clientHere, libpqEnv, type Ran, run } from '../support/clients.ts'
import { startGateway, targetAt } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'
import { sessionsOf } from '../support/tapes.ts'
import { search, writings } from '../support/tapes-search.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'sallyport-gw1'

test('psql gives a token of a configured issuer as its password, over TLS', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  const folder = await mkdtemp(join(tmpdir(), 'jwks-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const keys = await generateKeyPair('ES256')
  const jwks = join(folder, 'jwks.json')
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }] }))

  await using server = await startPostgres()
  await using gateway = await startGateway({
    targets: [targetAt(server, { name: 'shop' })],
    tls: 'required',
    jwt: [
      {
        issuer: ISSUER,
        audience: AUDIENCE,
        jwks: { file: jwks },
        kind: 'agent',
        groups: ['agents'],
        claims: { principal: 'act.sub' },
        subjectPrefix: 'login:',
        principalPrefix: '',
      },
    ],
  })
  const psql = (token: string, changes: Readonly<Record<string, string>> = {}): Promise<Ran> =>
    run(program, ['-X', '-At', '-c', 'select 6 * 7', '-c', 'select current_user'], {
      env: {
        ...libpqEnv(gateway, { database: 'shop', sslmode: 'verify-full' }),
        PGHOST: 'localhost',
        PGPASSWORD: token,
        ...changes,
      },
    })

  await t.test('is who the token says, whatever user name it gives', async () => {
    // Groups of this issuer that the configuration does not confer are worth nothing, however many there are.
    const groups = ['agents', 'approvers', ...Array.from({ length: 200 }, (_, n) => `team-${n}-of-the-whole-company`)]
    const token = await tokenOf(keys, { groups })
    assert.ok(token.length > 8_000, 'longer than what libpq itself would read from a prompt')
    const ran = await psql(token, { PGUSER: 'ada@example.com' })
    assertRan(ran, 'psql')
    assert.equal(ran.stdout, '42\npostgres\n')
    const opened = await gateway.log.until(({ msg }) => msg === 'session opened')
    assert.equal(opened['subject'], 'login:agent-42')
    await gateway.log.until(({ msg, session }) => msg === 'session sealed' && session === opened['session'])
    const [recorded] = await sessionsOf(gateway.folder.dataDir)
    assert.deepEqual(recorded?.header?.session.identity, {
      subject: 'login:agent-42',
      kind: 'agent',
      groups: ['agents'],
      proof: `jwt:${ISSUER}`,
      principal: 'grace@example.com',
    })

    const texts = await writings(gateway.folder.dataDir, gateway.log.text)
    assert.deepEqual(search(texts, 'login:agent-42').length > 0, true, 'the canary')
    for (const part of token.split('.')) assert.deepEqual(search(texts, part), [])
  })

  const others = await generateKeyPair('ES256')
  const refused: Readonly<Record<string, () => Promise<string>>> = {
    'signed by somebody else': () => tokenOf(others, {}),
    'run out': () => tokenOf(keys, { expiresIn: '-5m' }),
    'for another gateway': () => tokenOf(keys, { audience: 'sallyport-gw2' }),
    'without the human behind': () => tokenOf(keys, { behind: undefined }),
    'not signed at all': async () => {
      const [, payload = ''] = (await tokenOf(keys, {})).split('.')
      return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
    },
    'whose content was changed': async () => {
      const [head, payload = '', signature] = (await tokenOf(keys, {})).split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
      return `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')}.${signature}`
    },
  }
  for (const [name, make] of Object.entries(refused)) {
    await t.test(`refuses a token ${name}, and does not say what was wrong with it`, async () => {
      const ran = await psql(await make())
      assert.equal(ran.code, 2)
      assert.match(ran.stderr, /FATAL: {2}access denied: the key or token is unknown, expired or revoked/)
      assert.equal(ran.stdout, '')
    })
  }

  await t.test('confers no target on somebody in no group the configuration knows', async () => {
    const ran = await psql(await tokenOf(keys, { groups: ['approvers', 'developers'] }))
    assert.equal(ran.code, 2)
    assert.match(ran.stderr, /there is no target "shop" that login:agent-42 may reach here/)
  })
})

interface Making {
  readonly groups?: readonly string[]
  readonly audience?: string
  readonly expiresIn?: string
  readonly behind?: string | undefined
}

function tokenOf({ privateKey }: GenerateKeyPairResult, making: Making): Promise<string> {
  const { groups = ['agents'], audience = AUDIENCE, expiresIn = '5m', behind = 'grace@example.com' } = making
  const act = 'behind' in making && making.behind === undefined ? {} : { act: { sub: behind } }
  return new SignJWT({ groups, ...act })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setSubject('agent-42')
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(expiresIn)
    .sign(privateKey)
}
