import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { consoleLink } from '../../gateway/cli/console.ts'
import { loadConfig } from '../../gateway/config.ts'
import { openConsole } from '../../gateway/console.ts'
import { AccessKeys } from '../../gateway/identity/access-keys.ts'
import { BlockedSubjects } from '../../gateway/identity/blocked.ts'
import { silentLog } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import { buttonOf, slackSignature } from '../../recorder/notify/slack.ts'
import { ask as askOf } from '../recorder/desk/contract.ts'
import { askAt, browserOf } from '../support/api.ts'
import { configFolder, GOOD, mistakes } from '../support/config.ts'
import { receiver } from '../support/receiver.ts'

const CONSOLE = `
console:
  address: 127.0.0.1:0
  roles: { investigator: [dba] }
`

test('a configured person comes in by a link or by a key, with the roles of their groups, until the key is revoked', async () => {
  await using folder = await configFolder({ 'sallyport.yaml': GOOD + CONSOLE })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, { SHOP_PASSWORD: 'x' })
  await using running = await openConsole(settings, { log: silentLog(), env: {}, kill: async () => false })
  assert.ok(running !== undefined)
  const ask = askAt.bind(undefined, running.port)

  const link = (await running.link('ana@example.org')).split('#sign-in=')[1]
  const signedIn = await ask('/sign-in', { body: { link } })
  assert.deepEqual([signedIn.json.subject, signedIn.json.roles], ['ana@example.org', ['investigator']])
  assert.equal((await browserOf(signedIn, ask).ask('/sessions')).json.sessions.length, 0)
  assert.equal((await ask('/sign-in', { body: { link } })).status, 401)
  assert.equal((await ask('/sign-in', { body: { link: (await running.link('agent:claude')).split('=')[1] } })).status, 403)

  const keys = new AccessKeys(new FolderRecords(placesIn(settings.dataDir).accessKeys))
  const { key, secret } = await keys.create('ana@example.org')
  const byKey = browserOf(await ask('/sign-in', { body: { key: secret } }), ask)
  assert.equal((await byKey.ask('/me')).status, 200)
  assert.equal((await ask('/me', { headers: { authorization: `Bearer ${secret}` } })).status, 200)
  await keys.revoke(key.id)
  assert.equal((await byKey.ask('/me')).status, 401)
})

test('who is kept out neither decides in Slack nor comes in by a link', async () => {
  await using there = await receiver()
  const notify = `
notify:
  - name: team
    slack: { token: { env: BOT }, signingSecret: { env: SIGNING }, team: T01, channel: C01, approvers: { U01: ana@example.org }, api: ${JSON.stringify(there.url)} }
`
  await using folder = await configFolder({ 'sallyport.yaml': GOOD + CONSOLE.replace('investigator', 'approver') + notify })
  const env = { SHOP_PASSWORD: 'x', BOT: 'xoxb', SIGNING: 'shh' }
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  const places = placesIn(settings.dataDir)
  await using running = await openConsole(settings, { log: silentLog(), env, kill: async () => false })
  assert.ok(running !== undefined)
  const { port } = running
  using desk = openFolderDesk(places.approvals)
  const { id } = await desk.submit(askOf({ principal: 'zoe' }))
  const press = async (): Promise<void> => {
    const person = { user: { id: 'U01' }, team: { id: 'T01' }, trigger_id: 't' }
    const payload = { type: 'block_actions', ...person, actions: [{ action_id: 'approve', value: buttonOf('shh', id) }] }
    const raw = new URLSearchParams({ payload: JSON.stringify(payload) }).toString()
    const at = String(Math.floor(Date.now() / 1000))
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': at,
      'x-slack-signature': slackSignature('shh', at, Buffer.from(raw)),
    }
    assert.equal((await askAt(port, '/slack', { method: 'POST', raw, headers })).status, 200)
  }
  const blocked = new BlockedSubjects(new FolderRecords(places.blocked))
  await blocked.change('block', 'Ana@example.org', 'left the company')
  await press()
  await Promise.race([there.until(1), delay(10_000, undefined, { ref: false })])
  const { state, decisions } = await desk.get(id)
  assert.deepEqual([state, decisions], ['pending', []])
  assert.match(there.received[0]?.body ?? '', /no approver/)
  const link = (await running.link('ana@example.org')).split('#sign-in=')[1]
  const refused = await askAt(port, '/sign-in', { body: { link } })
  assert.deepEqual([refused.status, refused.headers['set-cookie']], [401, undefined])
})

