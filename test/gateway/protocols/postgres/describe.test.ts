import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { PostgresDescriber } from '../../../../gateway/protocols/postgres/describe.ts'
import type { Told } from '../../../../recorder/catalog/describe.ts'
import type { Frame } from '../../../../schemas/frame.ts'

const frame = (part: Partial<Frame>): Frame => ({
  seq: 0,
  atUs: 0,
  dir: 'in',
  channel: 0,
  kind: 'query',
  facts: {},
  body: null,
  masks: null,
  verdict: null,
  ...part,
})
const brief = (told: readonly Told[]): unknown =>
  told.map((each) =>
    each.told === 'statement'
      ? [each.text, each.answer]
      : each.told === 'answer'
        ? [each.answer, each.rows, each.end]
        : each.told,
  )
const verdict = (act: 'block' | 'hold') => ({ act, rules: [], policy: 'abababababab' }) as const

test('statements are counted as the wire counts them: held ones not, refused Queries too, refused Executes not', () => {
  const describer = new PostgresDescriber()
  const query = (text: string, part: Partial<Frame> = {}) =>
    brief(describer.read(frame({ body: serialize.query(text), ...part })))
  assert.deepEqual(query('SELECT 1'), [['SELECT 1', 1]])
  assert.deepEqual(query('DELETE', { verdict: verdict('hold') }), [['DELETE', null]])
  assert.deepEqual(query('DELETE', { verdict: verdict('block') }), [['DELETE', 2]])
  assert.deepEqual(query('poison', { kind: 'refused', facts: { origin: 'gateway' } }), [])
  const execute = Buffer.concat([
    serialize.parse({ text: 'SELECT $1' }),
    serialize.bind({ values: ['x'] }),
    serialize.execute({}),
    serialize.sync(),
  ])
  assert.deepEqual(brief(describer.read(frame({ kind: 'execute', body: execute, verdict: verdict('block') }))), [
    ['SELECT $1', null],
  ])
  assert.deepEqual(brief(describer.read(frame({ kind: 'execute', body: execute }))), [['SELECT $1', 3]])
})

test('an Execute has the text of what was prepared under its name, frames before', () => {
  const describer = new PostgresDescriber()
  const parse = Buffer.concat([serialize.parse({ name: 'named', text: 'SELECT 42' }), serialize.sync()])
  assert.deepEqual(describer.read(frame({ kind: 'parse', body: parse })), [])
  const run = Buffer.concat([serialize.bind({ statement: 'named', portal: 'p' }), serialize.execute({ portal: 'p' })])
  assert.deepEqual(brief(describer.read(frame({ kind: 'execute', body: run }))), [['SELECT 42', 1]])
  const unknown = Buffer.concat([serialize.bind({ statement: 'other', portal: 'q' }), serialize.execute({ portal: 'q' })])
  assert.deepEqual(brief(describer.read(frame({ kind: 'execute', body: unknown }))), [['execute q', 2]])
})

test('answers carry the number of their statement, rows and how it ended', () => {
  const describer = new PostgresDescriber()
  const answer = (facts: Frame['facts']) => brief(describer.read(frame({ dir: 'out', kind: 'reply', facts })))
  assert.deepEqual(answer({ statement: 4, rows: 7 }), [[4, 7, null]])
  assert.deepEqual(answer({ statement: 4, rows: 1, tag: 'SELECT 8', status: 'I' }), [[4, 1, 'complete']])
  assert.deepEqual(answer({ statement: 5, sqlstate: '42601', status: 'I' }), [[5, 0, 'error']])
  assert.deepEqual(answer({ status: 'I' }), [])
})

test('whatever bytes a frame has, it is read without a throw, and a long text is cut where the frame is', () => {
  const describer = new PostgresDescriber()
  for (const kind of ['query', 'execute', 'parse', 'function-call']) {
    for (const bytes of [
      [],
      [0x51],
      [0x50, 0, 0, 0, 1],
      [0x42, 255, 255, 255, 255, 0],
      [0x45, 0, 0, 0, 4],
      [0x43, 0, 0, 0, 6, 0x53],
    ])
      assert.doesNotThrow(() => describer.read(frame({ kind, body: Uint8Array.from(bytes) })))
  }
  const long = serialize.query('x'.repeat(200_000)).subarray(0, 150_000)
  const [told] = describer.read(frame({ body: long, facts: { part: 'first' } }))
  assert.ok(told?.told === 'statement' && told.text.length > 16_384 && told.text.length <= 50_000)
})
