import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorityOf, egressFacts, placeOf } from '../../../../gateway/policy/http/egress-facts.ts'

test('a host is one, in whatever way it is written', () => {
  const hostOf = (target: string): string => placeOf('CONNECT', target).host
  assert.equal(hostOf('API.Example.org.:443'), 'api.example.org')
  assert.equal(hostOf('bücher.example:443'), 'xn--bcher-kva.example')
  for (const metadata of ['169.254.169.254:80', '2852039166:80', '0xa9.0xfe.0xa9.0xfe:80', '169.254.43518:80'])
    assert.equal(hostOf(metadata), '169.254.169.254')
  assert.equal(authorityOf(placeOf('CONNECT', '[::FFFF:10.0.0.1]:443')), '[::ffff:a00:1]:443')
  assert.deepEqual(placeOf('GET', 'http://example.org?x=1'), { host: 'example.org', port: 80, path: '/?x=1', inside: false })
})

test('what names no host and port is malformed, what is no forward proxy’s unsupported', () => {
  for (const target of [
    'example.org',
    'example.org:0',
    'example.org:65536',
    'u@example.org:443',
    'a b:443',
    ':443',
    '.:443',
    'a/b:443',
    'example.org..:443',
    'example.org%2e%2e:443',
    'example.org\u3002.:443',
    'a..example.org:443',
    '[fe80::1%25eth0]:443',
  ])
    assert.throws(() => placeOf('CONNECT', target), { code: 'PROTOCOL_MALFORMED' }, target)
  for (const target of ['http://u:p@example.org/', 'http:///x', 'ftp://example.org/', 'http://example.org:99999/'])
    assert.throws(() => placeOf('GET', target), { code: 'PROTOCOL_MALFORMED' }, target)
  for (const target of ['/path', '*']) assert.throws(() => placeOf('GET', target), { code: 'PROTOCOL_UNSUPPORTED' }, target)
})

test('a wildcard is every host below a domain, and not the domain', () => {
  const listed = (host: string): unknown =>
    egressFacts({ method: 'CONNECT', target: `${host}:443`, contentType: '', body: undefined }, ['one.example', '*.two.example'])[
      'listed'
    ]
  assert.deepEqual(['one.example', 'a.two.example', 'a.b.two.example', 'ONE.example.'].map(listed), [true, true, true, true])
  assert.deepEqual(
    ['a.one.example', 'two.example', 'atwo.example', '.two.example', 'one.example.evil.example'].map((host) => {
      try {
        return listed(host)
      } catch {
        return false
      }
    }),
    [false, false, false, false, false],
  )
})

test('what is asked inside a tunnel names an https URL; whether its host is listed was asked of the tunnel', () => {
  assert.deepEqual(placeOf('GET', 'HTTPS://Example.org/a?b'), { host: 'example.org', port: 443, path: '/a?b', inside: true })
  const facts = egressFacts({ method: 'GET', target: 'https://one.example/users/7', contentType: '', body: undefined }, [])
  assert.deepEqual([facts['intercepted'], facts['listed'], facts['route']], [true, undefined, 'one.example:443/users/{id}'])
})
