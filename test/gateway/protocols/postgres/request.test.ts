import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRONTEND, message, nulTerminated } from '../../../../gateway/protocols/postgres/messages.ts'
import { bindNames, bindResultFormats, bindValues } from '../../../../gateway/protocols/postgres/request.ts'
import { testMasker } from '../../../support/fakes.ts'
import { int16, int32Of, says, testWire } from '../../../support/pg-words.ts'

const MAIL = ['ada', 'example.org'].join('@')

/** What the tape gets of one request. */
function taped(...bytes: readonly Uint8Array[]): Buffer {
  const requests = testWire().receive('client', Buffer.concat(bytes))
  return Buffer.concat(requests.map((request) => Buffer.from(request.redacted(testMasker()).bytes)))
}

function lengthsAreRight(bytes: Buffer): void {
  let at = 0
  while (at < bytes.length) at += 1 + bytes.readInt32BE(at + 1)
  assert.equal(at, bytes.length)
}

test('secrets in texts, parameters and COPY lines are not taped, and every length is right', () => {
  const parameter = (format: number): Uint8Array =>
    message(FRONTEND.bind, Buffer.of(0, 0), int16(1), int16(format), int16(1), int32Of(MAIL.length), Buffer.from(MAIL), int16(0))
  for (const said of [
    says.query(`select '${MAIL}'`),
    says.parse('s', `select '${MAIL}', $1`),
    parameter(0),
    parameter(1),
    says.copyData(`1\t${MAIL}\n`),
    says.copyFail(`${MAIL} failed`),
    message(FRONTEND.functionCall, int32Of(870), int16(0), int16(1), int32Of(MAIL.length), Buffer.from(MAIL), int16(0)),
  ]) {
    const after = taped(said, says.sync())
    assert.ok(!after.includes(MAIL), said.toString())
    lengthsAreRight(after)
    assert.deepEqual(after.subarray(-5), says.sync())
  }
})

test('the password of a role is not taped, whatever it looks like', () => {
  const after = taped(says.query(`alter role app password 'x' valid until 'infinity'`))
  assert.match(after.toString(), /password '\[MASKED:password[^']*' valid until/)
})

test('a clean request is taped as the very same bytes', () => {
  const [request] = testWire().receive('client', says.query('select 1'))
  assert.equal(request?.redacted(testMasker()).bytes, request?.bytes)
})

test('a Bind is read as the server reads it, and a lying one to where it fits', () => {
  const bytes = says.bind('p', 's', ['one', ''], [1, 0])
  const piece = { type: FRONTEND.bind, part: 'whole', from: 0, to: bytes.length, count: 1 } as const
  assert.deepEqual([bindNames(bytes, piece).portal, bindNames(bytes, piece).statement], ['p', 's'])
  assert.deepEqual(
    bindValues(bytes, piece).map(({ from, to }) => bytes.toString('utf8', from, to)),
    ['one', ''],
  )
  assert.deepEqual(bindResultFormats(bytes, piece), [1, 0])
  for (let end = 5; end < bytes.length; end++) {
    const short = { ...piece, to: end }
    for (const { from, to } of bindValues(bytes, short)) assert.ok(from <= to && to <= end)
    assert.ok(bindResultFormats(bytes, short).length <= 2)
  }
  const huge = Buffer.from(message(FRONTEND.bind, nulTerminated(''), nulTerminated(''), int16(65_535), int16(65_535)))
  assert.deepEqual(bindValues(huge, { ...piece, to: huge.length }), [])
})
