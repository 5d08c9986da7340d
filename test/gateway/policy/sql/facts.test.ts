import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_SQL_BYTES, readFacts, type SqlFacts, sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { normalise } from '../../../../gateway/policy/sql/normalise.ts'

/** A statement, and what must be known of it. Grouped by the way round it stands for. */
const CATALOGUE: Readonly<Record<string, readonly (readonly [sql: string, expected: Partial<SqlFacts>])[]>> = {
  'settings that change how statements are read': [
    ['SET standard_conforming_strings = off', { sets: ['standard_conforming_strings'], parser_change: true }],
    ['SET LOCAL "standard_conforming_strings" TO false', { parser_change: true }],
    [
      "SELECT set_config('standard_conforming_strings', 'off', false)",
      { parser_change: true, function_categories: ['settings'] },
    ],
    ["SELECT set_config(lower('X'), 'off', false)", { parser_change: true, role_change: true, dynamic: true, sets: ['*'] }],
    ["UPDATE pg_settings SET setting = 'off' WHERE name = 'x'", { parser_change: true, role_change: true, sets: ['*'] }],
    ["SET client_encoding = 'SJIS'", { parser_change: true }],
    ["SET NAMES 'BIG5'", { parser_change: true, sets: ['client_encoding'] }],
    ['ALTER DATABASE d SET standard_conforming_strings = off', { parser_change: true, ddl: true }],
    ['ALTER SYSTEM SET standard_conforming_strings = off', { parser_change: true, ddl: true }],
    ['CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = x AS $$select 1$$', { role_change: true, ddl: true }],
  ],
  'several statements in one message': [
    ['SELECT 1; DELETE FROM t', { statement_count: 2, multi: true, verbs: ['SELECT', 'DELETE'], without_where: ['DELETE'] }],
    ["SELECT 1; COPY t TO PROGRAM 'x'", { copies: ['out:program'], multi: true }],
    ['DELETE FROM a WHERE id = 1; DELETE FROM b', { has_where: false, relations: ['a', 'b'] }],
  ],
  'comments, case, quoting and escapes': [
    ['/* /* nested */ */ dElEtE/**/FROM--\n"t"', { verbs: ['DELETE'], relations: ['t'], without_where: ['DELETE'] }],
    ['SELECT "ssn" FROM "Public"."Customers"', { relations: ['Public.Customers'], columns: ['ssn'] }],
    ['SELECT U&"\\0073sn" FROM c', { columns: ['ssn'] }],
    ['SELECT U&"!0073sn" UESCAPE \'!\' FROM c', { columns: ['ssn'] }],
    ["SELECT $tag$it's; DROP TABLE x$tag$", { verbs: ['SELECT'], statement_count: 1 }],
    ["SELECT E'a\\'; DROP TABLE x; --'", { verbs: ['SELECT'], statement_count: 1 }],
    ["COPY t TO PROGRAM 'a'\n'b'", { copies: ['out:program'] }],
    ['SELECT/*!50000 pg_sleep(1)*/1', { verbs: ['SELECT'] }],
  ],
  'code that runs statements of its own': [
    ["DO $$ BEGIN EXECUTE 'drop table ' || 'x'; END $$", { dynamic: true, verbs: ['DO', 'SELECT'], writes: true }],
    ['DO $$ BEGIN DELETE FROM orders; END $$', { dynamic: true, relations: ['orders'], without_where: ['DELETE'] }],
    ['DO LANGUAGE plperl $$ system("x") $$', { dynamic: true, verbs: ['DO'] }],
    ['CALL p(1)', { dynamic: true, functions: ['p'], function_categories: ['unknown'] }],
    ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", { ddl: true, verbs: ['CREATE FUNCTION'] }],
    ['CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM u', { ddl: true, without_where: ['DELETE'] }],
  ],
  'names for statements and cursors': [
    ['PREPARE p AS DELETE FROM t', { prepares: ['statement:p'], without_where: ['DELETE'], verbs: ['PREPARE', 'DELETE'] }],
    ["EXECUTE p(1, pg_read_file('x'))", { executes: ['statement:p'], function_categories: ['file'] }],
    ['DECLARE c CURSOR FOR SELECT * FROM t', { prepares: ['cursor:c'], select_star: true, relations: ['t'] }],
    ['FETCH 10 FROM c', { executes: ['cursor:c'], verbs: ['FETCH'] }],
    ['MOVE 10 IN c', { executes: ['cursor:c'], verbs: ['MOVE'] }],
  ],
  'EXPLAIN and COPY around a statement': [
    ['EXPLAIN ANALYZE DELETE FROM t', { explain_analyze: true, without_where: ['DELETE'], writes: true }],
    ['EXPLAIN (ANALYZE ON, FORMAT JSON) DELETE FROM t', { explain_analyze: true }],
    [
      'COPY (DELETE FROM t RETURNING *) TO STDOUT',
      { copies: ['out:stdout'], without_where: ['DELETE'], select_star: true, writes: true },
    ],
    ['COPY t (a, b) FROM STDIN', { copies: ['in:stdin'], columns: ['a', 'b'], writes: true }],
    ["COPY t FROM '/etc/passwd'", { copies: ['in:file'], writes: true }],
    ["COPY t TO '/tmp/x'", { copies: ['out:file'] }],
    ["COPY t FROM PROGRAM 'x'", { copies: ['in:program'], writes: true }],
  ],
  'writes inside reads': [
    [
      'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone',
      { writes: true, without_where: ['DELETE', 'SELECT'], relations: ['t'] },
    ],
    ['SELECT * INTO y FROM x', { ddl: true, writes: true, relations: ['y', 'x'] }],
    ['CREATE TABLE y AS SELECT * FROM x', { ddl: true, writes: true, relations: ['y', 'x'], select_star: true }],
    ['CREATE MATERIALIZED VIEW y AS SELECT 1', { ddl: true, verbs: ['CREATE MATERIALIZED VIEW', 'SELECT'] }],
    ['INSERT INTO y SELECT * FROM x', { writes: true, relations: ['y', 'x'] }],
    ['INSERT INTO y VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2', { verbs: ['INSERT', 'UPDATE'] }],
    ['MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE', { verbs: ['MERGE', 'DELETE'], has_where: true }],
    ['MERGE INTO t USING (SELECT 1) AS u ON true WHEN MATCHED THEN UPDATE SET a = 1', { trivial_where: ['UPDATE'] }],
  ],
  'names that hide others': [
    ['WITH t AS (SELECT * FROM t) SELECT * FROM t', { relations: ['t'] }],
    ['WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT * FROM t', { select_star: true }],
    ['WITH a AS (SELECT 1), b AS (SELECT * FROM a) DELETE FROM a', { relations: ['a'] }],
    ['SELECT c FROM customers c', { select_star: true, whole_rows: true }],
    ['SELECT to_jsonb(customers) FROM customers', { select_star: true, whole_rows: true }],
    ['SELECT (c).* FROM customers c', { select_star: true, whole_rows: true }],
    ['SELECT a FROM customers AS c (a)', { select_star: true, whole_rows: true }],
    ['SELECT a FROM (customers JOIN orders ON true) AS j (a)', { select_star: true, whole_rows: true }],
    ['SELECT j FROM (customers JOIN orders ON true) AS j', { select_star: true, whole_rows: true }],
    ['SELECT j FROM customers JOIN orders USING (id) AS j', { select_star: true, whole_rows: true, columns: ['j', 'id'] }],
    ['UPDATE t SET a = 1 WHERE b = 2 RETURNING WITH (OLD AS o) o', { select_star: true, whole_rows: true }],
    ['SELECT ROW(c.*) FROM customers c', { select_star: true }],
    ['TABLE customers', { select_star: true, relations: ['customers'], limit: null }],
    ['SELECT c.pg_read_file FROM c', { function_categories: ['file'] }],
  ],
  'statistics, large objects, files, network': [
    ['SELECT * FROM pg_stats', { catalog_access: true, relations: ['pg_stats'] }],
    ["SELECT lo_get(1), lo_from_bytea(0, 'x'), loread(1, 2)", { function_categories: ['large-object'] }],
    ["SELECT lo_export(1, 'x')", { function_categories: ['file', 'large-object'] }],
    ["SELECT pg_catalog.pg_read_binary_file('x')", { functions: ['pg_read_binary_file'], function_categories: ['file'] }],
    ["SELECT * FROM ROWS FROM (pg_ls_dir('/'))", { function_categories: ['file'] }],
    [
      "SELECT ext.dblink_exec('x')",
      { functions: ['ext.dblink_exec'], function_categories: ['network', 'sql-in-text', 'unknown'] },
    ],
    ['CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw', { ddl: true, verbs: ['CREATE SERVER'] }],
    ["LOAD 'x'", { verbs: ['LOAD'], ddl: true }],
    ["SELECT pg_create_logical_replication_slot('x', 'y')", { function_categories: ['replication'] }],
  ],
  'statements given as text': [
    ["SELECT query_to_xml('select 1', true, true, '')", { function_categories: ['sql-in-text'] }],
    ["SELECT * FROM ts_stat('select x from y')", { function_categories: ['sql-in-text'] }],
    ["SELECT * FROM crosstab('select 1') AS t(a int)", { function_categories: ['sql-in-text', 'unknown'] }],
  ],
  'becoming somebody else': [
    ['SET ROLE x', { role_change: true, sets: ['role'] }],
    ['SET LOCAL ROLE NONE', { role_change: true }],
    ['RESET SESSION AUTHORIZATION', { role_change: true }],
    ["SELECT set_config('ROLE', 'x', true)", { role_change: true }],
    ['GRANT SELECT ON t TO x', { verbs: ['GRANT'], ddl: true, relations: ['t'] }],
    ['REVOKE x FROM y', { verbs: ['REVOKE ROLE'], ddl: true }],
  ],
  pg_dump: [
    ['SET row_security = off', { sets: ['row_security'] }],
    ['LOCK TABLE public.t IN ACCESS SHARE MODE', { verbs: ['LOCK'], relations: ['public.t'] }],
    ['COPY public.t (id) TO stdout', { copies: ['out:stdout'], relations: ['public.t'], limit: null }],
  ],
}

