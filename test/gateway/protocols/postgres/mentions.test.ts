import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCategorised } from '../../../../gateway/policy/sql/functions.ts'
import { parseSql } from '../../../../gateway/policy/sql/parse.ts'
import { columnField } from '../../../../gateway/protocols/postgres/columns.ts'
import { CONVERTERS, LENGTHS, SPELLING, ZONED } from '../../../../gateway/protocols/postgres/conversions.ts'
import { type Mentions, mentionsOf, TESTING } from '../../../../gateway/protocols/postgres/mentions.ts'
import { startPostgres } from '../../../support/pg-server.ts'

function mentions(sql: string): Mentions {
  const parsed = parseSql(sql)
  assert.ok(parsed.ok, sql)
  return mentionsOf(parsed.statements)
}

test('a name given to a result is known as such, unless it is also used as something else', () => {
  const given: Readonly<Record<string, readonly string[]>> = {
    'select upper(city) as town from people order by town': ['town'],
    'select q.h from (select height as h from people) q': ['h'],
    'with q as (select height as h from people) select q.h + 1 as next from q': ['h', 'next'],
    'select upper(city) as f, p.f from people p': [],
    'select 1 as f, (p).f from people p': [],
    'select 1 as f, s.p.f from people p': [],
    'select h from (select 1 as h) q, people q2 where q2.h = 1': [],
    'update people set city = 1': [],
  }
  for (const [sql, names] of Object.entries(given)) assert.deepEqual([...mentions(sql).given], names, sql)
})

test('columns are compared where a condition decides what a result column shows', () => {
  const compared: Readonly<Record<string, readonly string[]>> = {
    'select case when a = 1 then 2 end from t': ['a'],
    "select case a when 1 then b end, c from t where d like 'x'": ['a', 'b'],
    'select a between 1 and 2 from t': ['a'],
    'select starts_with(a, $$x$$), (b is distinct from c)::int from t': ['a', 'b', 'c'],
    'select (select 5 where a > 1) from t': ['a'],
    'select x from (select a in (1, 2) as x from t) q': ['a'],
    'insert into t values (1) returning a ~ $$x$$': ['a'],
    'values ((select a = 1 from t))': ['a'],
    'select a + 1, b is null, count(*) filter (where c > 1) from t order by d = 1': ['c'],
  }
  for (const [sql, names] of Object.entries(compared)) assert.deepEqual([...mentions(sql).compared].sort(), names, sql)
})

/** What these say of a text is at most what counting, ordering or asking for rights says. */
const HARMLESS =
  /^(count|cume_dist|dense_rank|rank|percent_rank|extract|date_part|pg_typeof|pg_(database|tablespace|relation)_size|pg_column_toast_chunk_id|currtid2|int8(inc|dec)_any|void_in|shell_in|num_(non)?nulls|has_\w+_privilege|pg_has_role|pg_index(am|_column)?_has_property|pg_stat_have_stats|postgresql_fdw_validator|row_security_active|xmlvalidate|boolin)$/
const TEXTUAL = [
  17, 18, 19, 25, 114, 142, 1001, 1009, 1014, 1015, 1042, 1043, 2249, 2275, 2276, 2277, 2283, 3802, 5077, 5078, 5079,
]
const INTERNAL = 2281
const BOOL = 16

test('every function of the server that makes a number or an answer of a text is known for it', async () => {
  await using server = await startPostgres({ from: 'embedded' })
  const rows = await server.sql(
    `select distinct proname as name, prorettype::int as type from pg_proc where pronamespace = 'pg_catalog'::regnamespace
     and proargtypes::oid[] && '{${TEXTUAL.join(',')}}'::oid[] and not ${INTERNAL} = any (proargtypes::oid[]) and prokind <> 'p'`,
  )
  const unknown = rows.flatMap(({ name, type }) => {
    const quiet =
      columnField({ name: 'x', table: 0, attribute: 0, type: Number(type), format: 0 }, 0, undefined).action === 'skip'
    const known = [SPELLING, LENGTHS, CONVERTERS, TESTING, ZONED].some((names) => names.has(String(name)))
    return !quiet || known || HARMLESS.test(String(name)) || isCategorised(String(name)) ? [] : [`${name} -> ${type}`]
  })
  assert.deepEqual(unknown, [])
  assert.ok(rows.some(({ name, type }) => name === 'starts_with' && Number(type) === BOOL))
})
