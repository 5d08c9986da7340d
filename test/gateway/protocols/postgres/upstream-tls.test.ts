import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { endPointBinding } from '../../../../gateway/protocols/postgres/upstream-tls.ts'
import { selfSigned } from '../../../support/pg-tls.ts'

test("the end point is bound by the hash of the certificate's own signature (RFC 5929)", async () => {
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    const { raw } = new X509Certificate((await selfSigned('localhost', algorithm)).cert)
    assert.deepEqual(endPointBinding(raw), createHash(algorithm).update(raw).digest())
  }
})

/** A certificate with nothing but a signature algorithm: `parameters` follow its identifier. */
function certificate(oid: string, parameters = ''): Buffer {
  const item = (tag: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([tag, body.length]), body])
  const name = item(0x06, Buffer.from(oid, 'hex'))
  return item(
    0x30,
    Buffer.concat([item(0x30, Buffer.alloc(3)), item(0x30, Buffer.concat([name, Buffer.from(parameters, 'hex')]))]),
  )
}

test('MD5 and SHA-1 count as SHA-256, RSA-PSS names its hash in its parameters, EdDSA has no binding', () => {
  const hash = (algorithm: string, bytes: Buffer): Buffer => createHash(algorithm).update(bytes).digest()
  for (const oid of ['2a864886f70d010104', '2a864886f70d010105', '2a8648ce3d0401', '2a864886f70d01010a']) {
    assert.deepEqual(endPointBinding(certificate(oid)), hash('sha256', certificate(oid)), oid)
  }
  const pss = certificate('2a864886f70d01010a', 'a00f300d06096086480165030402020500')
  assert.deepEqual(endPointBinding(pss), hash('sha384', pss))
  assert.equal(endPointBinding(certificate('2b6570')), undefined)
})

test('any bytes have a binding or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) =>
      assert([undefined, 28, 32, 48, 64].includes(endPointBinding(bytes)?.length)),
    ),
  )
})
