import assert from 'node:assert/strict'
import { createConnection } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { run } from '../support/clients.ts'
import { gatewayFolder, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'
import { framesOf, releasedOut } from '../support/tapes.ts'
import { tee } from '../support/tee.ts'

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))

interface Verified {
  readonly exit: number
  readonly verdict: string
  readonly tapes: readonly {
    readonly session: string
    readonly verdict: string
    readonly recovered: { readonly first: number; readonly last: number } | null
  }[]
}

async function verify(path: string): Promise<Verified> {
  const ran = await run(process.execPath, [MAIN, 'verify', path, '--json'])
  assert.notEqual(ran.stdout, '', ran.stderr)
  return { ...JSON.parse(ran.stdout), exit: ran.code }
}

function clientOf(gateway: RunningGateway, port = gateway.port): Client {
  return new Client({ host: '127.0.0.1', port, user: 'agent', password: gateway.folder.keys.agent, database: 'shop' })
}

async function sessionOf(gateway: RunningGateway, clientPort: number): Promise<string> {
  const line = await gateway.log.until((one) => one['msg'] === 'session opened' && one['client'] === `127.0.0.1:${clientPort}`)
  return String(line['session'])
}

for (const killAfterBytes of [1, 300_000, 12_000_000]) {
  test(`SIGKILL after the client has ${killAfterBytes} bytes of a big result: every one of them is on the tape`, async () => {
    await using server = await startPostgres()
    await using folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })] })
    const gateway = await spawnGateway(folder)
    await using proxy = await tee(gateway)

    const earlier = clientOf(gateway, proxy.port)
    await earlier.connect()
    await earlier.query("select 'done before the end'")
    await earlier.end()
    const whole = await gateway.log.sealed(proxy.connections[0]?.port ?? 0)

    const client = clientOf(gateway, proxy.port)
    client.on('error', () => undefined)
    await client.connect()
    const connection = proxy.connections[1]
    assert.ok(connection)
    const session = await sessionOf(gateway, connection.port)
    const lost = assert.rejects(client.query("select n, repeat('row ' || n, 20) from generate_series(1, 300000) n"))
    const before = connection.received.length
    await connection.has(before + killAfterBytes)
    await gateway.kill()
    await lost
    assert.ok(connection.received.length >= killAfterBytes)

    await using again = await spawnGateway(folder)
    await again.log.until((line) => line['session'] === session && line['outcome'] === 'recovered')
    const cut = await verify(`${folder.dataDir}/tapes/${session}`)
    assert.deepEqual([cut.exit, cut.verdict], [10, 'VALID-INCOMPLETE'], JSON.stringify(cut))
    const intact = await verify(`${folder.dataDir}/tapes/${whole}`)
    assert.deepEqual([intact.exit, intact.verdict], [0, 'VALID'], JSON.stringify(intact))

    const frames = await framesOf(folder.dataDir, session)
    assert.deepEqual(
      frames.map(({ seq }) => seq),
      frames.map((_, index) => index),
    )
    const taped = releasedOut(frames)
    const received = connection.received
    assert.ok(taped.length >= received.length, `the client had ${received.length} bytes, the tape has ${taped.length}`)
    // All but the secret of the cancel key, which stands in the first few hundred bytes.
    assert.ok(taped.subarray(1_000, received.length).equals(received.subarray(1_000)), 'the tape replays something else')
    const recovered = frames.filter((frame) => frame.recovered)
    assert.deepEqual(
      cut.tapes[0]?.recovered === null ? [] : [cut.tapes[0]?.recovered.first, cut.tapes[0]?.recovered.last],
      recovered.length === 0 ? [] : [recovered[0]?.seq, recovered.at(-1)?.seq],
    )

    const after = clientOf(again)
    await after.connect()
    assert.equal((await after.query('select 1 as alive')).rows[0].alive, 1)
    await after.end()
  })
}

test('with four workers one is killed: its sessions end, the others do not notice, its tapes are recovered', async () => {
  await using server = await startPostgres()
  await using folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })] })
  await using gateway = await spawnGateway(folder, { workers: 4 })
  const clients = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const client = clientOf(gateway)
      client.on('error', () => undefined)
      await client.connect()
      return client
    }),
  )
  await Promise.all(clients.map((client) => client.query('select 1')))
  const opened = gateway.log.lines.filter((line) => line['msg'] === 'session opened')
  const started = gateway.log.lines.filter((line) => line['msg'] === 'worker started')
  const workers = new Set(opened.map((line) => line['worker']))
  assert.ok(workers.size > 1, `all sessions went to one worker: ${[...workers]}`)
  const victim = started.find((line) => line['worker'] !== undefined && opened.some((one) => one['worker'] === line['worker']))
  const pid = Number(victim?.['pid'])
  assert.ok(pid > 0, gateway.log.text)
  process.kill(pid, 'SIGKILL')
  const lost = opened.filter((line) => line['worker'] === victim?.['worker']).map((line) => String(line['session']))
  for (const session of lost) await gateway.log.until((line) => line['session'] === session && line['outcome'] === 'recovered')
  const alive = await Promise.all(
    clients.map((client) =>
      client.query('select 1').then(
        () => true,
        () => false,
      ),
    ),
  )
  assert.equal(alive.filter((one) => !one).length, lost.length)
  for (const session of lost) assert.equal((await verify(`${folder.dataDir}/tapes/${session}`)).verdict, 'VALID-INCOMPLETE')
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
  const later = clientOf(gateway)
  await later.connect()
  await later.end()
})

test('half a start-up packet and a kill leave nothing to recover', async () => {
  await using server = await startPostgres()
  await using folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })] })
  const gateway = await spawnGateway(folder)
  const socket = createConnection({ port: gateway.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.write(Buffer.from([0, 0, 0, 40, 0, 3]), () => resolve()))
  await gateway.kill()
  socket.destroy()
  await using again = await spawnGateway(folder)
  assert.ok(!again.log.text.includes('recovered'), again.log.text)
})
