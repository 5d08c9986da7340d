import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { DatabaseError, parse } from 'pg-protocol'
import {
  dismiss,
  errorResponse,
  noticeResponse,
  reportError,
  reportRefusal,
  sqlState,
} from '../../../../gateway/protocols/postgres/refuse.ts'
import { ServerError } from '../../../../gateway/protocols/postgres/startup-error.ts'
import { ApplianceError, ERROR_CODES } from '../../../../schemas/errors.ts'
import { PgPeer } from '../../../support/pg-peer.ts'

test('pg-protocol reads what is written, field for field', async () => {
  const report = { severity: 'ERROR', code: '42501', message: 'no', detail: 'd', hint: 'h' } as const
  const [near, far] = duplexPair()
  const parsed = parse(far, (message) => {
    assert(message instanceof DatabaseError)
    assert.deepEqual(
      [message.severity, message.code, message.message, message.detail, message.hint],
      ['ERROR', '42501', 'no', 'd', 'h'],
    )
  })
  near.end(errorResponse(report))
  await parsed
  assert.equal(noticeResponse(report)[0], 0x4e)
})

test('a zero byte in a text cannot open a field of its own', () => {
  const bytes = Buffer.from(errorResponse({ severity: 'ERROR', code: '42501', message: 'a\0Cforged' }))
  assert.equal(bytes.toString().includes('\0Cforged'), false)
})

test('every code of ours that can end a connection has an SQLSTATE of five characters', () => {
  for (const code of ERROR_CODES) assert.match(sqlState(new ApplianceError(code, 'x')), /^[0-9A-Z]{5}$/)
  assert.equal(sqlState(new ApplianceError('AUTH_DENIED', 'x')), '28P01')
  assert.equal(sqlState(new ApplianceError('TARGET_UNKNOWN', 'x')), '3D000')
  assert.equal(sqlState(new ApplianceError('LIMIT_REACHED', 'x')), '53300')
})

test("the target's own code is kept where it helps the client, and not where it tells of our credential", () => {
  const refused = (state: string) =>
    new ApplianceError('TARGET_REFUSED', 'x', { cause: new ServerError(new Map([['C', state]])) })
  assert.equal(sqlState(refused('53300')), '53300')
  assert.equal(sqlState(refused('3D000')), '3D000')
  assert.equal(sqlState(refused('28P01')), '08004')
})

test('an error that is not ours is told as a fact only', () => {
  const report = reportError(new Error('password=hunter2'))
  assert.equal(report.code, 'XX000')
  assert.equal(JSON.stringify(report).includes('hunter2'), false)
})

test('refusals carry the SQLSTATE their reason asks for', () => {
  const state = (why: 'blocked' | 'withdrawn' | 'failed', severity?: 'FATAL') =>
    reportRefusal({ why, message: 'm', rules: [] }, severity).code
  assert.deepEqual([state('blocked'), state('withdrawn'), state('failed')], ['42501', '57014', '42501'])
  assert.deepEqual([state('blocked', 'FATAL'), state('failed', 'FATAL')], ['57P01', '58030'])
  const report = reportRefusal({ why: 'blocked', message: 'm', hint: 'try less', rules: ['a', 'b'] })
  assert.deepEqual([report.hint, report.detail], ['try less', 'sallyport: blocked by a, b'])
})

test('a dismissed peer reads the report even if it goes on sending, and is closed', async () => {
  const [near, far] = duplexPair()
  const peer = new PgPeer(far)
  await peer.say(Buffer.alloc(1000))
  const gone = dismiss(near, { severity: 'FATAL', code: '08P01', message: 'go' })
  assert.equal((await peer.report()).get('M'), 'go')
  far.end()
  await gone
  assert(near.destroyed)
})
