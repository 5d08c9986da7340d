import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { CSRF_HEADER } from '../../../schemas/api.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { type ApiRig, apiRig, askAt, browserOf, keyOf, PEOPLE } from '../../support/api.ts'

let rig: ApiRig
before(async () => {
  rig = await apiRig()
})
after(() => rig[Symbol.asyncDispose]())

test('a key signs in; the cookie is for this site’s requests only and out of scripts’ reach', async () => {
  const answer = await rig.ask('/sign-in', { body: { key: keyOf('vera') } })
  assert.equal(answer.status, 200)
  assert.equal(answer.json.subject, 'vera')
  assert.deepEqual(answer.json.roles, ['viewer'])
  const cookie = String(answer.headers['set-cookie'])
  for (const attribute of ['HttpOnly', 'SameSite=Strict', 'Path=/']) assert.ok(cookie.includes(attribute), cookie)
  const browser = browserOf(answer, rig.ask)
  assert.equal((await browser.ask('/me')).json.csrf, answer.json.csrf)
  assert.ok(rig.notes.some(({ type, actor }) => type === 'console.sign-in' && actor === 'vera'))
})

test('a wrong key, and a person without any role, get no cookie', async () => {
  const wrong = await rig.ask('/sign-in', { body: { key: 'key-unknown' } })
  assert.equal(wrong.status, 401)
  assert.equal(wrong.json.code, 'AUTH_DENIED')
  assert.equal(wrong.headers['content-type'], 'application/problem+json; charset=utf-8')
  const roleless = await rig.ask('/sign-in', { body: { key: keyOf('nobody') } })
  assert.equal(roleless.status, 403)
  assert.equal(wrong.headers['set-cookie'], undefined)
  assert.equal(roleless.headers['set-cookie'], undefined)
})

test('a one-time link works once, also when two tabs open it at the same moment', async () => {
  const { token } = await rig.links.create('ivan')
  const answers = await Promise.all([1, 2, 3].map(() => rig.ask('/sign-in', { body: { link: token } })))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401])
  assert.equal((await rig.ask('/sign-in', { body: { link: token } })).status, 401)
})

test('an expired link, an unknown one and one of somebody who is gone are refused with the same words', async () => {
  const expired = await rig.links.create('ivan', 1_000)
  rig.nowMs += 1_001
  const gone = await rig.links.create('gone')
  const answers = await Promise.all(
    [expired.token, gone.token, 'x'.repeat(43), '../../etc/passwd'].map((link) => rig.ask('/sign-in', { body: { link } })),
  )
  for (const { status, json } of answers) {
    assert.equal(status, 401)
    assert.equal(json.detail, answers[0]?.json.detail)
  }
})

test('signing in gives a new token and ends the one shown: a planted cookie is worth nothing', async () => {
  const first = await rig.as('vera')
  const second = await rig.ask('/sign-in', { body: { key: keyOf('vera') }, headers: { cookie: first.cookie } })
  assert.notEqual(String(second.headers['set-cookie']).split(';')[0], first.cookie)
  assert.equal((await first.ask('/me')).status, 401)
  const planted = await rig.ask('/me', { headers: { cookie: `sallyport=${'A'.repeat(43)}` } })
  assert.equal(planted.status, 401)
  assert.equal(planted.json.code, 'AUTH_REQUIRED')
})

test('signing out ends it for every copy of the cookie', async () => {
  const browser = await rig.as('vera')
  assert.equal((await browser.ask('/sign-out', { method: 'POST' })).status, 204)
  assert.equal((await browser.ask('/me')).status, 401)
})

test('signing out that cannot be written down says so, and is tried again with the same cookie', async (t) => {
  const browser = await rig.as('vera')
  const away = (): Promise<void> => Promise.reject(new ApplianceError('STORE_FAILED', 'the shared database does not answer'))
  const { mock } = t.mock.method(FolderRecords.prototype, 'remove', away)
  rig.notes.length = 0
  const failed = await browser.ask('/sign-out', { method: 'POST' })
  assert.ok(failed.status >= 500, failed.text)
  assert.equal(failed.headers['set-cookie'], undefined)
  assert.deepEqual(rig.notes, [])
  mock.restore()
  assert.equal((await browser.ask('/sign-out', { method: 'POST' })).status, 204)
  assert.equal((await browser.ask('/me')).status, 401)
})

test('everything but GET needs the CSRF token of this sign-in', async () => {
  const [one, other] = [await rig.as('vera'), await rig.as('vera')]
  for (const csrf of ['', 'x', other.me.csrf ?? '', one.me.csrf?.slice(1) ?? '']) {
    const answer = await rig.ask('/sign-out', { method: 'POST', headers: { cookie: one.cookie, [CSRF_HEADER]: csrf } })
    assert.equal(answer.status, 403, csrf)
    assert.equal(answer.json.code, 'API_FORBIDDEN')
  }
  assert.equal((await rig.ask('/sign-out', { method: 'POST', headers: { cookie: one.cookie } })).status, 403)
  assert.equal((await one.ask('/me')).status, 200)
})

test('what another site’s page sends is refused, token or not', async () => {
  const browser = await rig.as('vera')
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
    assert.equal((await browser.ask('/sign-out', { method: 'POST', headers })).status, 403)
    assert.equal((await rig.ask('/sign-in', { body: { key: keyOf('vera') }, headers })).status, 403)
  }
  const own = { origin: `http://127.0.0.1:${rig.server.port}`, 'sec-fetch-site': 'same-origin' }
  assert.equal((await browser.ask('/sign-out', { method: 'POST', headers: own })).status, 204)
})

test('a sign-in ends when its key is revoked, and has the groups of now', async () => {
  const browser = await rig.as('vera')
  rig.changed.set('vera', { ...PEOPLE.vera, groups: ['auditors'] })
  assert.deepEqual((await browser.ask('/me')).json.roles, ['auditor'])
  rig.changed.set('vera', undefined)
  assert.equal((await browser.ask('/me')).status, 401)
  rig.changed.delete('vera')
  assert.equal((await browser.ask('/me')).status, 401)
})

test('a bearer key needs neither cookie nor CSRF token, and is asked for again each time', async () => {
  const headers = { authorization: `Bearer ${keyOf('ivan')}` }
  const me = await rig.ask('/me', { headers })
  assert.equal(me.json.subject, 'ivan')
  assert.equal(me.json.csrf, null)
  assert.equal((await rig.ask('/sign-out', { method: 'POST', headers })).status, 204)
  for (const authorization of ['Bearer nonsense', 'Basic dmVyYTp4', 'Bearer'])
    assert.equal((await rig.ask('/me', { headers: { authorization } })).status, 401)
})

test('a wrong bearer key is not made good by a cookie', async () => {
  const browser = await rig.as('vera')
  assert.equal((await browser.ask('/me', { headers: { authorization: 'Bearer nonsense' } })).status, 401)
})

test('a restart signs nobody out', async () => {
  const browser = await rig.as('ivan')
  const server = await rig.again()
  const me = await askAt(server.port, '/me', { headers: { cookie: browser.cookie } })
  assert.equal(me.json.subject, 'ivan')
  assert.equal(me.json.csrf, browser.me.csrf)
})

test('trust tells the public keys, to whoever is signed in', async () => {
  assert.equal((await rig.ask('/trust')).status, 401)
  const { keys } = (await (await rig.as('vera')).ask('/trust')).json
  assert.equal(keys[0].gateway, 'gw1')
  assert.equal(keys[0].algorithm, 'Ed25519')
  assert.deepEqual(Buffer.from(keys[0].spki, 'base64'), Buffer.from(rig.folder.signer.publicKey))
})
