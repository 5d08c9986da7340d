import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter } from '../../../gateway/policy/threshold.ts'
import { rows, someRows } from '../../support/policy.ts'

test('rows pass up to the limit and not one more', () => {
  const counter = new Counter({ rows: 100, bytes: Number.POSITIVE_INFINITY })
  assert.equal(counter.count(someRows(60)), undefined)
  assert.equal(counter.count(someRows(40)), undefined, 'exactly the limit is within it')
  assert.equal(counter.count(someRows(1)), 0)
  assert.equal(counter.count(someRows(5)), 0, 'and so for the rest')
})

test('a message that crosses the limit is cut inside', () => {
  const counter = new Counter({ rows: 100, bytes: Number.POSITIVE_INFINITY })
  counter.count(someRows(60))
  assert.equal(counter.count(someRows(60)), 40)
})

test('bytes are cut at the last whole row that fits, however unequal the rows', () => {
  const sizes = [10, 500, 10, 10, 2_000, 10]
  for (const [limit, keep] of [
    [9, 0],
    [10, 1],
    [509, 1],
    [510, 2],
    [530, 4],
    [2_529, 4],
    [2_530, 5],
    [2_539, 5],
  ] as const) {
    assert.equal(new Counter({ rows: Number.POSITIVE_INFINITY, bytes: limit }).count(rows(sizes)), keep, `${limit} bytes`)
  }
  assert.equal(new Counter({ rows: Number.POSITIVE_INFINITY, bytes: 2_540 }).count(rows(sizes)), undefined)
})

test('of rows and bytes the first to be met counts', () => {
  assert.equal(new Counter({ rows: 3, bytes: 1_000 }).count(rows([10, 10, 10, 10])), 3)
  assert.equal(new Counter({ rows: 3, bytes: 15 }).count(rows([10, 10, 10, 10])), 1)
})

test('extended, as much again may pass', () => {
  const counter = new Counter({ rows: 100, bytes: Number.POSITIVE_INFINITY })
  assert.equal(counter.count(someRows(150)), 100)
  counter.extend()
  assert.equal(counter.over, false)
  assert.equal(counter.count(someRows(100)), undefined)
  assert.equal(counter.count(someRows(1)), 0)
})
