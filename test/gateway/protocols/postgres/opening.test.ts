import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { nulTerminated } from '../../../../gateway/protocols/postgres/messages.ts'
import { admission, opening, welcome } from '../../../../gateway/protocols/postgres/opening.ts'
import { testMasker } from '../../../support/fakes.ts'
import { answers, int32Of } from '../../../support/pg-words.ts'

const MAIL = ['ada', 'example.org'].join('@')

function startup(...words: readonly string[]): Buffer {
  const body = Buffer.concat([int32Of(196_608), ...words.map(nulTerminated), Buffer.of(0)])
  return Buffer.concat([int32Of(body.length + 4), body])
}

test('the startup packet is taped without what its values hide, the password only as having been shown', () => {
  const received = startup('user', MAIL, 'application_name', `of ${MAIL}`)
  const greeting = {
    kind: 'startup',
    client: new PassThrough(),
    received,
    sent: new Uint8Array(),
    database: 'shop',
    parameters: new Map<string, string>(),
    version: { major: 3, minor: 0 },
    knock: { protocol: 'postgres', client: 'c', secret: 'sesame', target: 'shop', claims: {} },
  } as unknown as Parameters<typeof opening>[0] // what opening looks at
  const [packet, password] = opening(greeting)
  const { bytes } = packet?.redacted(testMasker()) ?? assert.fail('no packet')
  assert.ok(!Buffer.from(bytes).includes(MAIL))
  assert.ok(Buffer.from(bytes).includes('application_name'))
  assert.equal(Buffer.from(bytes).readInt32BE(0), bytes.length)
  assert.deepEqual([password?.bytes.length, password?.facts()], [0, { size: 6 }])
})

test('what the server reported at login passes the masker', () => {
  const upstream = {
    parameters: new Map([
      ['server_version', '18.0'],
      ['application_name', MAIL],
    ]),
    notices: [answers.notice(`hello ${MAIL}`)],
  } as unknown as Parameters<typeof welcome>[0] // what welcome looks at
  const message = welcome(upstream)
  assert.ok(Buffer.from(message.bytes).includes(MAIL))
  const bytes = Buffer.from(message.redacted(testMasker()).bytes)
  assert.ok(!bytes.includes(MAIL) && bytes.includes('18.0'))
})

test('the client gets its cancel key whole, the tape only the process id', () => {
  const key = Uint8Array.of(1, 2, 3, 4, 0xde, 0xad, 0xbe, 0xef)
  const [said, ready] = admission(key)
  assert.deepEqual(said?.bytes.subarray(5), Buffer.from(key))
  const taped = Buffer.from(said?.own?.redacted?.bytes ?? [])
  assert.deepEqual(taped.subarray(5, 9), Buffer.from(key.subarray(0, 4)))
  assert.ok(!taped.includes(Buffer.from(key.subarray(4))))
  assert.equal(taped.length, said?.bytes.length)
  // Not a mask: `sessions` would say that something of somebody's was masked.
  assert.equal(said?.own?.redacted?.masks, null)
  assert.deepEqual(Buffer.from(ready?.bytes ?? []), Buffer.from(answers.ready()))
})
