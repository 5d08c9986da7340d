import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { OidcSignIn } from '../../../gateway/identity/oidc.ts'
import { API_BASE } from '../../../schemas/api.ts'
import type { OidcConfig } from '../../../schemas/config-identity.ts'
import { type ApiRig, apiRig } from '../../support/api.ts'
import { CLIENT_ID, type OidcIssuer, oidcIssuer, Wanderer } from '../../support/oidc-issuer.ts'

let issuer: OidcIssuer
let rig: ApiRig
let base: string
const stack = new AsyncDisposableStack()
before(async () => {
  issuer = stack.use(await oidcIssuer())
  issuer.people.set('ada', { oid: 'ada', roles: ['viewers', 'not-conferred'], idtyp: 'user' })
  issuer.people.set('eve', { oid: 'eve', roles: ['strangers'] })
  issuer.people.set('max', { oid: 'max', _claim_names: { roles: 'src1' } })
  const settings: OidcConfig = {
    name: 'Sign in with Entra',
    issuer: issuer.issuer,
    clientId: CLIENT_ID,
    profile: 'entra',
    groups: ['viewers', 'strangers'],
    subjectPrefix: 'entra:',
  }
  rig = stack.use(await apiRig({ ways: [new OidcSignIn(settings, issuer.secret)] }))
  const proof = `oidc:${issuer.issuer}`
  rig.changed.set('entra:ada', { subject: 'entra:ada', kind: 'human', groups: ['viewers'], proof })
  base = rig.server.url
  issuer.open(`${base}${API_BASE}/sign-in/oidc/callback`)
})
after(() => stack.disposeAsync())

const start = (): string => `${base}${API_BASE}/sign-in/oidc`
const isOurs = (address: string): boolean => address.startsWith(`${base}${API_BASE}/sign-in/oidc/callback`)

/** Through the issuer and back; where the browser ends, and what it may then see. */
async function signIn(subject: string, browser = new Wanderer()) {
  const back = await browser.follow(start(), subject, isOurs)
  const answer = await browser.ask(back)
  const me = await fetch(`${base}${API_BASE}/me`, { headers: { cookie: browser.cookie(base) } })
  return { back, browser, location: answer.headers.get('location'), answer, me }
}

test('the console tells how one may sign in, and by what a command line does', async () => {
  const { ways } = (await rig.ask('/sign-in')).json
  assert.deepEqual(ways, [
    {
      id: 'oidc',
      name: 'Sign in with Entra',
      href: `${API_BASE}/sign-in/oidc`,
      login: { issuer: issuer.issuer, clientId: CLIENT_ID, scope: 'openid profile email' },
    },
  ])
})

test('somebody signs in at the issuer and is who its token says, with only the groups it may confer', async () => {
  const { location, me, answer } = await signIn('ada')
  assert.equal(location, `${base}/`)
  assert.match(answer.headers.getSetCookie().join('\n'), /sallyport=[\w-]{43};.*HttpOnly.*SameSite=Strict/)
  const said = JSON.parse(await me.text())
  assert.equal(me.status, 200)
  assert.deepEqual([said.subject, said.kind, said.groups, said.roles], ['entra:ada', 'human', ['viewers'], ['viewer']])
  // A sign-in is as long as the configuration says, whatever the token does.
  assert.ok(Date.parse(said.expiresAt) - Date.now() > 7 * 3_600_000)
  assert.ok(rig.notes.some(({ type, actor, by }) => type === 'console.sign-in' && actor === 'entra:ada' && by === 'oidc'))
})

test('who has no role here, and whose groups did not fit into the token, ends outside, told which', async () => {
  const eve = await signIn('eve')
  assert.equal(eve.location, `${base}/#sign-in-failed=no-role`)
  assert.equal(eve.me.status, 401)
  const max = await signIn('max')
  assert.equal(max.location, `${base}/#sign-in-failed=denied`)
  assert.match(rig.denied.at(-1) ?? '', /more groups than fit/)
})

