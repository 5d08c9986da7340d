import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryOf } from '../../../../gateway/policy/kubernetes/query.ts'

const asks = (said: string): boolean | undefined => queryOf(`/x?${said}`)?.asks('watch')

test('what is asked for is yes but for `false` and `0`, as the API server reads it; of several the first', () => {
  for (const said of [
    'watch',
    'watch=',
    'watch=1',
    'watch=yes',
    'watch=T',
    'watch=no',
    'watch=%20false',
    'watch=true&watch=false',
  ])
    assert.equal(asks(said), true, said)
  for (const said of ['', 'Watch=1', 'watch=0', 'watch=false', 'watch=FaLsE', 'watch=0&watch=1', 'x=watch']) {
    assert.equal(asks(said), false, said)
  }
})

test('words are decoded, and keep their order', () => {
  const query = queryOf('/x?command=sh&command=-c&&command=a%3Bb+%2Bc%26d%3F&%63ommand=e=f?&tty')
  assert.deepEqual(query?.all('command'), ['sh', '-c', 'a;b +c&d?', 'e=f?'])
  assert.equal(query?.first('command'), 'sh')
  assert.deepEqual(query?.names, ['command', 'tty'])
  assert.deepEqual(queryOf('/x')?.names, [])
  assert.deepEqual(queryOf('/x?')?.names, [])
})

test('a query of which servers see different parts is none', () => {
  for (const said of [
    'a;b',
    'a=;&b=c',
    'a=%',
    'a=%z1',
    '%zz=a',
    'a=%ff',
    'a=%ed%a0%80',
    'a=%c0%af',
    'a=\u00e9',
    'a=\u0001',
    'a=b#c',
  ])
    assert.equal(queryOf(`/x?${said}`), undefined, said)
  assert.equal(queryOf(`/x?${'&'.repeat(10_000)}`), undefined)
  assert.ok(queryOf(`/x?${'&'.repeat(9_999)}`) !== undefined)
})
