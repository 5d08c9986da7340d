import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { OidcSignIn } from '../../gateway/identity/oidc.ts'
import { SamlSignIn } from '../../gateway/identity/saml.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import { API_BASE } from '../../schemas/api.ts'
import type { OidcConfig } from '../../schemas/config-identity.ts'
import { apiRig } from '../support/api.ts'
import { PAGES, startBrowser } from '../support/browser.ts'
import { CLIENT_ID, oidcIssuer } from '../support/oidc-issuer.ts'
import { assertionOf, ENTITY, form, IDP, requestIn, responseOf, samlKeys, signed } from '../support/saml-issuer.ts'

/** An identity provider whose page posts its answer by itself, from an origin of its own, as they all do. */
async function samlProvider(answer: (location: string) => { readonly acs: string; readonly fields: URLSearchParams }) {
  const server = createServer((request, response) => {
    const { acs, fields } = answer(`http://127.0.0.1${request.url}`)
    const inputs = [...fields].map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`).join('')
    response.setHeader('content-type', 'text/html')
    response.end(`<form method="post" action="${acs}">${inputs}</form><script>document.forms[0].submit()</script>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    entryPoint: `http://127.0.0.1:${address.port}/sso`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('people sign in by the buttons of the page: through OpenID Connect, through SAML; without a role they are told so', async (t) => {
  const browser = await startBrowser(t)
  if (browser === undefined) return
  await using stack = new AsyncDisposableStack()
  stack.use(browser)
  const issuer = stack.use(await oidcIssuer())
  issuer.people.set('ada', { oid: 'ada', roles: ['viewers'], idtyp: 'user' })
  issuer.people.set('eve', { oid: 'eve', roles: ['strangers'] })
  const keys = await samlKeys()
  const provider = stack.use(
    await samlProvider((location) => {
      const { id: request, acs } = requestIn(location)
      return { acs, fields: form(signed(responseOf({ request, acs }, assertionOf({ request, acs })), keys)) }
    }),
  )
  const saml = {
    name: 'Company login',
    entryPoint: provider.entryPoint,
    idpEntityId: IDP,
    certificates: ['idp.pem'],
    entityId: ENTITY,
    groups: ['viewers'],
    subjectPrefix: 'saml:',
  }
  const oidc: OidcConfig = {
    name: 'Sign in with Entra',
    issuer: issuer.issuer,
    clientId: CLIENT_ID,
    profile: 'entra',
    groups: ['viewers', 'strangers'],
    subjectPrefix: 'entra:',
  }
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-saml-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const answers = stack.use(new FolderRecords(folder))
  const rig = stack.use(
    await apiRig({
      pages: PAGES,
      ways: [new OidcSignIn(oidc, issuer.secret), new SamlSignIn(saml, [keys.certificate], Buffer.alloc(32, 1), answers)],
    }),
  )
  for (const [subject, proof] of [
    ['entra:ada', `oidc:${issuer.issuer}`],
    ['saml:ada@example.org', `saml:${IDP}`],
  ] as const)
    rig.changed.set(subject, { subject, kind: 'human', groups: ['viewers'], proof })
  issuer.open(`${rig.server.url}${API_BASE}/sign-in/oidc/callback`)

  const asked = await browser.open()
  const { page } = asked
  await page.goto(rig.server.url)
  await page.getByRole('link', { name: 'Sign in with Entra' }).click()
  await page.locator('input[name="login"]').fill('ada')
  await page.locator('input[name="password"]').fill('any')
  await page.locator('button[type="submit"]').click()
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
  assert.match((await page.locator('header .me').textContent()) ?? '', /entra:ada/)
  assert.equal(new URL(page.url()).origin, new URL(rig.server.url).origin)

  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Company login' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
  assert.match((await page.locator('header .me').textContent()) ?? '', /saml:ada@example\.org/)
  assert.deepEqual(await asked.axe(), [])

  const stranger = await browser.open()
  await stranger.page.goto(rig.server.url)
  await stranger.page.getByRole('link', { name: 'Sign in with Entra' }).click()
  await stranger.page.locator('input[name="login"]').fill('eve')
  await stranger.page.locator('input[name="password"]').fill('any')
  await stranger.page.locator('button[type="submit"]').click()
  await stranger.page.getByRole('button', { name: 'Continue' }).click()
  await stranger.page.getByRole('alert').filter({ hasText: 'have no role here' }).waitFor()
  assert.deepEqual(await stranger.axe(), [])
})