test('an answer is good once, for the browser that asked, with the state it was sent out with', async () => {
  const { back, browser } = await signIn('ada')
  // Again, in the same browser: its flow is over.
  assert.equal((await browser.ask(back)).headers.get('location'), `${base}/#sign-in-failed=late`)
  // In a browser that was never sent out: somebody would be signed in as somebody else.
  const victim = new Wanderer()
  const stolen = await new Wanderer().follow(start(), 'ada', isOurs)
  assert.equal((await victim.ask(stolen)).headers.get('location'), `${base}/#sign-in-failed=late`)
  // In a browser that was sent out for itself.
  await victim.ask(start())
  assert.equal((await victim.ask(stolen)).headers.get('location'), `${base}/#sign-in-failed=denied`)
  assert.equal(victim.cookie(base).includes('sallyport='), false)
})

test('a code that was swapped, and an error of the issuer, sign nobody in', async () => {
  const browser = new Wanderer()
  const back = new URL(await browser.follow(start(), 'ada', isOurs))
  back.searchParams.set('code', 'x'.repeat(43))
  assert.equal((await browser.ask(back.href)).headers.get('location'), `${base}/#sign-in-failed=denied`)
  const other = new Wanderer()
  const sent = new URL((await other.ask(start())).headers.get('location') ?? '')
  assert.equal(sent.searchParams.get('code_challenge_method'), 'S256')
  const state = sent.searchParams.get('state') ?? ''
  const refused = `${base}${API_BASE}/sign-in/oidc/callback?error=access_denied&state=${state}&iss=${issuer.issuer}`
  assert.equal((await other.ask(refused)).headers.get('location'), `${base}/#sign-in-failed=denied`)
  assert.match(rig.denied.at(-1) ?? '', /OAUTH_AUTHORIZATION_RESPONSE_ERROR \(access_denied\)$/)
  // Anybody may write what stands there: none of it goes into log and ledger.
  const again = new Wanderer()
  const asked = new URL((await again.ask(start())).headers.get('location') ?? '')
  const words = `error=Jane+Roe&error_description=Jane+Roe&state=${asked.searchParams.get('state')}&iss=${issuer.issuer}`
  assert.equal((await again.ask(`${base}${API_BASE}/sign-in/oidc/callback?${words}`)).status, 303)
  assert.match(rig.denied.at(-1) ?? '', /OAUTH_AUTHORIZATION_RESPONSE_ERROR \(another error\)$/)
})

test('an issuer that does not answer keeps nobody waiting, and is asked again', async () => {
  const way = new OidcSignIn({ issuer: issuer.issuer, clientId: CLIENT_ID })
  issuer.away = true
  await assert.rejects(way.start(base), { code: 'AUTH_UNAVAILABLE' })
  issuer.away = false
  assert.match((await way.start(base)).location, /client_id=sallyport-console/)
})

test('an issuer whose metadata do not end is not read to their end', async (t) => {
  const metadata = (own: string, padding: number): string =>
    JSON.stringify({
      ...{ issuer: own, authorization_endpoint: `${own}/authorize`, token_endpoint: `${own}/token`, jwks_uri: `${own}/keys` },
      ...{ response_types_supported: ['code'], padding: 'x'.repeat(padding) },
    })
  let padding = 2 << 20
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(metadata(own, padding))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  const own = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const way = new OidcSignIn({ issuer: own, clientId: CLIENT_ID })
  await assert.rejects(way.start(base), { code: 'AUTH_UNAVAILABLE' })
  padding = 1_000
  assert.match((await way.start(base)).location, /client_id=sallyport-console/)
})

test('who asks under another of our names is sent to the one that the issuer knows', async () => {
  const answer = await fetch(`http://localhost:${rig.server.port}${API_BASE}/sign-in/oidc`, { redirect: 'manual' })
  assert.equal(answer.headers.get('location'), start())
})
