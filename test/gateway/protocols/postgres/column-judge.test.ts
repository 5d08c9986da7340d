import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { Catalog } from '../../../../gateway/protocols/postgres/catalog.ts'
import { NO_ADDITIONS, type Relation } from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'
import { Columns } from '../../../../gateway/protocols/postgres/column-judge.ts'
import { answers } from '../../../support/pg-words.ts'
import { agent, policyOf, production } from '../../../support/policy.ts'

// A statement chooses how many relations and columns it names, how many columns it gives back and how often it gives notice.
// What that costs may not be the product of them: the event loop is everybody's.

const TABLES = 100
const NAMES = Array.from({ length: 900 }, (_, index) => `c${Math.floor(index / 10)}_${index % 10}`)
const TABLE_NAMES = Array.from({ length: TABLES }, (_, index) => `t${index}`)

/** Tables of ten columns, and a view of 300 computed columns over all of them. */
function snapshot() {
  const tables = TABLE_NAMES.map((table, index): Relation => {
    const columns = new Map(Array.from({ length: 10 }, (_, at) => [at + 1, `c${index}_${at}`]))
    return { oid: 20_000 + index, schema: 'public', table, kind: 'r', columns, kin: [] }
  })
  const view: Relation = {
    oid: 30_000,
    schema: 'public',
    table: 'seen',
    kind: 'v',
    columns: new Map(Array.from({ length: 300 }, (_, at) => [at + 1, `v${at}`])),
    kin: [],
    view: { plain: new Map(), reads: tables.map(({ oid }) => oid), opaque: false },
  }
  const relations = new Map([...tables, view].map((relation) => [relation.oid, relation]))
  return { relations, system: new Set<string>(), additions: NO_ADDITIONS }
}

/** A judge, and how often its catalog has been asked since. */
async function judge(t: TestContext) {
  const failed = (): void => assert.fail('the catalog is read once')
  const catalog = await Catalog.open(() => Promise.resolve(snapshot()), failed)
  const asked = [t.mock.method(catalog, 'lookup'), t.mock.method(catalog, 'named')]
  const labels = policyOf('  []', 'labels: { pii: { columns: [public.t0.secret, "public.t1.*"], entity: person } }').columns(
    agent,
  )
  const credential = (): Promise<never> => assert.fail('nobody logs in here')
  const columns = new Columns({ labels, target: production, credential, catalogFailed: failed }, 'shop', {
    of: () => Promise.resolve(catalog),
  })
  await columns.ready()
  return { columns, asked: () => asked.reduce((sum, { mock }) => sum + mock.callCount(), 0) }
}

const computed = answers.columns(...Array.from({ length: 1_600 }, (_, at) => ({ name: `x${at}` })))

test('a thousand computed columns of a statement that names a hundred tables and their columns are told at once', async (t) => {
  const { columns, asked } = await judge(t)
  const from = TABLE_NAMES.filter((name) => name !== 't1')
  const sql = `select exists (select 1 from ${from.join(',')} where coalesce(${NAMES.filter((name) => !name.startsWith('c1_')).join(',')}) = 'x')`
  const { text } = columns.described(computed, 0, computed.length, sql)
  assert.deepEqual(new Set(text.map(({ action }) => action)), new Set(['scan']))
  assert.ok(asked() < 5_000, `the catalog was asked ${asked()} times`)
})

test('so are a view of three hundred computed columns, and what a statement that names it says a thousand times', async (t) => {
  const { columns, asked } = await judge(t)
  const { text } = columns.described(computed, 0, computed.length, 'select upper(v1) from seen')
  assert.deepEqual(new Set(text.map(({ action }) => action)), new Set(['mask']))
  const notices = Array.from({ length: 1_000 }, () =>
    columns.complaint(`vacuum (verbose) t0, ${TABLE_NAMES.slice(2).join(', ')}`),
  )
  assert.deepEqual(new Set(notices), new Set([undefined]))
  assert.ok(asked() < 50_000, `the catalog was asked ${asked()} times`)
})

test('what is carried from hundreds of columns is asked once for each', async (t) => {
  const { columns, asked } = await judge(t)
  const into = NAMES.slice(0, 400)
  const facts = sqlFacts(
    `insert into t2 (${into.join(',')}) select ${into.map(() => 't7').join(',')} from ${TABLE_NAMES.slice(2).join(',')}`,
  )
  assert.equal(columns.writesFromMasked(facts), false)
  assert.ok(asked() < 50_000, `the catalog was asked ${asked()} times`)
})

test('a label by place holds for a column the catalog has not seen yet, which another table has', async (t) => {
  const { columns } = await judge(t)
  for (const [sql, action] of [
    ["select c5_1 || 'x' from t1, t5", 'mask'],
    ["select c5_1 || 'x' from t2, t5", 'scan'],
    ["select secret || 'x' from t2", 'scan'],
    ["select secret || 'x' from t0", 'mask'],
  ] as const) {
    const { text } = columns.described(computed, 0, computed.length, sql)
    assert.equal(text[0]?.action, action, sql)
  }
})

test('nobody waits for the catalog before a statement that only defines, and no other but for what it has not seen', async (t) => {
  const { columns } = await judge(t)
  let generation = 0
  const waits = (sql: string): boolean => columns.pending(sqlFacts(sql), ++generation) !== undefined
  assert.deepEqual(['create table made (a int)', 'create index on made (a)', 'drop table made'].map(waits), [false, false, false])
  assert.equal(waits('select c2_1 from t2'), false)
})
