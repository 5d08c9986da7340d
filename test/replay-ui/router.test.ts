import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { failedSignIn, linkOf, placeOf, replayPath, routeOf, sessionsPath } from '../../replay-ui/router.ts'

const at = (path: string): ReturnType<typeof routeOf> => routeOf(new URL(path, 'http://console.example'))

test('every page has its address', () => {
  assert.deepEqual(at('/'), { page: 'sessions', filter: '' })
  assert.deepEqual(at('/sessions?q=verdict%3Ablock'), { page: 'sessions', filter: 'verdict:block' })
  assert.deepEqual(at('/sessions/20261120T105150Z-gw1-00000042'), { page: 'replay', id: '20261120T105150Z-gw1-00000042' })
  assert.deepEqual(at('/approvals'), { page: 'approvals' })
  assert.deepEqual(at('/approvals/A-12345678'), { page: 'approvals', id: 'A-12345678' })
  assert.deepEqual(at('/bundles'), { page: 'bundles' })
  assert.deepEqual(at('/policy'), { page: 'policy' })
  assert.deepEqual(at('/policies'), { page: 'unknown', path: '/policies' })
  assert.deepEqual(at('/sessions/%zz'), { page: 'unknown', path: '/sessions/%zz' })
})

test('a deep link names a frame, or a row of it, and nothing else', () => {
  assert.deepEqual(placeOf('#frame=70123'), { frame: 70123 })
  assert.deepEqual(placeOf('#frame=70123.4'), { frame: 70123, row: 4 })
  for (const hash of ['', '#', '#frame=', '#frame=-1', '#frame=1.', '#frame=1e9', '#frame=1<script>', `#frame=${'9'.repeat(16)}`])
    assert.equal(placeOf(hash), undefined, hash)
})

test('what is put into an address comes out of it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), fc.option(fc.nat(), { nil: undefined }), (id, frame, row) => {
      fc.pre(id !== '.' && id !== '..')
      const place = { frame, ...(row === undefined ? {} : { row }) }
      assert.deepEqual(at(replayPath(id, place)), { page: 'replay', id, place })
    }),
  )
  fc.assert(fc.property(fc.string(), (filter) => assert.deepEqual(at(sessionsPath(filter)), { page: 'sessions', filter })))
})

test('a one-time link is read from the fragment only as what it is', () => {
  assert.equal(linkOf('#sign-in=abc_DEF-123'), 'abc_DEF-123')
  for (const hash of ['', '#frame=1', '#sign-in=', '#sign-in=a b', '#sign-in=<x>']) assert.equal(linkOf(hash), undefined, hash)
})

test('why an issuer sent somebody back is one of our words, never its own', () => {
  assert.equal(failedSignIn('#sign-in-failed=no-role'), 'no-role')
  for (const hash of ['', '#sign-in-failed=', '#sign-in-failed=<b>', '#sign-in=no-role'])
    assert.equal(failedSignIn(hash), undefined, hash)
})
