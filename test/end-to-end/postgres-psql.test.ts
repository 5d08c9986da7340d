import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../support/cli.ts'
import { assertRan, clientHere, libpqEnv, type Ran, Running, run } from '../support/clients.ts'
import { type Rig, SERVERS, startRig } from '../support/gateway-rig.ts'
import { framesOf } from '../support/tapes.ts'

for (const from of SERVERS) {
  test(`psql against the ${from} server`, async (t) => {
    const program = clientHere(t, 'psql')
    if (program === undefined) return
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const folder = await mkdtemp(join(tmpdir(), 'psql-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const psql = (lines: string, args: readonly string[] = []): Promise<Ran> =>
      run(program, ['-X', '-v', 'ON_ERROR_STOP=1', ...args], { env: throughTee(rig), input: `${lines}\n`, cwd: folder })

    await t.test('describes what is there', async () => {
      const ran = await psql(
        '\\d\n\\dt+\n\\d+ customers\n\\d+ city_totals\n\\d+ events\n\\di+\n\\df twice\n\\dn+\n\\du\n\\sf twice',
      )
      assertRan(ran, 'psql')
      for (const word of ['customers', 'city_totals', 'customers_city', 'who buys', 'events_2024', 'numeric(10,2)', 'n * 2'])
        assert.ok(ran.stdout.includes(word), `${word} is missing:\n${ran.stdout}`)
      await rig.tee.check()
    })

    await t.test('copies in both directions', async () => {
      const ran = await psql(
        [
          '\\copy customers to out.csv csv header',
          'create table copied (like customers)',
          '\\copy copied from out.csv csv header',
          'select count(*), sum(balance) from copied',
          '\\copy (select id, name from copied order by id limit 2) to stdout',
          'drop table copied',
        ]
          .join(';\n')
          .replaceAll(/(\\copy[^\n]*);/g, '$1'),
      )
      assertRan(ran, 'psql')
      assert.match(ran.stdout, /500 \| 156562\.50/)
      assert.match(ran.stdout, /1\tcustomer 1\n2\tcustomer 2\n/)
      const lines = (await readFile(join(folder, 'out.csv'), 'utf8')).trim().split('\n')
      assert.equal(lines.length, 501)
      assert.equal(lines[1], '1,customer 1,Lyon,2024-01-02,1.25,f')
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('fetches by cursor, describes results, repeats, binds, and lives on after errors', async () => {
      const ran = await psql(
        [
          '\\set FETCH_COUNT 100',
          'select id from orders order by id;',
          '\\unset FETCH_COUNT',
          'select id, name, balance from customers \\gdesc',
          `select 'select ' || n from generate_series(41, 42) n \\gexec`,
          'select count(*) as c from orders \\gset',
          '\\echo counted :c',
          '\\set ON_ERROR_STOP 0',
          'begin; select 1/0;',
          'select 1;',
          'rollback;',
          'select no_such_column from customers;',
          `do $$ begin raise notice 'heard %', 7; end $$;`,
          'select 1 as a; select 2 as b;',
          'select 3 as c\\; select 4 as d;',
          'listen tidings;',
          `notify tidings, 'good';`,
          'select 1;',
          '\\crosstabview',
        ].join('\n'),
        ['-v', 'VERBOSITY=verbose'],
      )
      assert.match(ran.stdout, /\n 20000\n/)
      assert.match(ran.stdout, /balance \| numeric\(10,2\)/)
      assert.match(ran.stdout, /\n\s+42\n/)
      assert.match(ran.stdout, /counted 20000/)
      assert.match(ran.stderr, /22012: division by zero/)
      assert.match(ran.stderr, /25P02: current transaction is aborted/)
      assert.match(ran.stderr, /42703: column "no_such_column" does not exist/)
      assert.match(ran.stderr, /heard 7/)
      assert.match(ran.stdout, /notification "tidings" with payload "good"/)
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('completes names at the Tab key', async () => {
      const script = new Running('script', ['-qec', `${program} -X`, '/dev/null'], {
        env: { ...throughTee(rig), TERM: 'dumb' },
        cwd: folder,
      })
      await script.says(/=[#>] $/)
      script.type('select count(*) from city_to\t')
      await script.says(/city_totals /)
      script.type(';\n\\q\n')
      await script.ended
      assert.match(script.stdout, /\(1 row\)/)
      const connection = rig.tee.connections.at(-1)
      assert.ok(connection)
      const session = await rig.gateway.log.sealed(connection.port)
      const asked = await framesOf(rig.gateway.folder.dataDir, session)
      assert.ok(asked.some(({ dir, body }) => dir === 'in' && String(Buffer.from(body ?? [])).includes("LIKE 'city\\_to")))
      await rig.tee.check()
    })

    await t.test('leaves as packets that tshark reads: what was asked, what came back', async (t) => {
      const tshark = clientHere(t, 'tshark')
      if (tshark === undefined) return
      assertRan(await psql(`select name from customers where id = 1;\nselect 'second';`), 'psql')
      const session = await rig.gateway.log.sealed(rig.tee.connections.at(-1)?.port ?? assert.fail())
      const out = join(folder, 'psql.pcapng')
      const exported = await runCli([
        'export',
        session,
        '--format',
        'pcapng',
        '--out',
        out,
        '--config',
        rig.gateway.folder.config,
      ])
      assert.equal(exported.code, 0, exported.err)
      const read = async (filter: string, field: string): Promise<string> => {
        const ran = await run(tshark, ['-r', out, '-n', '-T', 'fields', '-e', field, '-Y', filter])
        assertRan(ran, 'tshark')
        return ran.stdout
      }
      assert.equal(await read('_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission', 'frame.number'), '')
      assert.equal(await read('pgsql.query', 'pgsql.query'), "select name from customers where id = 1;\nselect 'second';\n")
      assert.match(await read('pgsql.val.data', 'pgsql.val.data'), new RegExp(Buffer.from('customer 1').toString('hex')))
      await rig.tee.check()
    })

    await t.test('shows who the gateway is only as the target, and passes its settings through', async () => {
      const ran = await run(
        program,
        ['-X', '-At', '-c', 'show application_name', '-c', 'show timezone', '-c', 'select current_user'],
        {
          env: { ...throughTee(rig), PGAPPNAME: 'ledger check', PGTZ: 'Europe/Oslo' },
        },
      )
      assertRan(ran, 'psql')
      assert.equal(ran.stdout, 'ledger check\nEurope/Oslo\npostgres\n')
      await rig.tee.check()
    })
  })
}

function throughTee(rig: Rig): Record<string, string> {
  return libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
}
