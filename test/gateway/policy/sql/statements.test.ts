import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { DDL_VERBS, kindOf, VERBS, WRITE_VERBS } from '../../../../gateway/policy/sql/statements.ts'

/** Nodes called ...Stmt that are no statement a client can send. */
const NO_STATEMENTS = new Set(['RawStmt', 'SetOperationStmt', 'ReturnStmt', 'PLAssignStmt', 'ReplicaIdentityStmt'])

test('every statement of the grammar has a verb', () => {
  const types = createRequire(createRequire(import.meta.url).resolve('libpg-query')).resolve('@pgsql/types')
  const text = readFileSync(types.replace(/index\.js$/, 'types.d.ts'), 'utf8')
  const nodes = [...text.matchAll(/^export interface (\w+Stmt) /gm)].map(([, name = '']) => name)
  assert.ok(nodes.length > 100)
  assert.deepEqual(
    nodes.filter((node) => kindOf(node) === undefined && !NO_STATEMENTS.has(node)),
    [],
  )
})

test('statements that share a node have verbs of their own', () => {
  const examples: Readonly<Record<string, string>> = {
    'DROP MATERIALIZED VIEW v': 'DROP MATERIALIZED VIEW',
    'DROP FOREIGN DATA WRAPPER w': 'DROP FOREIGN DATA WRAPPER',
    'ALTER INDEX i SET TABLESPACE s': 'ALTER INDEX',
    'CREATE AGGREGATE a(int) (sfunc = f, stype = int)': 'CREATE AGGREGATE',
    'CREATE TEXT SEARCH DICTIONARY d (template = simple)': 'CREATE TEXT SEARCH',
    'GRANT a TO b': 'GRANT ROLE',
    'REVOKE SELECT ON t FROM x': 'REVOKE',
    'ROLLBACK TO s': 'ROLLBACK',
    'SAVEPOINT s': 'SAVEPOINT',
    "COMMIT PREPARED 'x'": 'COMMIT PREPARED',
    'START TRANSACTION': 'BEGIN',
    'ANALYZE t': 'ANALYZE',
    'VACUUM FULL t': 'VACUUM',
    'VALUES (1)': 'VALUES',
    'SHOW ALL': 'SHOW',
  }
  for (const [sql, verb] of Object.entries(examples)) {
    assert.deepEqual(sqlFacts(sql).verbs, [verb], sql)
    assert.ok(VERBS.has(verb), `a rule may name ${verb}`)
  }
})

test('what defines also writes', () => {
  for (const verb of DDL_VERBS) assert.ok(WRITE_VERBS.has(verb), verb)
})