for (const [way, rows] of Object.entries(CATALOGUE)) {
  test(`the facts tell of ${way}`, () => {
    for (const [sql, expected] of rows) {
      const facts = sqlFacts(sql)
      assert.equal(facts.parse_ok, true, sql)
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(facts[name], value, `${name} of ${sql}`)
    }
  })
}

test('an ordinary statement raises no flag', () => {
  const { parse_ok, size, statement_count, verbs, relations, columns, has_where, limit, fingerprint, ...others } = sqlFacts(
    'SELECT abalance FROM pgbench_accounts WHERE aid = 12345',
  )
  assert.deepEqual(
    { parse_ok, size, statement_count, verbs, relations, columns, has_where, limit },
    {
      parse_ok: true,
      size: 55,
      statement_count: 1,
      verbs: ['SELECT'],
      relations: ['pgbench_accounts'],
      columns: ['abalance', 'aid'],
      has_where: true,
      limit: null,
    },
  )
  assert.match(fingerprint ?? '', /^[0-9a-f]{16}$/)
  assert.deepEqual(others, {})
})

test('what is empty, EXISTS and count(*) are no select_star', () => {
  assert.deepEqual(sqlFacts(''), { parse_ok: true, size: 0, statement_count: 0 })
  assert.equal(sqlFacts(' ; -- nothing').statement_count, 0)
  assert.equal(sqlFacts('SELECT count(*) FROM t').select_star, undefined)
  assert.equal(sqlFacts('SELECT 1 WHERE EXISTS (SELECT * FROM t)').select_star, undefined)
})

