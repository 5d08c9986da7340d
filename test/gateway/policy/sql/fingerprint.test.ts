import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fingerprintOf } from '../../../../gateway/policy/sql/fingerprint.ts'
import { parseSql } from '../../../../gateway/policy/sql/parse.ts'

function of(sql: string): string {
  const parsed = parseSql(sql)
  assert.ok(parsed.ok, sql)
  return fingerprintOf(parsed.statements)
}

/** Each line: texts of one fingerprint, which no other line has. */
const CLASSES = [
  ['SELECT 1', 'select 2 -- with a remark', "SELECT 'x'", 'SELECT $1', 'SELECT null', 'SELECT true', 'SELECT -1'],
  ['SELECT a'],
  ['SELECT a FROM t', 'SELECT a AS b FROM t', 'SELECT  a\nFROM t', 'SELECT "a" FROM T'],
  ['SELECT a, b FROM t', 'SELECT b, a FROM t', 'SELECT a AS x, b AS y FROM t'],
  ['SELECT a FROM s.t'],
  ['SELECT a FROM u'],
  ['SELECT a FROM t, u', 'SELECT a FROM u, t'],
  ['SELECT a FROM t WHERE a = 1 AND b = 2', "SELECT a FROM t WHERE b = 'x' AND a = $1"],
  ['SELECT a FROM t WHERE a = 1 OR b = 2'],
  ['SELECT a FROM t WHERE a IN (1)', 'SELECT a FROM t WHERE a IN (1, 2, 3)', 'SELECT a FROM t WHERE a IN ($1, $2)'],
  ['SELECT a FROM t WHERE a < 1'],
  ['SELECT a FROM t LIMIT 1', 'SELECT a FROM t LIMIT 1000'],
  ['SELECT a FROM t UNION SELECT a FROM u'],
  ['SELECT a FROM t UNION ALL SELECT a FROM u'],
  ['SELECT a::text FROM t', 'SELECT cast(a AS text) FROM t'],
  ['SELECT b::text FROM t'],
  ['SELECT f(a) FROM t'],
  ['INSERT INTO t (a, b) VALUES (1, 2)', 'INSERT INTO t (a, b) VALUES (1, 2), (3, 4)', 'INSERT INTO t (a, b) VALUES ($1, $2)'],
  ['INSERT INTO t (a) VALUES (1)'],
  ['UPDATE t SET a = 1', 'UPDATE t SET a = 2'],
  ['UPDATE t SET b = 1'],
  ['DELETE FROM t WHERE a = 1', 'DELETE FROM t WHERE a = 2'],
  ['DELETE FROM t'],
  ['DECLARE c CURSOR FOR SELECT 1', 'DECLARE d CURSOR FOR SELECT 2'],
  ['FETCH 10 FROM c', 'FETCH 10 FROM d'],
  ['PREPARE p AS SELECT 1', 'PREPARE q AS SELECT 2'],
  ['EXECUTE p(1)', 'EXECUTE q(2)'],
  ['SAVEPOINT a', 'SAVEPOINT b'],
  ['SET a = 1', "SET a = 'x'"],
  ['SET b = 1'],
  ['SELECT f(a, b)'],
  ['SELECT f(b, a)'],
  ['SELECT coalesce(a, b)'],
  ['SELECT coalesce(b, a)'],
  ["ALTER ROLE r PASSWORD 'one'", "ALTER ROLE r PASSWORD 'two'", "ALTER ROLE r ENCRYPTED PASSWORD 'two'"],
  ['ALTER ROLE r PASSWORD NULL'],
  ['ALTER ROLE r SUPERUSER'],
  ['ALTER ROLE r NOSUPERUSER'],
  ["ALTER ROLE r LOGIN PASSWORD 'one'", "ALTER ROLE r LOGIN PASSWORD 'two'"],
  ["ALTER ROLE r NOLOGIN PASSWORD 'one'"],
  ['ALTER ROLE r LOGIN'],
  ['ALTER ROLE r NOLOGIN'],
  ['CREATE USER x IN ROLE readers'],
  ['CREATE USER x IN ROLE pg_read_all_data'],
  ['GRANT a TO b WITH ADMIN OPTION'],
  ['GRANT a TO b WITH ADMIN FALSE'],
  ['SET TRANSACTION READ ONLY'],
  ['SET TRANSACTION READ WRITE'],
  ['EXPLAIN (ANALYZE true) SELECT 1'],
  ['EXPLAIN (ANALYZE false) SELECT 1'],
  ['DO $$ BEGIN PERFORM a(); END $$'],
  ['DO $$ BEGIN PERFORM b(); END $$'],
  ['CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$'],
  ['CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY INVOKER AS $$ SELECT 1 $$'],
  ['CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 2 $$'],
  ['ALTER TABLE t SET (fillfactor = 70)'],
  ['ALTER TABLE t SET (fillfactor = 80)'],
  ["ALTER TABLE t OPTIONS (SET password 'one')", "ALTER TABLE t OPTIONS (SET password 'two')"],
  ["CREATE USER MAPPING FOR u SERVER s OPTIONS (token 'one')", "CREATE USER MAPPING FOR u SERVER s OPTIONS (token 'two')"],
  ["ALTER SERVER s OPTIONS (SET key 'one')", "ALTER SERVER s OPTIONS (SET key 'two')"],
  ["ALTER SERVER s OPTIONS (ADD key 'one')"],
  ["CREATE FOREIGN TABLE t (a int OPTIONS (x 'one')) SERVER s", "CREATE FOREIGN TABLE t (a int OPTIONS (x 'two')) SERVER s"],
  ['DROP TABLE t'],
  ['EXPLAIN SELECT 1'],
  ['SELECT 1; SELECT a FROM t', 'SELECT 2; SELECT a FROM t'],
  ['BEGIN'],
  ['COMMIT'],
]

test('a fingerprint is that of all statements which differ in their values only, and of no others', () => {
  const seen = new Map<string, string>()
  for (const [first = '', ...others] of CLASSES) {
    const fingerprint = of(first)
    assert.match(fingerprint, /^[0-9a-f]{16}$/)
    assert.equal(seen.get(fingerprint), undefined, first)
    seen.set(fingerprint, first)
    for (const other of others) assert.equal(of(other), fingerprint, other)
  }
  assert.equal(fingerprintOf([]), '')
})

test('fingerprints stay what they are from one version to the next: the catalog compares them over years', () => {
  assert.equal(of('SELECT c.name FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = 7'), 'f2bb591ea5595a4c')
})

test('many different statements have as many fingerprints', () => {
  const all = new Set<string>()
  for (let n = 0; n < 20_000; n++) all.add(of(`SELECT a${n % 200} FROM t${Math.floor(n / 200)}`))
  assert.equal(all.size, 20_000)
})
