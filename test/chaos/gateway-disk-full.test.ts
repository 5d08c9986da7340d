import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { gatewayFolder, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'
import { keepFull, smallDisk } from '../support/small-disk.ts'
import { framesOf, releasedOut, sessionsOf } from '../support/tapes.ts'
import { tee } from '../support/tee.ts'

/** Room for two spool files of the process that dies, one of its successor, their reserves, and little more. */
const DISK_SIZE = '280m'

/** A tape of a hundred megabytes is read again, packed and stored meanwhile, on whatever else the machine does. */
const RECOVERY_MS = 180_000

function clientOf(gateway: RunningGateway, port = gateway.port): Client {
  const client = new Client({ host: '127.0.0.1', port, user: 'agent', password: gateway.folder.keys.agent, database: 'shop' })
  client.on('error', () => undefined)
  return client
}

test('a full disk ends what cannot be recorded, says so, and loses nothing: its tape is sealed from the reserve, or recovered', async (t) => {
  const disk = await smallDisk(t, DISK_SIZE)
  if (disk === undefined) return
  await using server = await startPostgres()
  await using folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], dataDir: join(disk, 'data') })
  const gateway = await spawnGateway(folder)
  await using proxy = await tee(gateway)

  const client = clientOf(gateway, proxy.port)
  await client.connect()
  assert.equal((await client.query('select 1 as alive')).rows[0].alive, 1)
  const full = keepFull(join(disk, 'ballast'))
  // Random text: nothing that compression could squeeze in.
  const error = await client
    .query("select string_agg(md5(random()::text), '') from generate_series(1, 2000000) n group by n / 1000")
    .then(
      () => undefined,
      (reason: Error & { code?: string }) => reason,
    )
  assert.ok(error !== undefined, 'it went through without room to record it')
  t.diagnostic(`the client was told: ${error.code ?? ''} ${error.message}`)

  const connection = proxy.connections[0]
  assert.ok(connection)
  assert.equal(error.code, '58030', gateway.log.text)
  const { session } = await gateway.log.until((line) => line['msg'] === 'session opened')
  // Killed while it is full: once there is room again the same process would end its tapes itself.
  await gateway.kill()
  await full.stop()
  await using again = await spawnGateway(folder)
  // Whoever is quicker to the reserve that is given up for it: the seal reached the store, be it a moment before the kill and
  // never told in a log, or recovery brings what did not.
  const ended = AbortSignal.timeout(RECOVERY_MS)
  while (!(await sessionsOf(folder.dataDir)).some(({ id, state }) => id === session && state !== 'open'))
    await delay(200, undefined, { signal: ended })
  const taped = releasedOut(await framesOf(folder.dataDir, String(session)))
  assert.ok(
    taped.length >= connection.received.length - 200,
    `${connection.received.length} bytes were given, ${taped.length} are on the tape`,
  )
  const after = clientOf(again)
  await after.connect()
  assert.equal((await after.query('select 2 as alive')).rows[0].alive, 2)
  await after.end()
})
