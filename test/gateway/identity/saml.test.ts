import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { SamlSignIn } from '../../../gateway/identity/saml.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { API_BASE } from '../../../schemas/api.ts'
import { type ApiRig, apiRig } from '../../support/api.ts'
import { cpuClock } from '../../support/cpu-time.ts'
import { Wanderer } from '../../support/oidc-issuer.ts'
import {
  type Assertion,
  assertionOf,
  ENTITY,
  form,
  IDP,
  RSA_SHA256,
  requestIn,
  responseOf,
  type SamlKeys,
  SHA256,
  samlKeys,
  signed,
} from '../../support/saml-issuer.ts'

const BASE = 'https://sallyport.example.org'
let keys: SamlKeys
let others: SamlKeys
let way: SamlSignIn
let folder: string
const settings = {
  entryPoint: 'https://idp.example.org/sso',
  idpEntityId: IDP,
  certificates: ['idp.pem'],
  entityId: ENTITY,
  groups: ['viewers'],
  subjectPrefix: 'saml:',
}
before(async () => {
  keys = await samlKeys()
  others = await samlKeys()
  folder = await mkdtemp(join(tmpdir(), 'sallyport-saml-'))
  way = replica([keys])
})
after(() => rm(folder, { recursive: true, force: true }))

/** One of those behind one address. */
function replica(trusted: readonly SamlKeys[], more: { readonly groups?: string[] } = {}): SamlSignIn {
  const certificates = trusted.map(({ certificate }) => certificate)
  return new SamlSignIn({ ...settings, ...more }, certificates, Buffer.alloc(32, 1), new FolderRecords(folder))
}

/** What a browser that was sent out brings back, as `make` has it. */
async function answered(make: (asked: { readonly request: string; readonly acs: string }) => string, to = way) {
  const { location, flow } = await to.start(BASE)
  const { id: request, acs } = requestIn(location)
  const query = await to.accept(form(make({ request, acs })), BASE)
  return to.finish(new URL(`${BASE}/?${query.toString()}`), flow)
}

const good = (changes: Partial<Assertion> = {}, by = keys) => {
  return (asked: { readonly request: string; readonly acs: string }) =>
    signed(responseOf(asked, assertionOf({ ...asked, ...changes })), by)
}

test('a signed assertion proves its subject, with only the groups the issuer may confer', async () => {
  const { identity, expiresMs = 0 } = await answered(good({ groups: ['viewers', 'admins'] }))
  assert.deepEqual(identity, { subject: 'saml:ada@example.org', kind: 'human', groups: ['viewers'], proof: `saml:${IDP}` })
  assert.ok(expiresMs > Date.now() + 7 * 3_600_000)
})

test('while a certificate is being replaced, both are taken', async () => {
  const both = replica([keys, others])
  assert.equal((await answered(good({}, others), both)).identity.subject, 'saml:ada@example.org')
})

test('a response that is signed around a signed assertion is good; one around an unsigned assertion is not', async () => {
  const both = await answered((asked) => signed(good()(asked), keys, 'Response'))
  assert.equal(both.identity.subject, 'saml:ada@example.org')
  await assert.rejects(
    answered((asked) => signed(responseOf(asked, assertionOf(asked)), keys, 'Response')),
    { code: 'AUTH_DENIED' },
  )
})

