import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { Client } from '../../gateway/protocols/ssh/library.ts'
import { assertRan, type Running } from '../support/clients.ts'
import { CLIENT_ID, type OidcIssuer, oidcIssuer, Wanderer } from '../support/oidc-issuer.ts'
import { type SshGateway, type SshGatewayOptions, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
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

const ADDRESS = /open (http\S+)\s+and enter the code ([A-Z0-9-]+); waiting/

/** The issuer's page once the code was typed. */
async function typed(client: Running): Promise<string> {
  const [, address = '', code = ''] = await client.says(ADDRESS)
  assert.ok(!address.includes(code), 'whoever is sent the address has to be told the code as well')
  return `${address}?user_code=${code}`
}

test('ssh shows an address and a code, and is in once the person has confirmed it, however long that takes', async (t) => {
  // So long a connection has that waits for nobody. Told to slow down, we ask after seven seconds at the earliest.
  const gateway = await rig(t, { handshakeTimeoutMs: 6_000 })
  if (gateway === undefined) return
  issuer.slowDowns = 1
  const client = await come(gateway)
  await new Wanderer().confirmDevice(await typed(client), SUBJECT)
  const ran = await client.ended
  assertRan(ran, 'ssh')
  assert.equal(ran.stdout, 'in\n')
  assert.equal(issuer.slowDowns, 0, 'the issuer was asked less often, as it wished')
  const [session] = await sessionsOf(gateway.dataDir)
  const identity = session?.header?.session.identity
  assert.deepEqual([identity?.subject, identity?.kind, identity?.proof], [SUBJECT, 'human', `jwt:${issuer.issuer}`])
  assert.equal(session?.header?.session.claims['signIn'], 'device', 'how, so that who was talked into it finds it')
})

test('who refuses, is late, or is nobody here, is told; a key is taken all the same', async (t) => {
  const gateway = await rig(t)
  if (gateway === undefined) return
  const refused = await come(gateway)
  await new Wanderer().refuseDevice(await typed(refused))
  const no = await refused.ended
  assert.equal(no.code, 255)
  assert.match(no.stderr, /AUTH_DENIED: .*access_denied/)

  issuer.codeLifeS = 2
  const late = await (await come(gateway)).ended
  issuer.codeLifeS = 600
  assert.equal(late.code, 255)
  assert.match(late.stderr, /AUTH_DENIED: /)

  const stranger = await come(gateway)
  await new Wanderer().confirmDevice(await typed(stranger), 'stranger')
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
  const gone = await typed(leaves)
  leaves.child.kill('SIGKILL')
  await leaves.ended
  const clients = await Promise.all(Array.from({ length: 9 }, () => come(gateway)))
  const addresses = await Promise.all(clients.map(typed))
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

/** Comes for a code, and never answers what it is told. `told`: a code, or why there is none; `refused`: the latter only. */
function mute(gateway: SshGateway): {
  readonly told: Promise<string>
  readonly refused: Promise<string>
  readonly closed: Promise<void>
  leave(): void
} {
  const client = new Client()
  const told = Promise.withResolvers<string>()
  const refused = Promise.withResolvers<string>()
  const closed = Promise.withResolvers<void>()
  client.on('error', () => undefined)
  client.on('close', () => {
    for (const each of [told, refused]) each.resolve('closed')
    closed.resolve()
  })
  const proof = { type: 'keyboard-interactive', username: `x+${TARGET}`, prompt: () => undefined } as const
  client.connect({ host: '127.0.0.1', port: gateway.port, username: proof.username, authHandler: [proof], readyTimeout: 0 })
  // The library answers by itself what has no question in it.
  const protocol: { authInfoRes(answers: string[]): void; _handlers: Record<string, unknown> } = Reflect.get(client, '_protocol')
  protocol._handlers['USERAUTH_INFO_REQUEST'] = (_: unknown, _title: string, text: string, prompts: unknown[]): void => {
    if (prompts.length > 0) protocol.authInfoRes([''])
    else {
      told.resolve(text)
      if (!text.includes('enter the code')) refused.resolve(text)
    }
  }
  return { told: told.promise, refused: refused.promise, closed: closed.promise, leave: () => void client.destroy() }
}

test('who never answers is gone when connections are that say nothing, and many who wait for a person keep nobody out', async (t) => {
  const gateway = await rig(t, { handshakeTimeoutMs: 10_000, connectionsUnproved: 2 })
  if (gateway === undefined) return
  issuer.codeLifeS = 1
  const denied = mute(gateway)
  assert.match(await denied.refused, /AUTH_DENIED: /)
  issuer.codeLifeS = 600
  const waiting: ReturnType<typeof mute>[] = []
  t.after(() => waiting.forEach(({ leave }) => void leave()))
  let limited: (typeof waiting)[number] | undefined
  // Ten codes a minute, and the minute may be over meanwhile.
  while (limited === undefined && waiting.length < 21) {
    const next = mute(gateway)
    if ((await next.told).includes('LIMIT_REACHED')) limited = next
    else waiting.push(next)
  }
  assert.ok(limited !== undefined && waiting.length >= 9)
  await Promise.all([denied.closed, limited.closed])
  assertRan(await gateway.run(['echo in']), 'a key')
  for (const { leave } of waiting) leave()
  await Promise.all(waiting.map(({ closed }) => closed))
})