test('the command prints a link that works, and none for those who could do nothing with it', async () => {
  await using folder = await configFolder({ 'sallyport.yaml': GOOD + CONSOLE.replace(':0', ':7999') })
  const written: string[] = []
  const cli = { env: {}, cwd: folder.path, out: (text: string): void => void written.push(text), err: () => undefined }
  await consoleLink({ identity: 'ana@example.org' }, cli)
  assert.match(written.join(''), /^http:\/\/127\.0\.0\.1:7999\/#sign-in=[\w-]{43}\n$/)
  await assert.rejects(consoleLink({ identity: 'agent:claude' }, cli), /in no group that has a role/)
  await assert.rejects(consoleLink({ identity: 'stranger' }, cli), /no identity "stranger"/)
})

test('a console that would show evidence in clear, or to groups nobody is in, is refused at start-up', async () => {
  const text = await mistakes(`${GOOD}
console:
  address: 0.0.0.0:7480
  roles: { viewer: [nobodies] }
`)
  assert.match(text, /in clear; only on loopback/)
  assert.match(text, /nobody can be in the group nobodies/)
  assert.equal(
    await mistakes(`${GOOD}${CONSOLE.replace('127.0.0.1:0', '0.0.0.0:7480')}  url: https://sallyport.example.org\n`),
    '',
  )
})

const SIGN_IN = `
  signIn:
    oidc: { issuer: https://login.example.org, clientId: console, clientSecret: { env: OIDC }, groups: [people] }
    saml:
      entryPoint: https://idp.example.org/sso
      idpEntityId: https://idp.example.org
      certificates: [idp.pem]
      entityId: https://sallyport.example.org
      groups: [dba]
`

test('issuers are ways to sign in; what they cannot do without is missed at start-up', async () => {
  const text = `${GOOD}${CONSOLE.trimEnd()}${SIGN_IN}`
  assert.match(await mistakes(text), /OIDC is not set[\s\S]*idp\.pem cannot be read/)
  const env = { SHOP_PASSWORD: 'x', OIDC: 'y' }
  assert.equal(await mistakes(text, env, { 'idp.pem': 'certificate' }), '')
  const anyTenant = text.replace('https://login.example.org', 'https://login.microsoftonline.com/common/v2.0')
  assert.match(await mistakes(anyTenant, env, { 'idp.pem': 'x' }), /any tenant/)
  const elsewhere = text.replace(/address: 127\.0\.0\.1:\d+/g, 'address: 0.0.0.0:7480').replace('  roles:', '  tls: {}\n  roles:')
  assert.match(await mistakes(elsewhere, env, { 'idp.pem': 'x' }), /needs console\.url/)
  const principal = text.replace('groups: [people] }', 'groups: [people], profile: entra, claims: { principal: x } }')
  assert.match(await mistakes(principal, env, { 'idp.pem': 'x' }), /leave it out/)
})

test('one issuer names a person alike at listeners and at the console, and the human behind an agent as well', async () => {
  const text = `${GOOD}${CONSOLE.trimEnd()}${SIGN_IN}`
  const env = { SHOP_PASSWORD: 'x', OIDC: 'y' }
  const files = { 'idp.pem': 'x', 'jwks.json': '{"keys":[]}' }
  const tried = (rules: string, issuer = 'https://login.example.org', from = text): Promise<string> =>
    mistakes(`${from}jwt: [{ issuer: '${issuer}', audience: a, jwks: { file: jwks.json }, kind: agent${rules} }]\n`, env, files)
  const apart = /jwt[\s\S]*names people otherwise than console\.signIn\.oidc/
  assert.equal(await tried(''), '')
  assert.match(await tried(', subjectPrefix: "idp:"'), apart)
  assert.match(await tried(', profile: entra'), apart)
  assert.match(await tried(', claims: { subject: email }'), apart)
  assert.equal(await tried(', subjectPrefix: "ci:"', 'https://ci.example.org'), '')
  // The same tenant by its two addresses.
  const tenant = '00000000-0000-0000-0000-00000000000a'
  const entra = text.replace('https://login.example.org', `https://login.microsoftonline.com/${tenant}/v2.0`)
  assert.match(await tried(', subjectPrefix: "e:"', `https://sts.windows.net/${tenant}/`, entra), apart)
  const behind = ', subjectPrefix: "ci:", claims: { principal: act.sub }'
  assert.match(await tried(behind, 'https://ci.example.org'), /also give principalPrefix/)
  assert.equal(await tried(`${behind}, principalPrefix: ""`, 'https://ci.example.org'), '')
  assert.match(await tried(', profile: entra, principalPrefix: "x"', 'https://ci.example.org'), /leave it out/)
})

test('a console with issuers tells of them to whoever comes', async () => {
  const text = `${GOOD}${CONSOLE.trimEnd()}${SIGN_IN}`
  await using folder = await configFolder({ 'sallyport.yaml': text, 'idp.pem': 'certificate' })
  const env = { SHOP_PASSWORD: 'x', OIDC: 'y' }
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  await using running = await openConsole(settings, { env, log: silentLog(), kill: async () => false })
  assert.ok(running !== undefined)
  const { ways } = JSON.parse(await (await fetch(`${running.url}/api/v1/sign-in`)).text())
  assert.deepEqual(
    ways.map(({ id }: { id: string }) => id),
    ['oidc', 'saml'],
  )
})

test('commands for every protocol are tried by the policy file as it stands, also where no listener runs in this process', async () => {
  const policy = (id: string): string =>
    `version: 1\nrules:\n  - { id: ${id}, on: ssh, match: { program: shutdown }, action: block, reason: no }\n`
  const text = GOOD + CONSOLE.replace('{ investigator: [dba] }', '{ auditor: [dba] }')
  await using folder = await configFolder({ 'sallyport.yaml': text, 'policy.yaml': policy('first') })
  const loaded = await loadConfig(`${folder.path}/sallyport.yaml`, { SHOP_PASSWORD: 'x' })
  const shop = loaded.targets.get('shop')
  assert.ok(shop !== undefined)
  const as = (protocol: 'ssh' | 'kubernetes') =>
    [protocol, { ...shop, target: { ...shop.target, name: protocol, protocol } }] as const
  const settings = { ...loaded, targets: new Map([['shop', shop], as('ssh'), as('kubernetes')]) }
  await using running = await openConsole(settings, { log: silentLog(), env: {}, kill: async () => false })
  assert.ok(running !== undefined)
  const ask = askAt.bind(undefined, running.port)
  const link = (await running.link('ana@example.org')).split('#sign-in=')[1]
  const auditor = browserOf(await ask('/sign-in', { body: { link } }), ask)
  const tried = async (target: string, command: string) => (await auditor.ask('/policy/try', { body: { target, command } })).json
  assert.deepEqual((await tried('ssh', 'ls; shutdown now')).rules, ['first'])
  assert.equal((await tried('kubernetes', 'kubectl get pods')).target, 'kubernetes')
  assert.equal((await tried('shop', 'select 1')).act, 'allow')
  assert.equal((await tried('none', 'select 1')).code, 'TARGET_UNKNOWN')
  await writeFile(`${folder.path}/policy.yaml`, policy('the-second'))
  assert.deepEqual((await tried('ssh', 'ls; shutdown now')).rules, ['the-second'])
})
