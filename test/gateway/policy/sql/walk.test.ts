import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collector } from '../../../../gateway/policy/sql/collector.ts'
import { parseSql } from '../../../../gateway/policy/sql/parse.ts'
import { walkStatement } from '../../../../gateway/policy/sql/walk.ts'

function walk(sql: string): Collector {
  const parsed = parseSql(sql)
  assert.ok(parsed.ok, sql)
  const found = new Collector()
  for (const statement of parsed.statements) walkStatement(statement, found)
  return found
}

test('a statement of a grammar newer than this walk is dynamic', () => {
  const found = new Collector()
  walkStatement({ TimeTravelStmt: { relation: { relname: 't', relpersistence: 'p' } } }, found)
  assert.deepEqual([...found.verbs], ['UNKNOWN'])
  assert.equal(found.dynamic, true)
  assert.deepEqual([...found.relations], ['t'])
})

test('relations are found wherever they stand', () => {
  const found = walk(`SELECT (SELECT max(a) FROM t1) FROM t2 JOIN t3 USING (id), LATERAL (SELECT * FROM t4) AS x
    WHERE EXISTS (SELECT 1 FROM t5) AND id IN (TABLE t6) GROUP BY (SELECT 1 FROM t7) HAVING count(*) > (SELECT 1 FROM t8)
    ORDER BY (SELECT 1 FROM t9) LIMIT (SELECT 1 FROM t10)`)
  assert.deepEqual([...found.relations].sort(), ['t1', 't10', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9'])
})

test('functions are found wherever they stand', () => {
  const found =
    walk(`WITH w AS MATERIALIZED (SELECT f1()) INSERT INTO t (a) SELECT f2(f3()) FROM f4() WITH ORDINALITY, ROWS FROM (f5(), f6())
    WHERE f7() GROUP BY f8() WINDOW x AS (ORDER BY f9()) ON CONFLICT (a) DO UPDATE SET a = f10() WHERE f11() RETURNING f12()`)
  assert.deepEqual([...found.functions].sort(), ['f1', 'f10', 'f11', 'f12', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9'])
  const schema = walk('CREATE TABLE t (a int DEFAULT f1() CHECK (f2(a)), b int GENERATED ALWAYS AS (f3(a)) STORED)')
  assert.deepEqual([...schema.functions].sort(), ['f1', 'f2', 'f3'])
  assert.deepEqual([...walk('CREATE INDEX ON t (f1(a)) WHERE f2(b)').functions], ['f1', 'f2'])
  assert.deepEqual([...walk('SELECT sum(a) FILTER (WHERE f1()) OVER (PARTITION BY f2()) FROM t').functions].sort(), [
    'f1',
    'f2',
    'sum',
  ])
})

test('a WITH name is a relation only where it is not in sight', () => {
  assert.deepEqual([...walk('WITH a AS (SELECT 1) SELECT * FROM a').relations], [])
  assert.deepEqual([...walk('WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a').relations], ['b'])
  assert.deepEqual([...walk('SELECT * FROM a, (WITH a AS (SELECT 1) SELECT * FROM a) AS x').relations], ['a'])
  assert.deepEqual([...walk('WITH a AS (SELECT 1) SELECT * FROM public.a').relations], ['public.a'])
  assert.deepEqual([...walk('WITH a AS (SELECT 1) UPDATE a SET b = 1').relations], ['a'])
})

test('what stands in a DO block counts, as far as it can be read', () => {
  const found = walk(
    'DO $$ DECLARE x int := f1(); BEGIN IF f2() THEN TRUNCATE t; END IF; FOR x IN 1..f3() LOOP PERFORM f4(); END LOOP; x := f5(); END $$',
  )
  assert.deepEqual([...found.functions].sort(), ['f1', 'f2', 'f3', 'f4', 'f5'])
  assert.deepEqual([...found.relations], ['t'])
})

test('objects of DROP are relations where they are', () => {
  assert.deepEqual([...walk('DROP TABLE a.b, c').relations], ['a.b', 'c'])
  assert.deepEqual([...walk('DROP FUNCTION f(int)').relations], [])
})
