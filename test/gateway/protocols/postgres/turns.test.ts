import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outOfStep, skipsOnError, type Turn, Turns } from '../../../../gateway/protocols/postgres/turns.ts'

const turn = (kind: Turn['kind'], more: Partial<Turn> = {}): Turn => ({ kind, group: 0, statement: 0, sql: '', ...more })

function queue(...kinds: readonly Turn['kind'][]): Turns {
  const turns = new Turns()
  for (const kind of kinds) turns.push(turn(kind))
  return turns
}

test('an error in the extended protocol skips to the Sync, also to one not sent yet', () => {
  const sent = queue('parse', 'bind', 'query', 'execute', 'sync', 'query')
  assert.equal(sent.fail(), false)
  assert.equal(sent.head?.kind, 'sync')
  const unsent = queue('parse', 'bind')
  assert.equal(unsent.fail(), true)
  assert.equal(unsent.head, undefined)
})

test('an error of a query or of a commit at Sync skips nothing', () => {
  for (const kind of ['query', 'sync', 'function'] as const) {
    const turns = queue(kind, 'parse')
    assert.equal(turns.fail(), false)
    assert.equal(turns.head?.kind, kind)
    turns.ready()
    assert.equal(turns.head?.kind, 'parse')
  }
})

test('ReadyForQuery ends a Sync, or a query that was answered, and nothing else', () => {
  for (const turns of [queue(), queue('query'), queue('parse', 'sync')])
    assert.throws(() => turns.ready(), { code: 'PROTOCOL_MALFORMED' })
  const turns = queue('sync', 'query')
  turns.ready()
  assert.equal(turns.length, 1)
})

test('a COPY reads up to the first copy-end; Syncs before it are not answered', () => {
  const turns = queue('query', 'sync', 'copy-end', 'sync', 'query')
  assert.equal(turns.enterCopy(), false, 'its end is sent already')
  assert.equal(turns.head?.ignoredSyncCount, 1)
  turns.next()
  assert.equal(turns.head?.kind, 'sync')
  assert.equal(queue('query', 'sync').enterCopy(), true, 'its end is still to come')
})

test('a request or a late Sync inside COPY data cannot be followed', () => {
  assert.throws(() => queue('query', 'query', 'copy-end').enterCopy(), { code: 'PROTOCOL_MALFORMED' })
  const late = queue('query')
  late.push(turn('sync', { afterData: true }))
  assert.throws(() => late.enterCopy(), { code: 'PROTOCOL_MALFORMED' })
})

test('a copy-end that no COPY read is passed over', () => {
  const turns = queue('copy-end', 'query', 'copy-end', 'copy-end', 'sync')
  assert.equal(turns.length, 4, 'with nothing before it, it is not even kept')
  turns.next()
  assert.equal(turns.head?.kind, 'sync')
})

test('COPY data belongs to the latest execution', () => {
  const turns = queue('query', 'parse', 'execute', 'sync')
  assert.equal(turns.latest?.kind, 'execute')
  while (turns.length > 0) turns.next()
  assert.equal(turns.latest, undefined)
})

test('thousands of turns pass without the queue growing', () => {
  const turns = new Turns()
  turns.push(turn('query', { statement: 1 }))
  for (let at = 2; at < 5_000; at++) {
    turns.push(turn('query', { statement: at }))
    turns.next()
    assert.equal(turns.head?.statement, at)
  }
  assert.equal(turns.length, 1)
})

test('only the extended protocol skips, and losing step says what happened', () => {
  assert.ok(skipsOnError(turn('bind')) && !skipsOnError(turn('query')))
  assert.match(outOfStep('a row').message, /^a row does not fit/)
})
