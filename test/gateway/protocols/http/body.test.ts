import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import type { Media } from '../../../../gateway/protocols/http/media.ts'
import { StreamedBody } from '../../../../gateway/protocols/http/streamed-body.ts'
import { redactText } from '../../../../gateway/protocols/http/text-body.ts'
import { testMasker } from '../../../support/fakes.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`

const of = (key: string): Field => (key === 'nick' ? NICK : SCAN)
const fields = {
  labelled: true,
  unnamed: SCAN,
  of,
  at: (bytes: Uint8Array, from: number, to: number) => of(Buffer.from(bytes.subarray(from, to)).toString()),
}

function redact(
  text: string | Buffer,
  { labelled = true, answer = true, media = 'json' }: { labelled?: boolean; answer?: boolean; media?: Media } = {},
): string {
  const source = Buffer.from(text)
  const masker = testMasker()
  const sink = masker.sink(source.length)
  redactBody(masker, sink, [source, 0, source.length], { media, fields: { ...fields, labelled }, answer })
  return Buffer.from(sink.finish().bytes).toString('latin1')
}

test('what calls itself JSON and is none is masked whole where keys may be labelled, and read as text where none is', () => {
  const broken = [
    '{"nick":"bo"',
    '{nick:"bo"}',
    "{'nick':'bo'}",
    '{"\\u006eick":"bo",}',
    '{"nick":"bo"}{"nick":"lou"}',
    '{"nick":NaN}',
    `${'{"a":'.repeat(600)}{"nick":"bo"}${'}'.repeat(600)}`,
    Buffer.from('{"nick":"bo","x":"\xff"}', 'latin1'),
    '\0{"nick":"bo"}',
  ]
  for (const text of broken) {
    for (const answer of [true, false])
      assert.match(redact(text, { answer }), /^\[MASKED:unreadable:[0-9a-f]{12}\]$/, String(text))
    assert.equal(redact(text, { labelled: false }), Buffer.from(text).toString('latin1'))
  }
  assert.match(redact(`{"mail":"${MAIL}"`, { labelled: false }), /^{"mail":"\[MASKED:email:/)
  for (const blank of ['', ' \r\n']) assert.equal(redact(blank), blank)
})

test('of a stream of events a line that is a piece of JSON is masked, and others are texts', () => {
  const masker = testMasker()
  const streamed = new StreamedBody({ media: 'events', fields, answer: true })
  const lines = [
    'event: message',
    ': a comment of http://example.org:80',
    'data: 12:30, as it was said',
    '',
    `data: {"nick":"bo","note":"x"}`,
    '',
    'data:   "nick" : "lou",',
    '',
    "data:   'nick': 'max'",
    '',
  ]
  const { bytes } = streamed.redact(masker, Buffer.from(lines.join('\n')), true)
  const got = Buffer.from(bytes).toString().split('\n')
  for (const line of [0, 1, 2, 3, 5, 7, 9]) assert.equal(got[line], lines[line])
  assert.match(got[4] ?? '', /^data: {"nick":"\[MASKED:nick:[0-9a-f]{12}\]","note":"x"}$/)
  for (const line of [6, 8]) assert.match(got[line] ?? '', /^data:\[MASKED:unreadable:[0-9a-f]{12}\]$/)
})

test('a text that ends with JSON, as Socket.IO has them, is masked by its keys; what only looks like some is masked whole', () => {
  const masker = testMasker()
  const redacted = (text: string): string => {
    const source = Buffer.from(text)
    const sink = masker.sink(source.length)
    redactText(masker, sink, [source, 0, source.length], { fields, answer: true })
    return Buffer.from(sink.finish().bytes).toString()
  }
  assert.match(
    redacted('42/chat,["said",{"nick":"bo","note":"x"}]'),
    /^42\/chat,\["said",{"nick":"\[MASKED:nick:[0-9a-f]{12}\]","note":"x"}\]$/,
  )
  assert.match(redacted(`2["${MAIL}"]`), /^2\["\[MASKED:email:/)
  assert.equal(redacted('ping at 12:30 "quoted"'), 'ping at 12:30 "quoted"')
  for (const text of ['SEND\n\n{"nick":"bo"}\0', '{"nick":"bo"', 'x {"nick":"bo"} y', '[1] {"nick":"bo"}'])
    assert.match(redacted(text), /^\[MASKED:unreadable:[0-9a-f]{12}\]$/)
})

test('JSON under another type is masked by its keys where there are labels; what only shows in its text is masked as before', () => {
  for (const media of ['text', 'unknown', 'opaque', 'live'] as const) {
    for (const answer of [true, false]) {
      for (const before of ['', ' \r\n\t', '\ufeff']) {
        const got = redact(Buffer.from(`${before}[{"nick":"bo","note":"x"}]`), { media, answer })
        assert.match(Buffer.from(got, 'latin1').toString(), /^\s*\[{"nick":"\[MASKED:nick:[0-9a-f]{12}\]","note":"x"}\]$/)
      }
      assert.equal(redact('{"nick":"bo"}', { media, answer, labelled: false }), '{"nick":"bo"}')
      assert.match(redact(`{"mail":"${MAIL}"}`, { media, answer }), /^{"mail":"\[MASKED:email:[0-9a-f]{12}\]"}$/)
      for (const text of ['[12:30] "nick": bo', '{"name":"bo"}', '[] done']) assert.equal(redact(text, { media, answer }), text)
    }
  }
})
