import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { JwtProver } from '../../../gateway/identity/jwt.ts'
import type { JwtIssuer } from '../../../schemas/config-identity.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'sallyport-gw1'
let folder = ''
let jwks = ''
let keys: GenerateKeyPairResult
let others: GenerateKeyPairResult

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-jwt-'))
  jwks = join(folder, 'jwks.json')
  keys = await generateKeyPair('ES256')
  others = await generateKeyPair('ES256')
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }] }))
})
after(() => rm(folder, { recursive: true, force: true }))

const issuer = (changes: Partial<JwtIssuer> = {}): JwtIssuer => ({
  issuer: ISSUER,
  audience: AUDIENCE,
  jwks: { file: jwks },
  kind: 'agent',
  groups: ['agents'],
  ...changes,
})

interface Making {
  readonly claims?: JWTPayload
  readonly key?: GenerateKeyPairResult['privateKey']
  readonly alg?: string
  readonly iss?: string
  readonly aud?: string
  readonly exp?: string | null
}

async function token({
  claims = {},
  key = keys.privateKey,
  alg = 'ES256',
  iss = ISSUER,
  aud = AUDIENCE,
  exp = '5m',
}: Making = {}): Promise<string> {
  const jwt = new SignJWT({ sub: 'agent-7', groups: ['agents', 'admins'], ...claims })
    .setProtectedHeader({ alg, kid: 'one' })
    .setIssuer(iss)
    .setAudience(aud)
  if (exp !== null) jwt.setExpirationTime(exp)
  return jwt.sign(key)
}

async function prove(text: string, settings = issuer()) {
  return (await JwtProver.open([settings])).prove(text)
}

test('a good token proves its subject, with only the groups its issuer may confer', async () => {
  assert.deepEqual(await prove(await token(), issuer({ subjectPrefix: 'ci:' })), {
    identity: { subject: 'ci:agent-7', kind: 'agent', groups: ['agents'], proof: `jwt:${ISSUER}` },
  })
})

test('the human behind is taken from the named claim, and must then be there', async () => {
  const settings = issuer({ claims: { principal: 'act.sub' } })
  const good = await prove(await token({ claims: { act: { sub: 'ana@example.org' } } }), settings)
  assert.equal('identity' in good && good.identity.principal, 'ana@example.org')
  assert.deepEqual(await prove(await token(), settings), { why: 'principal claim is missing' })
})

test('claims are mapped by name, also names with dots and slashes', async () => {
  const claims = { 'https://example.org/groups': ['agents'], upn: 'bot@example.org' }
  const proved = await prove(
    await token({ claims }),
    issuer({ claims: { subject: 'upn', groups: 'https://example.org/groups' } }),
  )
  assert.deepEqual('identity' in proved && [proved.identity.subject, proved.identity.groups], ['bot@example.org', ['agents']])
})

const REFUSED: readonly (readonly [title: string, making: () => Promise<string>])[] = [
  ['signed by somebody else', () => token({ key: others.privateKey })],
  ['for another audience', () => token({ aud: 'somewhere-else' })],
  ['from an issuer nobody configured', () => token({ iss: 'https://evil.example.org/' })],
  ['expired', () => token({ exp: '-5m' })],
  ['without an expiry', () => token({ exp: null })],
  ['unsigned', async () => `${part({ alg: 'none' })}.${part({ iss: ISSUER, aud: AUDIENCE, sub: 'x', exp: 9e9 })}.`],
  ['signed with a shared secret', async () => hmacToken()],
  ['with a subject that is no text', () => token({ claims: { sub: 7 as unknown as string } })],
  ['absurdly long', async () => `${'a'.repeat(20_000)}.b.c`],
  ['no token at all', async () => 'a.b.c'],
]
for (const [title, making] of REFUSED) {
  test(`refused: a token ${title}`, async () => {
    const proof = await prove(await making())
    assert.ok('why' in proof)
  })
}

test('an algorithm off the list is refused even when the signature is good', async () => {
  assert.ok('why' in (await prove(await token(), issuer({ algorithms: ['RS256'] }))))
})

test('a clock that differs a little is tolerated, by as much as configured', async () => {
  const late = await token({ exp: '-10s' })
  assert.ok('identity' in (await prove(late)))
  assert.ok('why' in (await prove(late, issuer({ clockToleranceS: 0 }))))
})

test('keys of an issuer are fetched once, anew when it signs by another, and not for every invented key', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const served = [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }]
  let asked = 0
  const uri = await answering(t, () => {
    asked += 1
    return JSON.stringify({ keys: served })
  })
  const prover = await JwtProver.open([issuer({ jwks: { uri } })])
  for (let round = 0; round < 3; round++) assert.ok('identity' in (await prover.prove(await token())))
  assert.equal(asked, 1)
  const rotated = async (): Promise<string> =>
    new SignJWT({ sub: 'agent-7' })
      .setProtectedHeader({ alg: 'ES256', kid: 'two' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime('5m')
      .sign(others.privateKey)
  for (let round = 0; round < 5; round++) assert.ok('why' in (await prover.prove(await rotated())))
  assert.equal(asked, 1, 'asked again at most every 30 s')
  served.push({ ...(await exportJWK(others.publicKey)), kid: 'two', alg: 'ES256' })
  t.mock.timers.tick(31_000)
  assert.ok('identity' in (await prover.prove(await rotated())))
  assert.equal(asked, 2)
  // What it has withdrawn proves nobody for longer than ten minutes.
  served.shift()
  const old = await token({ exp: '1h' })
  t.mock.timers.tick(599_000)
  assert.ok('identity' in (await prover.prove(old)))
  t.mock.timers.tick(2_000)
  assert.ok('why' in (await prover.prove(old)))
})

test('keys that do not end are not read to their end, and prove nobody', async (t) => {
  const own = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }
  const proved = async (padding: number): Promise<boolean> => {
    const uri = await answering(t, () => JSON.stringify({ keys: [own], padding: 'x'.repeat(padding) }))
    return 'identity' in (await prove(await token(), issuer({ jwks: { uri } })))
  }
  assert.equal(await proved(100_000), true)
  assert.equal(await proved(2 << 20), false)
})

/** Where this text is answered, in JSON, whatever is asked. */
async function answering(t: TestContext, text: () => string): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/jwks`
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

async function hmacToken(): Promise<string> {
  return new SignJWT({ sub: 'x' })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setExpirationTime('5m')
    .sign(Buffer.alloc(32, 7))
}
