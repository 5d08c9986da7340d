import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { acceptTls } from '../../../../gateway/protocols/postgres/greet-tls.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { PgClient } from '../../../support/pg-peer.ts'
import { selfSigned } from '../../../support/pg-tls.ts'

const identity = await selfSigned()
const context = createSecureContext(identity)
const never = new AbortController().signal

test('a handshake over any duplex ends in an encrypted stream, with what was read ahead put back', async () => {
  const [near, far] = duplexPair()
  const client = new PgClient(far)
  const handshake = client.directTls({ ca: identity.cert })
  await new Promise((resolve) => near.once('readable', resolve))
  near.unshift(near.read(1))
  const secured = await acceptTls(near, context, never)
  await handshake
  assert.equal(secured.alpnProtocol, 'postgresql')
  await client.say(Buffer.from('hello'))
  assert.equal(await new Promise((resolve) => secured.once('data', (data: Buffer) => resolve(data.toString()))), 'hello')
  secured.destroy()
})

test('bytes that are no handshake, and a peer that leaves, are protocol errors', async () => {
  const malformed = (error: unknown): boolean => error instanceof ApplianceError && error.code === 'PROTOCOL_MALFORMED'
  const [near, far] = duplexPair()
  far.write('GET / HTTP/1.1\r\n\r\n')
  await assert.rejects(acceptTls(near, context, never), malformed)
  const [left, other] = duplexPair()
  const waiting = acceptTls(left, context, never)
  left.destroy()
  other.destroy()
  await assert.rejects(waiting, malformed)
})

test('an abort ends the handshake with its reason', async () => {
  const [near] = duplexPair()
  await assert.rejects(acceptTls(near, context, AbortSignal.abort(new Error('enough'))), /enough/)
  near.destroy()
})
