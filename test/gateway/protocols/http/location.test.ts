import assert from 'node:assert/strict'
import { test } from 'node:test'
import { relocated } from '../../../../gateway/protocols/http/location.ts'

test('a target that points to itself is pointed to through the gateway, others are left alone', () => {
  const place = { prefix: '/t/shop', authority: '10.0.0.1:80' }
  const moved = (value: string, by = place) => relocated([['Location', value]], by)[0]?.[1]
  assert.equal(moved('/a?b'), '/t/shop/a?b')
  assert.equal(moved('http://10.0.0.1:80/a'), '/t/shop/a')
  assert.equal(moved('https://10.0.0.1:80'), '/t/shop/')
  assert.equal(moved('https://10.0.0.1:80', { ...place, prefix: '' }), '/')
  for (const value of ['b/c', '//evil.example/a', 'https://elsewhere.example/a', 'http://10.0.0.1:8080/a', ''])
    assert.equal(moved(value), value)
  const below = { ...place, path: '/k8s/c' }
  assert.equal(moved('/k8s/c/api/v1', below), '/t/shop/api/v1')
  assert.equal(moved('http://10.0.0.1:80/k8s/c', below), '/t/shop/')
  for (const value of ['/login', '/k8s/cd', 'http://10.0.0.1:80/login']) assert.equal(moved(value, below), value)
  assert.deepEqual(relocated([['X-Location', '/a']], place), [['X-Location', '/a']])
})
