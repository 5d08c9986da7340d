import assert from 'node:assert/strict'
import { test } from 'node:test'
import { originOf } from '../../../../gateway/protocols/postgres/catalog-origin.ts'
import {
  NO_ADDITIONS,
  type Relation,
  type Snapshot,
  type ViewSource,
} from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'

const relation = (oid: number, kin: readonly number[] = [], view?: ViewSource): [number, Relation] => [
  oid,
  { oid, schema: 's', table: `t${oid}`, kind: 'r', columns: new Map([[1, 'a']]), kin, ...(view === undefined ? {} : { view }) },
]

const known = (...relations: readonly [number, Relation][]): Snapshot => ({
  relations: new Map(relations),
  system: new Set(),
  additions: NO_ADDITIONS,
})

test('what the snapshot does not know is unknown, never unlabelled', () => {
  const snapshot = known(relation(20000))
  assert.equal(originOf(snapshot, 20001, 1), undefined)
  assert.equal(originOf(snapshot, 20000, 2), undefined)
  assert.equal(originOf(snapshot, 1259, 2), 'system')
})

test('a view over something unknown is opaque', () => {
  const gone = { plain: new Map([[1, { oid: 29999, attnum: 1 }]]), reads: [], opaque: false }
  const computed = { plain: new Map(), reads: [29999], opaque: false }
  for (const view of [gone, computed]) {
    const origin = originOf(known(relation(20000, [], view)), 20000, 1)
    assert(typeof origin === 'object' && origin.opaque)
  }
})

test('circles end, and a tree too large to follow is opaque', () => {
  const ring = known(relation(20000, [20001]), relation(20001, [20000]))
  const origin = originOf(ring, 20000, 1)
  assert(typeof origin === 'object')
  assert.deepEqual([origin.also.length, origin.opaque], [1, false])
  const many = Array.from({ length: 10_001 }, (_, at) => 20001 + at)
  const tree = known(relation(20000, many), ...many.map((oid) => relation(oid)))
  const large = originOf(tree, 20000, 1)
  assert(typeof large === 'object' && large.opaque)
})