const evil = 'eve@example.org'
const REFUSED: readonly (readonly [
  title: string,
  make: (asked: { readonly request: string; readonly acs: string }) => string,
])[] = [
  ['unsigned', (asked) => responseOf(asked, assertionOf(asked))],
  ['signed by somebody else', (asked) => good({}, others)(asked)],
  ['changed after it was signed', (asked) => good()(asked).replace('ada@example.org', evil)],
  ['for another audience', (asked) => good({ audience: 'https://elsewhere.example.org' })(asked)],
  ['for another address', (asked) => good({ recipient: 'https://elsewhere.example.org/acs' })(asked)],
  ['of another issuer with the same key', (asked) => good({ issuer: 'https://other.example.org' })(asked)],
  ['that has expired', (asked) => good({ from: -9, until: -4 })(asked)],
  ['that is not valid yet', (asked) => good({ from: 3, until: 9 })(asked)],
  ['that answers no request', (asked) => good({ confirmationRequest: '' })(asked)],
  ['that answers another request than its response says', (asked) => good({ confirmationRequest: `${asked.request}0` })(asked)],
  ['to a request nobody made', ({ acs }) => good()({ request: `_${'0'.repeat(8)}.${'1'.repeat(32)}.${'2'.repeat(64)}`, acs })],
  [
    // XSW: the signed one is moved aside, and a forged one stands where it is looked for.
    'wrapped: forged first, signed one behind it',
    (asked) => {
      const signedOne = /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(good()(asked))?.[0] ?? ''
      return responseOf(asked, assertionOf({ ...asked, subject: evil, id: '_evil' }) + signedOne)
    },
  ],
  [
    'wrapped: the signed one inside the forged one',
    (asked) => {
      const signedOne = /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(good()(asked))?.[0] ?? ''
      const forged = assertionOf({ ...asked, subject: evil, id: '_evil' })
      return responseOf(asked, forged.replace('<saml:Subject>', `<saml:Advice>${signedOne}</saml:Advice><saml:Subject>`))
    },
  ],
  [
    'wrapped: the signature moved to the forged one, the signed one kept in an Object of it',
    (asked) => {
      const whole = good()(asked)
      const signature = /<Signature[\s\S]*<\/Signature>/.exec(whole)?.[0] ?? ''
      const original = (/<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(whole)?.[0] ?? '').replace(signature, '')
      const moved = signature.replace('</Signature>', `<Object>${original}</Object></Signature>`)
      return responseOf(
        asked,
        assertionOf({ ...asked, subject: evil, id: '_evil' }).replace('</saml:Issuer>', `</saml:Issuer>${moved}`),
      )
    },
  ],
  [
    'wrapped: two assertions of one id',
    (asked) => {
      const signedOne = /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(good()(asked))?.[0] ?? ''
      return responseOf(asked, assertionOf({ ...asked, subject: evil }) + signedOne)
    },
  ],
  ['with entities of its own', (asked) => `<!DOCTYPE a [<!ENTITY b "x">]>${good()(asked)}`],
  ['that is no XML', () => 'nonsense'],
  ['that is empty', () => ''],
]
for (const [title, make] of REFUSED) {
  test(`refused: an assertion ${title}`, async () => {
    await assert.rejects(answered(make), { code: 'AUTH_DENIED' })
  })
}

test('nothing of what an outsider wrote into a response stands in the reason', async () => {
  const status = (code: string, words: string) => {
    return (asked: { readonly request: string; readonly acs: string }) =>
      responseOf(asked, '').replace(
        /<samlp:Status>[\s\S]*<\/samlp:Status>/,
        `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${code}"/><samlp:StatusMessage>${words}</samlp:StatusMessage></samlp:Status>`,
      )
  }
  const why = async (make: Parameters<typeof answered>[0]): Promise<string> =>
    answered(make).then(
      () => 'let in',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    )
  const words = 'Jane Roe, born 1980-02-03'
  assert.equal(await why(status('Responder', words)), 'the issuer did not prove who this is: it reports a failure instead')
  for (const make of [status('Success', words), () => `<${words}`, good({ issuer: words }), good({ audience: words })])
    assert.doesNotMatch(await why(make), /Jane|1980/)
  assert.match(await why(good({ audience: words })), /another audience/)
  assert.match(await why(good({ from: -9, until: -4 })), /no subject confirmation that is of now/)
  assert.match(await why(good({}, others)), /no signature that counts/)
})

test('a comment in a name does not cut it: what was signed as one name is that name', async () => {
  const { identity } = await answered((asked) =>
    good({ subject: 'ada@example.org.evil.example' })(asked).replace('ada@example.org.evil', 'ada@example.org<!---->.evil'),
  )
  assert.equal(identity.subject, 'saml:ada@example.org.evil.example')
})

test('an assertion is good once, and only in the browser that asked for it', async () => {
  const { location, flow } = await way.start(BASE)
  const { id: request, acs } = requestIn(location)
  const posted = form(good()({ request, acs }))
  const query = await way.accept(posted, BASE)
  const other = replica([keys])
  for (const each of [way, other]) await assert.rejects(each.accept(posted, BASE), { message: /answered before/ })
  const answer = new URL(`${BASE}/?${query.toString()}`)
  const { flow: another } = await way.start(BASE)
  await assert.rejects(way.finish(answer, another), { code: 'AUTH_DENIED' })
  await assert.rejects(way.finish(new URL(`${BASE}/?ticket=${'x'.repeat(100)}`), flow), { code: 'AUTH_DENIED' })
  // By whichever process it is asked for; once.
  assert.equal((await other.finish(answer, flow)).identity.subject, 'saml:ada@example.org')
  for (const each of [way, other]) await assert.rejects(each.finish(answer, flow), { message: /the ticket was used/ })
})

