import assert from 'node:assert/strict'
import { test } from 'node:test'
import { says, testWire } from '../../../support/pg-words.ts'

/** The kinds of the decisions one read makes, each with its size. */
function kinds(...bytes: readonly Uint8Array[]): string[] {
  return testWire()
    .receive('client', Buffer.concat(bytes))
    .map(({ kind }) => kind)
}

test('a statement of the extended protocol is one decision, with its Sync', () => {
  assert.deepEqual(kinds(says.parse('', 'select 1'), says.bind('', ''), says.describe('P'), says.execute(), says.sync()), [
    'execute',
  ])
})

test('no decision is about two texts, two bindings or two executions', () => {
  assert.deepEqual(kinds(says.parse('a', 'select 1'), says.parse('b', 'select 2'), says.sync()), ['parse', 'parse'])
  assert.deepEqual(kinds(says.bind('', 'a'), says.bind('', 'b'), says.sync()), ['extended', 'extended'])
  assert.deepEqual(kinds(says.execute('a'), says.execute('a'), says.sync()), ['execute', 'execute'])
})

test('what belongs to other names is a decision of its own', () => {
  assert.deepEqual(kinds(says.parse('a', 'select 1'), says.bind('', 'b'), says.sync()), ['parse', 'extended'])
  assert.deepEqual(kinds(says.bind('p', 'a'), says.execute('q'), says.sync()), ['extended', 'execute'])
  assert.deepEqual(kinds(says.parse('a', 'select 1'), says.execute(), says.sync()), ['parse', 'execute'])
  assert.deepEqual(kinds(says.parse('a', 'select 1'), says.close('S', 'a'), says.sync()), ['parse', 'extended'])
})

test('simple queries stand alone, COPY data in runs', () => {
  assert.deepEqual(kinds(says.query('select 1'), says.query('select 2')), ['query', 'query'])
  const copy = [says.copyData('1\n'), says.copyData('2\n'), says.copyDone(), says.terminate()]
  assert.deepEqual(kinds(...copy), ['copy-data', 'copy-end', 'terminate'])
  assert.equal(testWire().receive('client', Buffer.concat(copy))[0]?.units, 2)
})

test('together the decisions are the bytes, none lost', () => {
  const bytes = Buffer.concat([
    says.parse('a', 'x'),
    says.bind('', 'b'),
    says.flush(),
    says.query('y'),
    says.copyData('z'),
    says.sync(),
  ])
  const requests = testWire().receive('client', bytes)
  assert.deepEqual(Buffer.concat(requests.map((request) => request.bytes)), bytes)
})