test('the limit is that of the least bounded outermost query', () => {
  assert.equal(sqlFacts('SELECT * FROM t LIMIT 10').limit, 10)
  assert.equal(sqlFacts('SELECT * FROM t FETCH FIRST 7 ROWS ONLY').limit, 7)
  assert.equal(sqlFacts('SELECT * FROM t LIMIT 0').limit, 0)
  assert.equal(sqlFacts('SELECT * FROM t LIMIT ALL').limit, null)
  assert.equal(sqlFacts('SELECT * FROM t LIMIT $1').limit, null)
  assert.equal(sqlFacts('SELECT * FROM (SELECT * FROM t LIMIT 1) AS u').limit, null)
  assert.equal(sqlFacts('SELECT * FROM t LIMIT 10; SELECT * FROM u').limit, null)
  assert.equal(sqlFacts('SELECT a FROM t UNION ALL SELECT a FROM u LIMIT 5').limit, 5)
  assert.equal(sqlFacts('(SELECT a FROM t LIMIT 3) UNION ALL SELECT a FROM u').limit, null)
})

test('what cannot be read is said to be so, with the place', () => {
  assert.deepEqual(sqlFacts('SELEC 1'), { parse_ok: false, size: 7, parse_error_at: 1 })
  assert.deepEqual(sqlFacts('SELECT 1 FROM FROM t'), { parse_ok: false, size: 20, parse_error_at: 15 })
  assert.equal(sqlFacts('SELECT 1\0; DROP TABLE t').parse_ok, false)
  assert.equal(sqlFacts(`SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)}`).parse_ok, false)
  assert.equal(sqlFacts(`SELECT ${'1+'.repeat(10_000)}1`).parse_ok, false)
  assert.equal(sqlFacts(`SELECT ${Array.from({ length: 1_001 }, (_, i) => `c${i}`).join()}`).parse_ok, false)
  // And the parser is none the worse for it.
  assert.equal(sqlFacts('SELECT 2').parse_ok, true)
})

