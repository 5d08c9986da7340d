import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { startRig } from '../support/gateway-rig.ts'

test('pg_dump through the gateway gives what it gives directly', async (t) => {
  const program = clientHere(t, 'pg_dump')
  if (program === undefined) return
  // A pg_dump refuses servers newer than itself, so Debian's meets Debian's.
  await using rig = await startRig(t, 'debian')
  if (rig === undefined) return
  const { server, gateway, tee } = rig
  const direct = {
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: 'postgres',
    PGPASSWORD: server.password,
    PGDATABASE: 'postgres',
  }
  const through = libpqEnv(gateway, { port: tee.port, database: rig.database })
  const withoutKey = (text: string): string => text.replaceAll(/^\\(un)?restrict .*$/gm, '')

  for (const args of [[], ['--inserts', '--table=customers'], ['--schema-only', '--create']]) {
    await t.test(`pg_dump ${args.join(' ')}`, async () => {
      const [here, there] = await Promise.all([run(program, args, { env: through }), run(program, args, { env: direct })])
      assertRan(here, 'pg_dump')
      assertRan(there, 'pg_dump directly')
      // The database's own name is the only thing the two can see differently.
      assert.equal(withoutKey(here.stdout).replaceAll('shop', 'postgres'), withoutKey(there.stdout))
      assert.equal(await tee.check(), 1)
    })
  }

  await t.test('two connections at once share a snapshot', async () => {
    const ran = await run('sh', ['-c', `d=$(mktemp -d) && ${program} -Fd -j 2 -f "$d/x" && ls "$d/x" | wc -l && rm -r "$d"`], {
      env: through,
    })
    assertRan(ran, 'pg_dump -j 2')
    assert.ok(Number(ran.stdout) > 3, ran.stdout)
    assert.equal(await tee.check(), 3)
  })
})
