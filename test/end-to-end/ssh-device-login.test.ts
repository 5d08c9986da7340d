import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { assertRan, type Running } from '../support/clients.ts'
import { CLIENT_ID, type OidcIssuer, oidcIssuer, Wanderer } from '../support/oidc-issuer.ts'
import { type SshGateway, type SshGatewayOptions, startSshGateway } from '../support/ssh-gateway.ts'
import { sessionsOf } from '../support/tapes.ts'

const SUBJECT = 'lin'
const stack = new AsyncDisposableStack()
let issuer: OidcIssuer
before(async () => {
  issuer = stack.use(await oidcIssuer())
  issuer.people.set(SUBJECT, { roles: ['developers'] })
  issuer.people.set('stranger', { roles: ['visitors'] })
  issuer.open('http://127.0.0.1/unused')
})
after(() => stack.disposeAsync())

async function rig(t: TestContext, limits: SshGatewayOptions['limits'] = {}): Promise<SshGateway | undefined> {
  const gateway = await startSshGateway(t, { limits, device: { issuer: issuer.issuer, clientId: `${CLIENT_ID}-cli` } })
  if (gateway !== undefined) t.after(() => gateway[Symbol.asyncDispose]())
  return gateway
}

/** A client whose person says nothing where a key is asked for. */
async function come(gateway: SshGateway, flags: readonly string[] = []): Promise<Running> {
  const askpass = join(gateway.folder, 'askpass')
  await writeFile(askpass, '#!/bin/sh\necho\n')
  await chmod(askpass, 0o700)
  const own = [
    'PubkeyAuthentication=no',
    'BatchMode=no',
    'PreferredAuthentications=keyboard-interactive',
    'NumberOfPasswordPrompts=1',
  ]
  return gateway.ssh(['echo in'], {
    input: '',
    env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: '' },
    flags: [...own.flatMap((option) => ['-o', option]), ...flags],
  })
}

const ADDRESS = /open (http\S+)\s+and confirm the code ([A-Z0-9-]+); waiting/

test('ssh shows an address and a code, and is in once the person has confirmed it, however long that takes', async (t) => {
  // So long a connection has that waits for nobody. Told to slow down, we ask after seven seconds at the earliest.
  const gateway = await rig(t, { handshakeTimeoutMs: 6_000 })
  if (gateway === undefined) return
  issuer.slowDowns = 1
  const client = await come(gateway)
  const [, address = '', code = ''] = await client.says(ADDRESS)
  assert.ok(address.includes(code))
  await new Wanderer().confirmDevice(address, SUBJECT)
  const ran = await client.ended
  assertRan(ran, 'ssh')
  assert.equal(ran.stdout, 'in\n')
  assert.equal(issuer.slowDowns, 0, 'the issuer was asked less often, as it wished')
  const [session] = await sessionsOf(gateway.dataDir)
  const identity = session?.header?.session.identity
  assert.deepEqual([identity?.subject, identity?.kind, identity?.proof], [SUBJECT, 'human', `jwt:${issuer.issuer}`])
})

test('who refuses, is late, or is nobody here, is told; a key is taken all the same', async (t) => {
  const gateway = await rig(t)
  if (gateway === undefined) return
  const refused = await come(gateway)
  await new Wanderer().refuseDevice((await refused.says(ADDRESS))[1] ?? '')
  const no = await refused.ended
  assert.equal(no.code, 255)
  assert.match(no.stderr, /AUTH_DENIED: .*access_denied/)

  issuer.codeLifeS = 2
  const late = await (await come(gateway)).ended
  issuer.codeLifeS = 600
  assert.equal(late.code, 255)
  assert.match(late.stderr, /AUTH_DENIED: /)

  const stranger = await come(gateway)
  await new Wanderer().confirmDevice((await stranger.says(ADDRESS))[1] ?? '', 'stranger')
  assert.match((await stranger.ended).stderr, /TARGET_UNKNOWN/)

  issuer.away = true
  const unheard = await (await come(gateway)).ended
  issuer.away = false
  assert.match(unheard.stderr, /AUTH_UNAVAILABLE|AUTH_DENIED/)
  assertRan(await gateway.run(['echo in']), 'a key')
})

test('many wait for their people at once, and whoever leaves is not waited for', async (t) => {
  const gateway = await rig(t)
  if (gateway === undefined) return
  const leaves = await come(gateway, ['-o', 'KbdInteractiveDevices=device'])
  const [, gone = ''] = await leaves.says(ADDRESS)
  leaves.child.kill('SIGKILL')
  await leaves.ended
  const clients = await Promise.all(Array.from({ length: 9 }, () => come(gateway)))
  const addresses = await Promise.all(clients.map(async (client) => (await client.says(ADDRESS))[1] ?? ''))
  assert.equal(new Set(addresses).size, clients.length)
  await new Wanderer().confirmDevice(addresses[0] ?? '', SUBJECT)
  const [first, ...rest] = clients
  assertRan((await first?.ended) ?? { code: null, stdout: '', stderr: '' }, 'the one whose code was confirmed')
  for (const client of rest) assert.equal(client.child.exitCode, null, 'nobody else is let in by it')
  for (const client of rest) client.child.kill('SIGKILL')
  await Promise.all(rest.map(({ ended }) => ended))
  // A code whose client left lets nobody in.
  await new Wanderer().confirmDevice(gone, SUBJECT)
  assert.equal((await sessionsOf(gateway.dataDir)).length, 1)
})
