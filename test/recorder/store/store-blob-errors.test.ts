import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeError } from '../../../recorder/store/store-blob-errors.ts'

const refusal = (statusCode: number | undefined, code: string, message = 'x\nof the service'): Error =>
  Object.assign(new Error(message), { name: 'RestError', code, ...(statusCode === undefined ? {} : { statusCode }) })

test('a refusal tells what was refused, what the service said, and what to do where its code says it to nobody', () => {
  for (const [error, code, message] of [
    [
      refusal(404, 'ContainerNotFound'),
      'STORE_FAILED',
      /^append to a failed: 404 ContainerNotFound \(there is no container of this name/,
    ],
    [refusal(403, 'AuthorizationPermissionMismatch'), 'STORE_DENIED', /was not allowed: 403 Auth.* \(the identity lacks a right/],
    [refusal(403, 'AuthorizationFailure'), 'STORE_DENIED', /\(the account's firewall keeps this machine out/],
    [refusal(403, 'AuthenticationFailed'), 'STORE_DENIED', /\(a clock that is off/],
    [
      refusal(undefined, 'ENOTFOUND', 'getaddrinfo ENOTFOUND a.example'),
      'STORE_FAILED',
      /ENOTFOUND a\.example \(no such account/,
    ],
    [refusal(409, 'BlobImmutableDueToPolicy'), 'STORE_FAILED', /^append to a failed: 409 BlobImmutableDueToPolicy$/],
  ] as const) {
    const told = storeError(error, 'append to a')
    assert.ok(told instanceof Error && 'code' in told)
    assert.equal(told.code, code)
    assert.match(told.message, message)
  }
})
