import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'

const CARRIED: readonly (readonly [sql: string, carried: readonly string[] | undefined])[] = [
  // Position by position, as long as positions can be told.
  ['INSERT INTO t (a, b) SELECT x, y || z FROM u', ['a<x', 'b<y', 'b<z']],
  ['INSERT INTO t SELECT x FROM u', ['*<x']],
  ['INSERT INTO t (a, b) SELECT * FROM u', ['*<*']],
  ['INSERT INTO t (a) SELECT (u).x FROM u', ['*<*', '*<u']],
  ['INSERT INTO t (a) SELECT x FROM u UNION SELECT y FROM v', ['a<x', 'a<y']],
  ['INSERT INTO t (a) VALUES (1), ((SELECT x FROM u))', ['a<x']],
  ['UPDATE t SET a = lower(x), b = 1 FROM u WHERE t.id = u.id', ['a<x']],
  ['UPDATE t SET (a, b) = (SELECT x, y FROM u)', ['a<x', 'a<y', 'b<x', 'b<y']],
  [
    'MERGE INTO t USING u ON t.i = u.i WHEN MATCHED THEN UPDATE SET a = x WHEN NOT MATCHED THEN INSERT (b) VALUES (y)',
    ['a<x', 'b<y'],
  ],
  ['CREATE TABLE t (a) AS SELECT x FROM u', ['a<x']],
  ['CREATE TABLE t AS SELECT x AS harmless, y FROM u', ['harmless<x', 'y<y']],
  ['SELECT x INTO t FROM u', ['x<x']],
  ['ALTER TABLE t ALTER a TYPE text USING lower(x), ALTER b TYPE int', ['a<x']],
  // Whatever stands between.
  ['WITH c AS (SELECT x AS k FROM u) INSERT INTO t (a) SELECT k FROM c', ['a<k', 'a<x']],
  ['WITH c AS (DELETE FROM u RETURNING x) INSERT INTO t (a) SELECT 1 + n FROM c AS r(n)', ['a<n', 'a<x']],
  ['INSERT INTO t (a) SELECT k FROM (SELECT x FROM u) AS r(k)', ['a<k', 'a<x']],
  ['UPDATE t SET a = r.k FROM (SELECT x AS k FROM u) r', ['a<k', 'a<x']],
  ['INSERT INTO t (a) SELECT k FROM u, unnest(ARRAY[x]) k', ['a<k', 'a<x']],
  ['EXPLAIN ANALYZE INSERT INTO t (a) SELECT x FROM u', ['a<x']],
  ['INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.x', ['b<x']],
  // What only chooses rows carries nothing.
  ["INSERT INTO t (a) SELECT 'constant' FROM u WHERE x = 'y' ORDER BY z", undefined],
  ['UPDATE t SET a = EXISTS (SELECT x FROM u)', undefined],
  ['UPDATE t SET a = 1 WHERE b = 2', undefined],
  ['INSERT INTO t DEFAULT VALUES', undefined],
  ['DELETE FROM t WHERE a = 1', undefined],
  ['SELECT x FROM u', undefined],
]

for (const [sql, carried] of CARRIED) {
  test(`${sql}: ${carried?.join(', ') ?? 'nothing'}`, () => {
    assert.deepEqual(sqlFacts(sql).carried?.toSorted(), carried)
  })
}
