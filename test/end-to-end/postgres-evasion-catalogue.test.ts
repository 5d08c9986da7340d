import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Client } from 'pg'
import { sqlFacts } from '../../gateway/policy/sql/facts.ts'
import { EVASIONS } from '../support/evasions.ts'
import { APPROVER } from '../support/gateway.ts'
import { PEOPLE_SQL } from '../support/gateway-people.ts'
import { startRig } from '../support/gateway-rig.ts'
import { startPostgres } from '../support/pg-server.ts'

// Every way round policies and masks that we know of, tried on the sample policy before a real server: what reached the
// client, and what became of the server's tables. The table is in support/evasions.ts.

/** Rows of the catalogue that no statement shows, and where they are tested. */
const ELSEWHERE: Readonly<Record<number, string>> = {
  3: 'test/gateway/protocols/postgres/wire.test.ts',
  14: 'test/end-to-end/postgres-leaks.test.ts',
  25: 'test/end-to-end/postgres-masking.test.ts',
}

/** Twelve hex digits are of nobody, and now and then look like somebody's number. */
const TAG = /(?<=\[MASKED:[a-z-]+:)[0-9a-f]{12}(?=\])/g

/** Of a person, in any of the forms the statements above give them. */
const LEAKED = /zaphod\d{4}|\d{4}dohpaz|536-?22-?\d{4}|\d{4}-?22-?635|NTM2LTIyL|5a6170686f64/i

const SEED = `${PEOPLE_SQL}
create procedure tidy_up() language sql as 'delete from doomed';
`

/** The sample policy, made for these tables. */
function samplePolicy(): string {
  const sample = readFileSync(new URL('../../gateway/demo/policy.yaml', import.meta.url), 'utf8')
  return sample
    .slice(0, sample.indexOf('tests:\n'))
    .replaceAll('public.customers.', 'public.people.')
    .replace('    targets: { labels: { env: production } }\n', '')
    .replace(
      /approval: \{ groups: \[dba\], count: 1, timeout: 45s \}/,
      `approval: { groups: [${APPROVER.groups[1]}], timeout: 300ms }`,
    )
}

test('every row of the catalogue is in the table, or tested elsewhere', () => {
  const rows = new Set([...EVASIONS.map(({ row }) => row), ...Object.keys(ELSEWHERE).map(Number)])
  assert.deepEqual(
    Array.from({ length: 28 }, (_, index) => index + 1).filter((row) => !rows.has(row)),
    [],
  )
  for (const file of Object.values(ELSEWHERE)) readFileSync(new URL(`../../${file}`, import.meta.url))
})

test('what the sample policy lets through of the evasions is what a real server may be asked', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: samplePolicy(), seed: SEED })
  if (rig === undefined) return
  const state = async (): Promise<unknown> =>
    (
      await rig.server.sql(
        `select (select count(*)::int from doomed) as doomed, (select count(*)::int from measures) as measures,
           (select count(*)::int from pg_class where relname = 'copied') as copied,
           (select count(*)::int from pg_proc where proname in ('f', 'p')) as made,
           (select md5(string_agg(p::text, ',' order by id)) from people p) as people`,
      )
    )[0]
  const before = await state()
  for (const { row, what, fate, statements } of EVASIONS) {
    await t.test(`${row} ${what}: ${fate}`, async () => {
      for (const sql of statements) {
        const shown = sql.slice(0, 80)
        const client = new Client({
          host: '127.0.0.1',
          port: rig.tee.port,
          user: 'agent',
          password: rig.gateway.folder.keys.agent,
          database: rig.database,
        })
        client.on('error', () => undefined)
        await client.connect()
        const { got, rules } = await fateOf(client, sql)
        assert.doesNotMatch(got.replace(TAG, ''), LEAKED, shown)
        if (fate === 'blocked' || fate === 'held') assert.match(got, /"code":"42501"/, `${shown}: ${got.slice(0, 300)}`)
        else assert.doesNotMatch(got, /"code":"42501"/, `${shown}: ${got.slice(0, 300)}`)
        if (fate === 'masked' && (row === 10 || row === 28) && !sql.includes('binary')) assert.match(got, /MASKED/, shown)
        if (fate === 'held') assert.match(`${rules} ${got}`, /approv|A-[0-9A-Z]{8}/i, shown)
        await client.end()
      }
      assert.deepEqual(await state(), before, 'nothing changed on the server')
    })
  }
})

test('what a real server does with them, nobody standing before it, is what the policy takes them for', async (t) => {
  const server = await startPostgres()
  t.after(() => server.stop())
  await server.sql(SEED)
  const tried = EVASIONS.filter(({ row }) => row <= 12).flatMap(({ statements }) => statements)
  let wrote = 0
  let leaked = 0
  for (const sql of [...HARMLESS, ...tried]) {
    // What would end the transaction itself leaves nothing to look at.
    if (/\bcommit\b/i.test(sql)) continue
    const rows = await server.sql(`begin; ${sql}`).catch(() => undefined)
    if (rows === undefined) continue // the server would not run it either
    if (LEAKED.test(JSON.stringify(rows))) leaked++
    const [after] = await server.sql(`begin; ${sql}; select pg_current_xact_id_if_assigned()::text as xid`)
    const facts = sqlFacts(sql)
    const taken =
      facts.writes === true ||
      facts.ddl === true ||
      facts.dynamic === true ||
      facts.function_categories?.includes('unknown') === true
    if (after?.['xid'] !== null) wrote++
    if (after?.['xid'] !== null) assert.ok(taken, `the server wrote: ${sql}`)
    if (HARMLESS.includes(sql)) assert.deepEqual([after?.['xid'], taken], [null, false], sql)
  }
  assert.ok(wrote >= 20, `${wrote} of them write`)
  assert.ok(leaked >= 10, `${leaked} of them show what the gateway masks`)
})

/** What must not be taken for more than it is. */
const HARMLESS: readonly string[] = [
  'select count(*) from people',
  "select 'delete from doomed', $$drop table doomed$$",
  'with d as (select 1 as x) select x from d',
  'declare c cursor for select id from people',
  'prepare s as select 1; execute s',
  'show server_version',
  "values (1, 'update people set id = 0')",
]

/** Everything the client was told: rows, errors, notices, data of a COPY. */
async function fateOf(client: Client, sql: string): Promise<{ readonly got: string; readonly rules: string }> {
  const told: string[] = []
  client.on('notice', (notice) => told.push(JSON.stringify({ ...notice, message: notice.message })))
  const { connection } = client as unknown as { readonly connection: NodeJS.EventEmitter }
  connection.on('copyData', ({ chunk }: { readonly chunk: Buffer }) => told.push(chunk.toString('latin1')))
  const answer = await client.query({ text: sql, rowMode: 'array' }).then(
    (result) => JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    (error: Error) => JSON.stringify({ ...error, message: error.message }),
  )
  return { got: `${answer} ${told.join(' ')}`, rules: told.join(' ') }
}
