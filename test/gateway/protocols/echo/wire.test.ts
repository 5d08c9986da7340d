import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EchoWire, echoFrame, MAX_ECHO_BYTES } from '../../../../gateway/protocols/echo/wire.ts'
import {
  hidesSecrets,
  type ProtocolCase,
  releasesWhatCame,
  sameHoweverCut,
  survivesHostility,
} from '../../../support/properties.ts'

const echo: ProtocolCase = {
  wire: () => new EchoWire(),
  talk: (secret) =>
    fc.array(
      fc.tuple(
        fc.constantFrom('client', 'server'),
        fc
          .tuple(fc.nat({ max: 3 }), fc.constantFrom('hello', '', 'ünï', secret, `my mail is ${secret}.`))
          .map(([channel, text]) => echoFrame(channel, text)),
      ),
      { maxLength: 12 },
    ),
}

test('however the bytes are cut, the same messages', () => sameHoweverCut(echo))
test('releasing everything gives back the bytes', () => releasesWhatCame(echo))
test('hostile bytes parse or are refused as the peer’s mistake', () => survivesHostility(echo))
test('a planted secret is in no entry and reaches no client', () => hidesSecrets(echo))

test('a frame larger than the limit is refused before it is kept', () => {
  const header = Buffer.from(echoFrame(0, ''))
  header.writeUInt32BE(MAX_ECHO_BYTES + 1, 1)
  assert.throws(() => new EchoWire().receive('client', header), { code: 'PROTOCOL_OVERSIZE' })
})

test('refusals and notices are said on the message’s own channel', () => {
  const wire = new EchoWire()
  const [message] = wire.receive('client', echoFrame(7, 'please'))
  assert.ok(message)
  const refused = wire.refuse(message, { why: 'blocked', message: 'no', rules: [] })
  assert.deepEqual(refused[0]?.bytes, echoFrame(7, '! no'))
  const noticed = wire.notify(message, { message: 'wait', approval: 'A-1' })
  assert.deepEqual(noticed[0]?.bytes, echoFrame(7, '? wait'))
  assert.equal(noticed[0]?.to, 'client')
})