test('a statement beyond the limit is measured, not parsed', () => {
  const long = `SELECT '${'é'.repeat(MAX_SQL_BYTES / 2)}'`
  assert.deepEqual(sqlFacts(long), { parse_ok: false, size: MAX_SQL_BYTES + 9 })
})

test('statements that differ in a literal share facts, but not where the literal matters', () => {
  const [one, two] = ["SELECT a FROM t WHERE b = 1 AND c = 'x'", "SELECT a FROM t WHERE b = 234 AND c = 'yz'"]
  assert.deepEqual({ ...sqlFacts(two), size: 0 }, { ...sqlFacts(one), size: 0 })
  assert.equal(sqlFacts(two).size, two.length)
  assert.equal(sqlFacts('SELECT a FROM t LIMIT 1').limit, 1)
  assert.equal(sqlFacts('SELECT a FROM t LIMIT 99').limit, 99)
  assert.deepEqual(sqlFacts("DELETE FROM t WHERE a LIKE 'x'").trivial_where, undefined)
  assert.deepEqual(sqlFacts("DELETE FROM t WHERE a LIKE '%'").trivial_where, ['DELETE'])
  assert.deepEqual(sqlFacts('DELETE FROM t WHERE a + 1 = a + 2').trivial_where, undefined)
  assert.deepEqual(sqlFacts('DELETE FROM t WHERE a + 1 = a + 1').trivial_where, ['DELETE'])
  assert.deepEqual(sqlFacts("SELECT set_config('application_name', 'x', false)").role_change, undefined)
  assert.deepEqual(sqlFacts("SELECT set_config('role', 'x', false)").role_change, true)
})