test('of several processes that are given one assertion at once, one takes it', async () => {
  const { location } = await way.start(BASE)
  const { id: request, acs } = requestIn(location)
  const posted = form(good()({ request, acs }))
  const taken = await Promise.allSettled([way, replica([keys]), replica([keys])].map((each) => each.accept(posted, BASE)))
  assert.deepEqual(taken.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
})

test('what is signed or digested by SHA-1 is refused, however that is written', async () => {
  const signs = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'
  const digests = 'http://www.w3.org/2000/09/xmldsig#sha1'
  const by =
    (how: { readonly signs: string; readonly digests: string }) => (asked: { readonly request: string; readonly acs: string }) =>
      signed(responseOf(asked, assertionOf(asked)), keys, 'Assertion', how)
  const weak = [by({ signs, digests }), by({ signs, digests: SHA256 }), by({ signs: RSA_SHA256, digests })]
  const spelt = weak.map((make) => (asked: Parameters<typeof make>[0]) => make(asked).replaceAll('sha1"', 'sha&#x31;"'))
  for (const make of [...weak, ...spelt])
    await assert.rejects(answered(make), { code: 'AUTH_DENIED', message: /SHA-256 or better/ })
  assert.equal((await answered(by({ signs: RSA_SHA256, digests: SHA256 }))).identity.subject, 'saml:ada@example.org')
})

test('a response that nothing closes is refused at once: parsing it took minutes', async () => {
  const usedMs = cpuClock()
  await assert.rejects(
    answered((asked) => responseOf(asked, '<a>'.repeat(15_000))),
    { message: /no issuer writes/ },
  )
  assert.ok(usedMs() < 1_000)
})

test('somebody with five hundred groups signs in', async () => {
  const groups = Array.from({ length: 500 }, (_, n) => `team-${n}-of-a-company-with-long-names`)
  const { identity } = await answered(good({ groups }), replica([keys], { groups }))
  assert.deepEqual(identity.groups, groups)
})

test('an endless response is refused before it is read', async () => {
  await assert.rejects(way.accept(new URLSearchParams({ SAMLResponse: 'A'.repeat(300_000) }), BASE), { code: 'AUTH_DENIED' })
})

let rig: ApiRig | undefined
after(() => rig?.[Symbol.asyncDispose]())
test('over HTTP: sent there, posted back from a foreign page without a cookie, signed in by the browser’s own request', async () => {
  rig = await apiRig({ ways: [way] })
  rig.changed.set('saml:ada@example.org', {
    subject: 'saml:ada@example.org',
    kind: 'human',
    groups: ['viewers'],
    proof: `saml:${IDP}`,
  })
  const base = rig.server.url
  const browser = new Wanderer()
  const sent = await browser.ask(`${base}${API_BASE}/sign-in/saml`)
  const { id: request, acs, xml } = requestIn(sent.headers.get('location') ?? '')
  assert.equal(acs, `${base}${API_BASE}/sign-in/saml/acs`)
  assert.match(xml, /ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/)
  const posted = await fetch(acs, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: 'https://idp.example.org', 'sec-fetch-site': 'cross-site' },
    body: form(good()({ request, acs })),
  })
  assert.equal(posted.status, 303)
  const callback = posted.headers.get('location') ?? ''
  // Whoever has the ticket alone gets nowhere.
  assert.match((await new Wanderer().ask(callback)).headers.get('location') ?? '', /sign-in-failed=late/)
  assert.equal((await browser.ask(callback)).headers.get('location'), `${base}/`)
  const me = await fetch(`${base}${API_BASE}/me`, { headers: { cookie: browser.cookie(base) } })
  assert.equal(me.status, 200)
  const metadata = await (await fetch(`${base}${API_BASE}/sign-in/saml/metadata`)).text()
  assert.match(metadata, /AssertionConsumerService[^>]+Location="[^"]+\/sign-in\/saml\/acs"/)
  assert.match(metadata, /WantAssertionsSigned="true"/)
})
