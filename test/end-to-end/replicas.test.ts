import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { placesIn } from '../../gateway/places.ts'
import { SharedWishes } from '../../gateway/shared-wishes.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import { runCli } from '../support/cli.ts'
import { type EchoClient, type EchoGateway, echoGateway } from '../support/echo-gateway.ts'
import { greeted, Serving } from '../support/serving.ts'

const NAMES = ['a', 'b', 'c'] as const
const stack = new AsyncDisposableStack()
let gateway: EchoGateway
const replicas = new Map<string, { readonly serving: Serving; readonly port: number }>()

/** A gateway of the one configuration, under a name of its own. */
async function start(name: string): Promise<Serving> {
  const serving = stack.use(new Serving(gateway, [], { SALLYPORT_REPLICA: name }))
  replicas.set(name, { serving, port: await serving.port(1) })
  return serving
}

before(async () => {
  gateway = stack.use(await echoGateway())
  // One after the other: the first makes keys that all share.
  for (const name of NAMES) await start(name)
})
after(() => stack.disposeAsync())

const at = (name: string) => replicas.get(name) ?? assert.fail(name)

/** A client that is in, and the session it has. */
async function visit(name: string): Promise<{ readonly client: EchoClient; readonly session: string }> {
  const { serving, port } = at(name)
  const known = new Set(serving.lines)
  const client = await greeted(port, gateway.keys.agent)
  const opened = await serving.line('session opened', (line) => !known.has(line))
  return { client, session: String(opened['session']) }
}

test('three gateways of one configuration record side by side, each under a name of its own', async () => {
  const visits = await Promise.all(NAMES.map(visit))
  const names = new Set(visits.map(({ session }) => session.split('-')[1]))
  assert.equal(names.size, 3, [...names].join())
  for (const { client } of visits) client.socket.end()
})

test('what any of them holds is decided at one desk', async () => {
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  for (const name of NAMES) {
    const { client } = await visit(name)
    client.say('please open')
    const id = /A-[0-9A-Z]{8}/.exec((await client.hear()) ?? '')?.[0] ?? ''
    await desk.decide(id, { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['deciders'] })
    assert.equal(await client.hear(), 'please open')
    client.socket.end()
  }
})

test('a session is ended from any of them, whichever has it, and the others go on', async () => {
  const [one, other] = [await visit('c'), await visit('b')]
  await using asker = new SharedWishes(
    new FolderRecords(placesIn(gateway.dataDir).kills),
    async () => false,
    (error) => assert.fail(String(error)),
  )
  assert.equal(await asker.ask(one.session, 'grace ended this session: enough'), true)
  assert.match((await one.client.hear()) ?? '', /grace ended this session: enough/)
  other.client.say('still here')
  assert.equal(await other.client.hear(), 'still here')
  other.client.socket.end()
  assert.equal(await asker.ask('20260101T000000Z-gw1-00000001', 'nobody'), false)
  assert.equal(await asker.ask('../../../etc/passwd', 'nobody'), false)
})

test('somebody who is kept out is so everywhere', async () => {
  const visits = await Promise.all(NAMES.map(visit))
  const world = { cwd: gateway.folder }
  assert.equal((await runCli(['identities', 'block', 'agent-7', '--reason', 'stolen'], world)).code, 0)
  for (const { client } of visits) assert.match((await client.hear()) ?? '', /agent-7 is kept out/)
  assert.equal((await runCli(['identities', 'unblock', 'agent-7', '--reason', 'found'], world)).code, 0)
})

for (const name of NAMES) {
  test(`killing ${name} ends its sessions alone; started again it ends their tapes, with all that was delivered`, async () => {
    const others = await Promise.all(NAMES.filter((each) => each !== name).map(visit))
    const { client, session } = await visit(name)
    client.say('the last words')
    assert.equal(await client.hear(), 'the last words')
    const { serving } = at(name)
    const exited = once(serving.child, 'exit')
    serving.child.kill('SIGKILL')
    await exited
    assert.equal(await client.hear(), undefined)
    for (const other of others) {
      other.client.say('still here')
      assert.equal(await other.client.hear(), 'still here')
      other.client.socket.end()
    }
    const again = await start(name)
    await again.line('tape of a process that died is ended', (line) => line['session'] === session)
    const replay = await runCli(['replay', session], { cwd: gateway.folder })
    assert.match(replay.out, /the last words/)
  })
}

test('at the end every tape is whole or ended by recovery, and the ledger knows them all', async () => {
  for (const { serving } of replicas.values()) assert.equal(await serving.stop(), 0)
  const verified = await runCli(['verify', gateway.dataDir, '--json'], { cwd: gateway.folder })
  assert.equal(verified.code, 10, verified.out.slice(0, 2_000))
})