const word = fc.constantFrom(
  ...[
    'SELECT',
    'FROM',
    'WHERE',
    'DELETE',
    'UPDATE',
    'SET',
    'INSERT INTO',
    'VALUES',
    'LIMIT',
    'AND',
    'OR',
    'LIKE',
    'IN',
    'AS',
    'WITH',
  ],
  ...[
    't',
    'a',
    '"q"',
    'pg_read_file',
    '*',
    ',',
    '(',
    ')',
    '=',
    ';',
    '.',
    '::',
    '-',
    '--',
    '/*',
    '*/',
    '||',
    '$1',
    '$$',
    '$x$',
    'E',
    'U&',
  ],
  ...["'", "'a'", "'%'", '"', '1', '7', '1.5', '.5', '1e3', '0x1', '\\', '\n', ' ', 'ä', 'interval', 'null', 'true'],
)
const soup = fc.array(word, { maxLength: 25 }).map((words) => words.join(' '))
const tight = fc.array(word, { maxLength: 25 }).map((words) => words.join(''))

test('no text makes the facts throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), soup, tight), (sql) => {
      assert.equal(typeof sqlFacts(sql).parse_ok, 'boolean')
    }),
    { numRuns: 1_000 },
  )
})

/** Literals in places the grammar takes them; `?` becomes one. */
const TEMPLATES = [
  'SELECT a, ? FROM t WHERE b = ?',
  'SELECT * FROM t WHERE a IN (?, ?) ORDER BY ? LIMIT ?',
  'DELETE FROM t WHERE a = ? OR ? = ?',
  'DELETE FROM t WHERE a LIKE ? AND b = a',
  'UPDATE t SET a = ? WHERE b BETWEEN ? AND ?',
  'UPDATE t SET a = ? WHERE a + ? = a + ?',
  'INSERT INTO t VALUES (?, ?), (?, ?)',
  'SELECT lower(?), pg_read_file(?)',
  'SELECT set_config(?, ?, false)',
  'SELECT $1, $$ ? $$, ?',
  'SELECT 1? FROM t WHERE x =? AND y=?',
  'SELECT a FROM t FETCH FIRST ? ROWS ONLY',
  'SELECT a::numeric(?, ?), ?::text FROM t',
] as const
/** Two values for one slot; most pairs make one key. */
const slot = fc.constantFrom(
  ...([
    ['0', '1'],
    ['42', '999999999'],
    ["'x'", "'%'"],
    ["'role'", "'on'"],
    ["''", "'pg_authid'"],
    ['1', '1'],
  ] as const),
  ...([
    ["'a''b'", "'a''b'"],
    ["E'x'", "E'x'"],
    ["'$$'", "'x'"],
    ["$$'$$", "$$'$$"],
    ['12345678901', '12345678901'],
  ] as const),
)

test('texts with one key are judged alike', () => {
  let compared = 0
  fc.assert(
    fc.property(fc.constantFrom(...TEMPLATES), fc.array(slot, { minLength: 6, maxLength: 6 }), (template, slots) => {
      const fill = (side: 0 | 1): string => {
        let at = 0
        return template.replaceAll('?', () => slots[at++]?.[side] ?? '1')
      }
      const [one, two] = [fill(0), fill(1)]
      if (normalise(one) === undefined || normalise(one) !== normalise(two)) return
      compared++
      const [first, second] = [readFacts(one, 0), readFacts(two, 0)]
      assert.equal(first.literals, second.literals, `${one} | ${two}`)
      if (!first.literals) assert.deepEqual(first.facts, second.facts, `${one} | ${two}`)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(compared > 300, `only ${compared} pairs had one key`)
})

test('a text that would cost the scanner or the walk seconds counts as unreadable', () => {
  const costly = [
    `${'/*'.repeat(60_000)}${'*/'.repeat(60_000)} SELECT 1`,
    `${'/* * '.repeat(20_000)}${'*/'.repeat(20_000)} SELECT 1`,
    `SELECT 1 ${'+'.repeat(100_000)} 1`,
    `WITH ${Array.from({ length: 11_000 }, (_, index) => `c${index} AS (SELECT 1)`).join(', ')} SELECT 1`,
  ]
  for (const sql of costly) assert.equal(sqlFacts(sql).parse_ok, false, sql.slice(0, 40))
  assert.equal(sqlFacts('/* one */ SELECT /* two */ 1 -- three').parse_ok, true)
})
