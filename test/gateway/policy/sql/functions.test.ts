import assert from 'node:assert/strict'
import { test } from 'node:test'
import { categoriesOf, isCategorised } from '../../../../gateway/policy/sql/functions.ts'
import { FUNCTION_CATEGORIES } from '../../../../schemas/policy.ts'

test('functions of PostgreSQL that only compute have no category', () => {
  for (const name of [
    'lower',
    'count',
    'row_to_json',
    'nextval',
    'pg_get_viewdef',
    'information_schema._pg_expandarray',
    'version',
  ]) {
    assert.deepEqual(categoriesOf(name), [], name)
  }
})

test('every category has a function that is known for it', () => {
  const examples = {
    admin: 'pg_terminate_backend',
    exec: 'pg_background_launch',
    file: 'pg_ls_waldir',
    'large-object': 'lo_put',
    lock: 'pg_try_advisory_xact_lock',
    network: 'dblink_connect_u',
    notify: 'pg_notify',
    replication: 'pg_logical_slot_get_changes',
    settings: 'set_config',
    sleep: 'pg_sleep_for',
    'sql-in-text': 'query_to_xml_and_xmlschema',
    statistics: 'pg_stat_get_activity',
    unknown: 'tidy_up',
  }
  assert.deepEqual(Object.keys(examples).sort(), [...FUNCTION_CATEGORIES].sort())
  for (const [category, name] of Object.entries(examples))
    assert.ok(
      categoriesOf(name).some((found) => found === category),
      name,
    )
})

test('a schema neither hides what a function is known for nor lends it a good name', () => {
  assert.ok(categoriesOf('any_schema.dblink').includes('network'))
  assert.deepEqual(categoriesOf('evil.lower'), ['unknown'])
  assert.deepEqual(categoriesOf('cron.whatever'), ['exec', 'sql-in-text', 'unknown'])
  assert.deepEqual(categoriesOf('whatever'), ['unknown'])
})

test('a column may be a call in disguise only where the name is known for something', () => {
  assert.equal(isCategorised('pg_sleep'), true)
  assert.equal(isCategorised('email'), false)
})
