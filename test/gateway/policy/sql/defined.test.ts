import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'

const DEFINED: readonly (readonly [sql: string, defines: readonly string[] | undefined])[] = [
  ['CREATE TABLE s.t (a int) INHERITS (u)', ['relation t', 'relation u']],
  ['CREATE FOREIGN TABLE t (a int) SERVER s', ['relation t']],
  ['CREATE TEMP TABLE t AS SELECT * FROM u', ['relation t']],
  ['WITH c AS (SELECT 1) SELECT * INTO t FROM c', ['relation t']],
  ['CREATE MATERIALIZED VIEW t AS SELECT * FROM u', ['relation t']],
  ['CREATE OR REPLACE VIEW t AS SELECT * FROM u', ['relation t']],
  ['CREATE SCHEMA s CREATE VIEW t AS SELECT * FROM u', ['relation t']],
  ['CREATE SEQUENCE t', ['relation t']],
  ['CREATE RULE r AS ON UPDATE TO t DO INSTEAD SELECT * FROM u', ['relation t']],
  ['ALTER TABLE t INHERIT u', ['relation t', 'relation u']],
  ['ALTER TABLE t ATTACH PARTITION u DEFAULT', ['relation t', 'relation u']],
  ['ALTER TABLE t ALTER a TYPE text', ['relation t']],
  ['ALTER TABLE t ALTER a SET EXPRESSION AS (lower(b))', ['relation t']],
  ['ALTER TABLE t ADD a int, ADD CHECK (a > 0)', undefined],
  ['ALTER TABLE t SET SCHEMA s', ['relation t']],
  ['ALTER VIEW t RENAME TO u', ['relation t', 'relation u']],
  ['ALTER TABLE t RENAME a TO b', ['relation t']],
  ['ALTER SCHEMA s RENAME TO u', ['*']],
  ['DROP TABLE s.t, u', ['relation t', 'relation u']],
  ['DROP INDEX t', undefined],
  ["CREATE FUNCTION s.lower(int) RETURNS text LANGUAGE sql AS 'SELECT 1'", ['function lower']],
  ['ALTER FUNCTION f(int) RENAME TO lower', ['function lower']],
  ['CREATE AGGREGATE sum (int) (sfunc = f, stype = int)', ['function sum']],
  ['CREATE OPERATOR s.+ (leftarg = int, rightarg = text, function = f)', ['operator +']],
  ['CREATE CAST (int AS text) WITHOUT FUNCTION AS IMPLICIT', ['cast']],
  ['DO $$ BEGIN END $$', ['*']],
  ['CREATE EXTENSION e', ['*']],
  ['IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c', ['*']],
  ['CREATE INDEX ON t (a)', undefined],
  ['GRANT SELECT ON t TO u', undefined],
  ["COMMENT ON TABLE t IS 'x'", undefined],
  ['INSERT INTO t SELECT * FROM u', undefined],
  ['SELECT * FROM t', undefined],
]

for (const [sql, defines] of DEFINED) {
  test(`${sql}: ${defines?.join(', ') ?? 'nothing'}`, () => {
    assert.deepEqual(sqlFacts(sql).defines, defines)
  })
}
