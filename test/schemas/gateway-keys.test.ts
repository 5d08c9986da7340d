import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'

const spki = (publicKey: { export(options: { format: 'der'; type: 'spki' }): Buffer }): string =>
  publicKey.export({ format: 'der', type: 'spki' }).toString('base64')

test('a line is a gateway and its key, whatever editor it went through', () => {
  const ed25519 = spki(generateKeyPairSync('ed25519').publicKey)
  const p256 = spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
  const keys = parseGatewayKeys(`# until 2027\r\n\r\ngw1 ${ed25519}\r\n  gw2\t${p256} `, 'gateway.pub')
  assert.deepEqual(
    keys.map(({ gateway, publicKey }) => [gateway, Buffer.from(publicKey).toString('base64')]),
    [
      ['gw1', ed25519],
      ['gw2', p256],
    ],
  )
})

test('what is no key is named by file and line', () => {
  const good = `gw1 ${spki(generateKeyPairSync('ed25519').publicKey)}`
  const rsa = spki(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
  for (const bad of ['gw2', 'gw2 a b', 'gw2 !!!!', 'gw2 AAAA', `gw2 ${rsa}`, `\ufeff${good}`])
    assert.throws(() => parseGatewayKeys(`${good}\n${bad}\n`, 'keys/gateway.pub'), /^ApplianceError: keys\/gateway\.pub:2: /)
})
