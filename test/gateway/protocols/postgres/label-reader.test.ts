import assert from 'node:assert/strict'
import { test } from 'node:test'
import { originOf } from '../../../../gateway/protocols/postgres/catalog-origin.ts'
import { NO_ADDITIONS, type Relation } from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'
import { LabelReader } from '../../../../gateway/protocols/postgres/label-reader.ts'
import { agent, policyOf } from '../../../support/policy.ts'

const columns = new Map([
  [1, 'id'],
  [2, 'name'],
])
const relation = (oid: number, schema: string, table: string, names = columns, kin: readonly number[] = []): Relation => ({
  oid,
  schema,
  table,
  kind: 'r',
  columns: names,
  numbers: new Set([1]),
  kin,
})
const relations = [
  relation(20_000, 'public', 'people'),
  relation(20_001, 'public', 'people_1', columns, [20_000]),
  relation(20_002, 'public', 'orders'),
  relation(2_619, 'pg_catalog', 'pg_statistic', new Map([[22, 'stavalues1']])),
]
const snapshot = {
  relations: new Map(relations.map((each) => [each.oid, each])),
  system: new Set(['pg_class']),
  additions: NO_ADDITIONS,
}
const labels = policyOf('  []', 'labels: { pii: { columns: [public.people.name], entity: person } }').columns(agent)
const reader = new LabelReader(labels, {
  lookup: (oid, attnum) => originOf(snapshot, oid, attnum),
  named: (table, schema) => relations.filter((each) => each.table === table && (schema ?? each.schema) === each.schema),
  isSystem: (table) => snapshot.system.has(table),
})
const read = (names: readonly string[], named: readonly string[], given: readonly string[] = []): string | undefined =>
  reader.read({ relations: names, columns: named, whole: false, given: new Set(given) })?.label

test('a label is found by column, by kin, and where a name stands for nothing that is known', () => {
  assert.equal(read(['people'], ['name']), 'pii')
  assert.equal(read(['people_1'], ['name']), 'pii')
  assert.equal(read(['people'], ['id']), undefined)
  assert.equal(read(['people'], ['id', 'who']), 'pii')
  assert.equal(read(['people'], ['id', 'who'], ['who']), undefined)
  assert.equal(read(['orders'], ['name', 'who']), undefined)
})

test('what is not known is labelled; of the system only its copies of values are', () => {
  assert.equal(read(['just_made'], ['x']), 'unknown-origin')
  assert.equal(read(['pg_made'], ['x']), 'unknown-origin')
  assert.equal(read(['pg_class'], ['relname']), undefined)
  assert.equal(read(['pg_catalog.pg_statistic'], ['stavalues1']), 'system-copy')
  assert.ok(reader.knows(['people', 'pg_class', 'pg_catalog.pg_am']) && !reader.knows(['people', 'just_made']))
})
