import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusedBy } from '../../../../gateway/protocols/postgres/login-refusal.ts'
import { ServerError } from '../../../../gateway/protocols/postgres/startup-error.ts'

const target = { name: 'shop', protocol: 'postgres', host: 'h', port: 1, labels: {} } as const
const credential = { user: 'gatekeeper', tls: { mode: 'off' } } as const
const told = (code: string, message: string) => {
  const cause = new ServerError(
    new Map([
      ['C', code],
      ['M', message],
    ]),
  )
  const error = refusedBy(target, credential, 'orders', cause)
  assert.equal(error.code, 'TARGET_REFUSED')
  assert.equal(error.cause, cause, 'the log may have it all')
  return error.message
}

test('what the client can mend is told, what concerns our credential is not', () => {
  assert.match(told('28P01', 'password authentication failed for user "gatekeeper"'), /operator has to look/)
  assert.match(told('3D000', 'x'), /has no database "orders"/)
  assert.match(told('53300', 'x'), /too many connections/)
  assert.match(told('57P03', 'x'), /starting up or shutting down/)
  assert.match(told('42704', 'unrecognized configuration parameter "foo"'), /parameter "foo" \(42704\)/)
  for (const code of ['28000', '28P01', '42501', '22023', 'XX000'])
    assert.equal(told(code, 'role "gatekeeper" may not').includes('gatekeeper'), false)
})
