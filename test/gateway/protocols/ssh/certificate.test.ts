import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { offered } from '../../../../gateway/protocols/ssh/certificate.ts'
import { newKey } from '../../../../gateway/protocols/ssh/host-key.ts'
import { utils } from '../../../../gateway/protocols/ssh/library.ts'

const RULES = { authorities: new Set<string>(), address: '127.0.0.1', nowMs: 0 }

const key = utils.parseKey(newKey('test'))
assert.ok(!(key instanceof Error))
const blob = key.getPublicSSH()

test('a key proves itself by its own signature over these very bytes', () => {
  const shown = offered('ssh-ed25519', blob, RULES)
  const text = Buffer.from('session and request')
  const signature = key.sign(text)
  assert.match(shown?.key.fingerprint ?? '', /^SHA256:[A-Za-z0-9+/]{43}$/)
  assert.equal(shown?.verify(text, signature, undefined), true)
  assert.equal(shown?.verify(Buffer.from('another'), signature, undefined), false)
  assert.equal(shown?.verify(text, Buffer.from(signature).fill(0), undefined), false)
})

test('an RSA key that is too short, or signs by SHA-1, proves nothing', () => {
  const small = utils.parseKey(utils.generateKeyPairSync('rsa', { bits: 1024 }).private)
  assert.ok(!(small instanceof Error))
  assert.equal(offered('ssh-rsa', small.getPublicSSH(), RULES), undefined)
  const large = utils.parseKey(utils.generateKeyPairSync('rsa', { bits: 2048 }).private)
  assert.ok(!(large instanceof Error))
  const shown = offered('ssh-rsa', large.getPublicSSH(), RULES)
  const text = Buffer.from('session and request')
  assert.equal(shown?.verify(text, large.sign(text, 'sha256'), 'sha256'), true)
  assert.equal(shown?.verify(text, large.sign(text, 'sha1'), undefined), false)
})

test('hostile bytes are no key, and nothing is thrown', () => {
  const algorithms = [
    'ssh-ed25519',
    'ssh-rsa',
    'ecdsa-sha2-nistp256',
    'ssh-ed25519-cert-v01@openssh.com',
    'rsa-sha2-512-cert-v01@openssh.com',
    'x',
  ]
  fc.assert(
    fc.property(fc.constantFrom(...algorithms), fc.uint8Array({ maxLength: 600 }), (algorithm, bytes) => {
      const shown = offered(algorithm, bytes, RULES)
      if (shown !== undefined) assert.equal(shown.verify(bytes, bytes, 'sha256'), false)
    }),
  )
})
