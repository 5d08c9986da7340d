import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDatabases } from '../../../gateway/doctor/check-databases.ts'
import { hasDebian, startPostgres } from '../../support/pg-server.ts'

test('databases that answer, that do not, and those in which a role may do too little', async () => {
  await using server = await startPostgres({ from: hasDebian() ? 'debian' : 'embedded' })
  const { password } = server
  await server.sql(`create role poor login password '${password}'`)
  const see = async (user: string, port = server.port): Promise<readonly (readonly [string, string])[]> => {
    const url = { env: 'URL' }
    const checks = await checkDatabases(
      { shared: { url }, catalog: { url }, from: (path) => path },
      { URL: `postgres://${user}:${password}@127.0.0.1:${port}/postgres` },
    )
    return checks.map(({ what, status, seen, cure = '' }) => [`${what} ${status}`, `${seen} ${cure}`])
  }
  const told = (seen: Awaited<ReturnType<typeof see>>): readonly string[] => seen.map(([status]) => status)

  const nothing = await see('poor')
  assert.deepEqual(told(nothing), ['shared database failed', 'catalog database failed'])
  assert.match(nothing[0]?.[1] ?? '', /does not answer \(42501\).*owner of the schema desk/)
  assert.match(nothing[1]?.[1] ?? '', /schemas may not be made.*grant create on the database/)

  const all = await see('postgres')
  assert.deepEqual(told(all), ['shared database ok', 'catalog database ok'])
  assert.match(all[0]?.[1] ?? '', /passes notifications on/)

  // What is there already needs no right to make it, and has to be written.
  await server.sql('grant usage on schema desk to poor; grant select, insert, delete on all tables in schema desk to poor')
  assert.match((await see('poor'))[0]?.[1] ?? '', /does not answer|may not be read and written/)
  await server.sql(
    'grant update on all tables in schema desk to poor; create schema catalog; grant usage, create on schema catalog, desk to poor',
  )
  assert.deepEqual(told(await see('poor')), ['shared database ok', 'catalog database ok'])

  await server.stop()
  const gone = await see('postgres')
  assert.deepEqual(told(gone), ['shared database failed', 'catalog database failed'])
  for (const [, text] of gone) {
    assert.match(text, /ECONNREFUSED/)
    assert.ok(!text.includes(password))
  }
})

test('what lies in the data folder is no database to ask', async () => {
  assert.deepEqual(await checkDatabases({ catalog: {}, from: (path) => path }, {}), [])
})
