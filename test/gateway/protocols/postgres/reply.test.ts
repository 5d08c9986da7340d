import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message, Redacted } from '../../../../gateway/message.ts'
import { BACKEND, FRONTEND, message } from '../../../../gateway/protocols/postgres/messages.ts'
import { errorField } from '../../../../gateway/protocols/postgres/reply.ts'
import { testMasker } from '../../../support/fakes.ts'
import { answers, int16, int32Of, PLAIN, says, testWire } from '../../../support/pg-words.ts'

const MAIL = ['ada', 'example.org'].join('@')
const column = answers.columns({ name: 'x', table: PLAIN })

function replies(asked: Uint8Array, ...answered: readonly Uint8Array[]): readonly Message[] {
  const wire = testWire()
  for (const request of wire.receive('client', asked)) wire.release(request)
  return wire.receive('server', Buffer.concat(answered))
}

function types(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  let found = ''
  let at = 0
  for (; at < buffer.length; at += 1 + buffer.readInt32BE(at + 1)) found += String.fromCharCode(buffer[at] ?? 0)
  assert.equal(at, buffer.length, 'every length is right')
  return found
}

const redacted = (message_: Message | undefined): Redacted => message_?.redacted(testMasker()) ?? assert.fail('no reply')

test('what one read brings of an answer is one message with its facts', () => {
  const [reply, ...others] = replies(
    says.query('select x from t'),
    column,
    answers.row('a'),
    answers.row('b'),
    answers.done('SELECT 2'),
    answers.ready('T'),
  )
  assert.equal(others.length, 0)
  assert.equal(reply?.units, 2)
  assert.deepEqual(reply?.facts(), { statement: 1, rows: 2, tag: 'SELECT 2', status: 'T' })
})

test('each result of a multi-statement query is a message, and an error has its SQLSTATE', () => {
  const all = replies(
    says.query('a; b'),
    column,
    answers.row('a'),
    answers.done(),
    answers.error('no', '42P01'),
    answers.ready('E'),
  )
  assert.deepEqual(
    all.map((reply) => types(reply.bytes)),
    ['TDC', 'EZ'],
  )
  assert.equal(all[1]?.facts()['sqlstate'], '42P01')
})

test('everything that carries words is redacted, and every length is right', () => {
  const said = [
    answers.columns({ name: MAIL, table: PLAIN }, { name: 'y', table: PLAIN }),
    answers.row(MAIL, 'y'),
    answers.notice(`about ${MAIL}`),
    answers.notification('jobs', MAIL),
    answers.setting('application_name', MAIL),
    answers.error(`duplicate key (email)=(${MAIL})`),
  ]
  const [reply] = replies(says.query('select 1'), ...said, answers.ready())
  const { bytes, masks } = redacted(reply)
  assert.equal(types(bytes), 'TDNASEZ')
  assert.ok(!Buffer.from(bytes).includes(MAIL))
  assert.equal((masks?.spans.length ?? 0) / 16, 6)
})

test('the result of a function call keeps its inner length', () => {
  const call = message(FRONTEND.functionCall, int32Of(1), int16(0), int16(0), int16(0))
  const [reply] = replies(call, answers.value(`to ${MAIL}`), answers.ready())
  const bytes = Buffer.from(redacted(reply).bytes)
  assert.equal(types(bytes), 'VZ')
  assert.equal(bytes.readInt32BE(5), bytes.readInt32BE(1) - 8)
  assert.ok(!bytes.includes(MAIL))
})

test('a reply splits behind any number of its units, and the parts are the whole', () => {
  const said = [column, answers.row('a'), answers.notice('n'), answers.row('b'), answers.row('c'), answers.done('SELECT 3')]
  for (const [units, head, tail] of [
    [0, 'T', 'DNDDCZ'],
    [1, 'TD', 'NDDCZ'],
    [2, 'TDND', 'DCZ'],
    [3, 'TDNDDCZ', ''],
  ] as const) {
    const [reply] = replies(says.query('select 1'), ...said, answers.ready())
    const [first, rest] = reply?.split?.(units) ?? []
    assert.equal(types(first?.bytes ?? new Uint8Array()), head, `${units} units`)
    assert.equal(types(rest?.bytes ?? new Uint8Array()), tail, `${units} units`)
    assert.equal((first?.units ?? 0) + (rest?.units ?? 0), 3)
  }
})

test('a field of an error is found by its letter', () => {
  const error = answers.error('gone', '57P01')
  assert.equal(errorField(error, 0, error.length, 'C'), '57P01')
  assert.equal(errorField(error, 0, error.length, 'q'), '')
  assert.equal(error[0], BACKEND.error)
})
