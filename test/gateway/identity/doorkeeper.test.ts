import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashAccessKey, newAccessKey } from '../../../gateway/identity/access-key.ts'
import { AccessKeys } from '../../../gateway/identity/access-keys.ts'
import { BlockedSubjects } from '../../../gateway/identity/blocked.ts'
import { Doorkeeper } from '../../../gateway/identity/doorkeeper.ts'
import { JwtProver } from '../../../gateway/identity/jwt.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'

const client = '192.0.2.1:1000'
const signal = AbortSignal.abort() // nobody waits for the delays of failures here

async function door() {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-door-'))
  const folder = new AccessKeys(new FolderRecords(path))
  const whys: string[] = []
  const blocked = new BlockedSubjects(new FolderRecords(join(path, 'blocked')))
  const configured = newAccessKey()
  const keeper = new Doorkeeper({
    identities: [
      { subject: 'agent:claude', kind: 'agent', groups: ['agents'], principal: 'ana@example.org' },
      { subject: 'ana@example.org', kind: 'human', keys: [{ id: 'ana-1', sha256: hashAccessKey(configured) }] },
    ],
    accessKeys: folder,
    blocked,
    jwt: await JwtProver.open([]),
    onDenied: (_client, why) => whys.push(why),
  })
  return {
    keeper,
    folder,
    blocked,
    path,
    whys,
    configured,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

test('an access key proves the configured identity, with the human behind it', async () => {
  await using made = await door()
  const { key, secret } = await made.folder.create('agent:claude')
  assert.deepEqual(await made.keeper.prove({ secret, client }, signal), {
    subject: 'agent:claude',
    kind: 'agent',
    groups: ['agents'],
    principal: 'ana@example.org',
    proof: `key:${key.id}`,
  })
  assert.equal((await made.keeper.prove({ secret: made.configured, client }, signal)).proof, 'key:ana-1')
})

test('whatever is wrong, the answer is the same; only our log knows more', async () => {
  await using made = await door()
  const { folder, keeper, whys } = made
  const expired = await folder.create('agent:claude', new Date(Date.now() - 1))
  const held = { subject: 'agent:claude', kind: 'agent', groups: ['agents'], proof: `key:${expired.key.id}` } as const
  assert.equal(await keeper.whyNot(held), `key ${expired.key.id} has expired`)
  const revoked = await folder.create('agent:claude')
  await folder.revoke(revoked.key.id)
  const stranger = await folder.create('somebody else')
  const secrets = ['', 'hunter2', newAccessKey(), expired.secret, revoked.secret, stranger.secret, 'a.b.c']
  const messages = new Set<string>()
  for (const secret of secrets) {
    await assert.rejects(keeper.prove({ secret, client }, signal), (error: Error & { code?: string }) => {
      messages.add(`${error.code} ${error.message}`)
      return true
    })
  }
  assert.equal(messages.size, 1)
  assert.match([...messages][0] ?? '', /^AUTH_DENIED /)
  assert.equal(new Set(whys).size, secrets.length, 'each has its own reason in the log')
  for (const secret of secrets.slice(1))
    assert.equal(
      whys.some((why) => why.includes(secret)),
      false,
    )
})

test('a damaged key file is told to the log only, and keeps nobody else out', async () => {
  await using made = await door()
  const { secret } = await made.folder.create('agent:claude')
  await writeFile(join(made.path, 'k-111111111111.json'), 'x')
  await assert.rejects(made.keeper.prove({ secret, client }, signal), { code: 'AUTH_DENIED' })
  assert.match(made.whys[0] ?? '', /cannot be read/)
  assert.equal((await made.keeper.prove({ secret: made.configured, client }, signal)).subject, 'ana@example.org')
})

test('who is kept out takes along whoever acts for them, however the name is written', async () => {
  await using made = await door()
  const { keeper, folder, blocked, whys } = made
  const { secret } = await folder.create('agent:claude')
  const agent = await keeper.prove({ secret, client }, signal)
  assert.equal(await keeper.whyNot(agent), undefined)
  await blocked.change('block', 'ANA@example.org ', 'left')
  await assert.rejects(keeper.prove({ secret, client }, signal), { code: 'AUTH_DENIED' })
  await assert.rejects(keeper.prove({ secret: made.configured, client }, signal), { code: 'AUTH_DENIED' })
  assert.deepEqual(whys, ['agent:claude is kept out with ana@example.org, for whom it acts', 'ana@example.org is kept out'])
  assert.match((await keeper.whyNot(agent)) ?? '', /kept out with ana@example.org/)
  await blocked.change('unblock', 'ana@example.org', 'back')
  assert.equal((await keeper.prove({ secret, client }, signal)).subject, 'agent:claude')
})
