import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { OpaqueTunnel } from '../../../../gateway/protocols/egress/opaque-tunnel.ts'

test('its end tells size and SHA-256 of what was released in each direction, however it was cut, and of nothing else', () => {
  const tunnel = new OpaqueTunnel(1)
  const sent = { client: randomBytes(5_000), server: randomBytes(70_000) }
  for (const from of ['client', 'server'] as const) {
    for (let at = 0; at < sent[from].length; at += 1_777) {
      for (const message of tunnel.receive(from, sent[from].subarray(at, at + 1_777))) {
        assert.equal(message.facts()['size'], Math.min(1_777, sent[from].length - at))
        message.framed(new Uint8Array(0))
        // Whoever asks twice: it passes once.
        message.framed(new Uint8Array(0))
      }
    }
    // Refused: never asked for its bytes.
    tunnel.receive(from, randomBytes(100))
  }
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  assert.deepEqual(tunnel.closing(), {
    bytes_in: 5_000,
    sha256_in: sha256(sent.client),
    bytes_out: 70_000,
    sha256_out: sha256(sent.server),
  })
})
