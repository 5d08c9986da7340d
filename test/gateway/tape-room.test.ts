import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLog } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import { openTapeRoom, recoverTapes } from '../../gateway/tape-room.ts'
import { verifyPath } from '../../recorder/index.ts'
import { startIdentityEndpoint, trustedTls, withEnv } from '../support/azure-identity.ts'
import { entry, START } from '../support/recording.ts'
import { startVault } from '../support/vault.ts'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-room-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('each worker has a room, a name and a published key of its own; the same place is not taken twice', async () => {
  await using made = await temporary()
  const settings = { dataDir: made.path, gateway: 'gw1', store: { folder: made.path }, spool: {} }
  await using one = await openTapeRoom(settings, silentLog(), 1)
  await using two = await openTapeRoom(settings, silentLog(), 2)
  assert.deepEqual([one.room.gateway, two.room.gateway], ['gw1-1', 'gw1-2'])
  await assert.rejects(openTapeRoom(settings, silentLog(), 1), { code: 'CONFIG_INVALID' })
  const published = await readFile(join(placesIn(made.path).keys, 'gateway.pub'), 'utf8')
  assert.match(published, /^gw1-1 /m)
  assert.match(published, /^gw1-2 /m)
})

test('with a key in a vault tapes are signed ES256, and verify by what was published', async () => {
  await using made = await temporary()
  await using endpoint = await startIdentityEndpoint()
  using _env = withEnv(endpoint.env)
  await using vault = await startVault(await trustedTls())
  const signer = { url: vault.url, key: 'evidence', identity: { kind: 'managed', clientId: randomUUID() } } as const
  const settings = { dataDir: made.path, gateway: 'gw1', store: { folder: made.path }, signer, spool: {} }
  {
    await using tapes = await openTapeRoom(settings, silentLog())
    const { recorder } = await tapes.room.open(START)
    await recorder.append([entry()])
    await recorder.seal('client.left')
  }
  const { verdict, trust, tapes } = await verifyPath(made.path)
  assert.deepEqual([verdict, trust, tapes[0]?.signer?.algorithm], ['VALID', 'beside', 'ES256'])
  // One for the header, one each for session.open and session.close, one for the checkpoint; none per frame.
  assert.equal(vault.asked.filter((asked) => asked.startsWith('POST')).length, 4)
})

test('recovering beside living workers leaves the place as it found it', async () => {
  await using made = await temporary()
  const settings = { dataDir: made.path, gateway: 'gw1', store: { folder: made.path }, spool: {} }
  await using living = await openTapeRoom(settings, silentLog(), 1)
  await recoverTapes(settings, silentLog())
  await recoverTapes(settings, silentLog())
  assert.equal(living.room.gateway, 'gw1-1')
})
