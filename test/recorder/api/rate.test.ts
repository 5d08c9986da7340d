import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../../../recorder/api/rate.ts'

test('the ports of an address and the addresses of an IPv6 network count as one', () => {
  assert.equal(networkOf('192.0.2.1:1000'), '192.0.2.1')
  assert.equal(networkOf('[2001:db8::1]:5'), networkOf('[2001:db8:0:0:ffff::2]:6'))
  assert.notEqual(networkOf('[2001:db8::1]:5'), networkOf('[2001:db8:0:1::1]:5'))
  assert.equal(networkOf('[::ffff:192.0.2.1]:1000'), '192.0.2.1')
  // Without a port, as sockets have it.
  assert.equal(networkOf('2001:db8::1'), networkOf('[2001:db8::1]:5'))
  assert.equal(networkOf('2001:db8:0:0:1::'), networkOf('2001:DB8::2'))
  assert.equal(networkOf('2001:db8:0:0:1:2:3:4:50000'), networkOf('2001:db8::'))
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(networkOf('::1'), networkOf('[::1]:80'))
  assert.equal(networkOf(''), '')
})
