import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIdentityEndpoint, isLoopback, isMetadata, oneAddress } from '../../gateway/hosts.ts'

test('knows this machine by every usual name, and nobody else', () => {
  for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1', '[::1]']) assert.equal(isLoopback(host), true, host)
  for (const host of ['localhost.example.org', '10.0.0.1', '::2', '127.0.0.1.example.org', ''])
    assert.equal(isLoopback(host), false, host)
})

test('knows where platforms hand out identities, however it is written', () => {
  for (const host of [
    '169.254.169.254',
    '169.254.1.2',
    '168.63.129.16',
    '[fe80::1]',
    '::ffff:169.254.169.254',
    '[::ffff:a9fe:a9fe]',
    '::ffff:a83f:8110',
    '64:ff9b::a9fe:a9fe',
    '100.100.100.200',
    'fd00:ec2::23',
    '[fd20:ce::254]',
    '64:ff9b::169.254.169.254',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    'FD00:0EC2:0::254',
    'fe80::1%eth0',
  ])
    assert.equal(isMetadata(host), true, host)
  for (const host of [
    '10.0.0.1',
    '168.63.129.17',
    '169.255.0.1',
    '[2001:db8::1]',
    'db.internal',
    '[::ffff:a00:1]',
    '64:ff9b::a00:1',
    '100.100.100.20',
  ])
    assert.equal(isMetadata(host), false, host)
})

test("knows this process's own source of tokens, by any name of this machine", () => {
  const env = { IDENTITY_ENDPOINT: 'http://localhost:42356/msi/token' }
  assert.equal(isIdentityEndpoint({ host: 'localhost', port: 42_356 }, env), true)
  assert.equal(isIdentityEndpoint({ host: '127.0.0.1', port: 42_356 }, env), true)
  assert.equal(isIdentityEndpoint({ host: 'localhost', port: 5_432 }, env), false)
  assert.equal(isIdentityEndpoint({ host: 'db.internal', port: 42_356 }, env), false)
  assert.equal(isIdentityEndpoint({ host: 'localhost', port: 42_356 }, {}), false)
})

test('tells an address of IPv6 in one spelling, and leaves what is none', () => {
  for (const [written, told] of [
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::1%1', '::1'],
    ['fe80:0::1%eth0', 'fe80::1%eth0'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['2001:db8::10', '2001:db8::10'],
    ['db.internal', 'db.internal'],
    ['::1]/x[', '::1]/x['],
    ['1:2', '1:2'],
  ] as const)
    assert.equal(oneAddress(written), told)
})
