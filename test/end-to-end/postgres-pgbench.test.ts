import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { SERVERS, startRig } from '../support/gateway-rig.ts'

const TRANSACTIONS = 50

for (const from of SERVERS) {
  test(`pgbench against the ${from} server`, async (t) => {
    const program = clientHere(t, 'pgbench')
    if (program === undefined) return
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })

    await t.test('fills its tables by COPY', async () => {
      const ran = await run(program, ['-i', '-q', '-s', '1', '-I', 'dtgvp'], { env })
      assertRan(ran, 'pgbench')
      const [row] = await rig.server.sql('select count(*)::int as n from pgbench_accounts')
      assert.equal(row?.['n'], 100_000)
      assert.equal(await rig.tee.check(), 1)
    })

    for (const mode of ['simple', 'extended', 'prepared']) {
      await t.test(`runs its ${mode} mode, and the books balance`, async () => {
        await rig.server.sql('truncate pgbench_history')
        const ran = await run(program, ['-n', '-M', mode, '-c', '3', '-j', '1', '-t', String(TRANSACTIONS)], { env })
        assertRan(ran, 'pgbench')
        assert.match(ran.stdout, new RegExp(`processed: ${3 * TRANSACTIONS}/${3 * TRANSACTIONS}`))
        const [row] = await rig.server.sql(
          'select (select count(*) from pgbench_history)::int as n, (select sum(delta) from pgbench_history) is not null as any',
        )
        assert.deepEqual(row, { n: 3 * TRANSACTIONS, any: true })
        assert.equal(await rig.tee.check(), 4) // pgbench asks for the scale on a connection of its own
      })
    }

    await t.test('runs a pipeline script', async () => {
      const statements = Array.from({ length: 40 }, (_, n) => `select ${n} + :client_id;`)
      const folder = await mkdtemp(join(tmpdir(), 'pgbench-'))
      t.after(() => rm(folder, { recursive: true }))
      const script = join(folder, 'pipeline.sql')
      await writeFile(script, ['\\startpipeline', ...statements, '\\endpipeline', ''].join('\n'))
      const ran = await run(program, ['-n', '-M', 'extended', '-c', '2', '-t', '5', '-f', script], { env })
      assertRan(ran, 'pgbench')
      assert.match(ran.stdout, /processed: 10\/10/)
      await rig.tee.check()
    })
  })
}
