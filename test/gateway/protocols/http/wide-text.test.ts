import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import type { Media } from '../../../../gateway/protocols/http/media.ts'
import { StreamedBody } from '../../../../gateway/protocols/http/streamed-body.ts'
import { type Wide, wideBytes, wideOf, wideText } from '../../../../gateway/protocols/http/wide-text.ts'
import { testMasker } from '../../../support/fakes.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const WIDES: readonly Wide[] = [2, 4].flatMap((unit) => [true, false].map((little) => ({ unit: unit as 2 | 4, little })))

const of = (key: string): Field => (key === 'nick' ? NICK : SCAN)
const fieldsOf = (labelled: boolean) => ({
  labelled,
  unnamed: SCAN,
  of,
  at: (bytes: Uint8Array, from: number, to: number) => of(Buffer.from(bytes.subarray(from, to)).toString()),
})

function redact(
  source: Buffer,
  { media, labelled = false, answer = true }: { media: Media; labelled?: boolean; answer?: boolean },
): Buffer {
  const masker = testMasker()
  const sink = masker.sink(source.length)
  redactBody(masker, sink, [source, 0, source.length], { media, fields: fieldsOf(labelled), answer })
  return Buffer.from(sink.finish().bytes)
}

test('a text in UTF-16 or UTF-32, with a mark or without, is masked as what it says, in either direction', () => {
  for (const wide of WIDES) {
    for (const mark of ['', '\ufeff']) {
      for (const media of ['text', 'unknown', 'opaque', 'json', 'live', 'events'] as const) {
        for (const answer of [true, false]) {
          const source = wideBytes(`${mark}\u4f60\u{1f600} mail ${MAIL} \u00e9 end`, wide)
          const got = redact(source, { media, answer })
          assert.deepEqual(wideOf(got), wide)
          assert.match(wideText(got, wide), /^\ufeff?\u4f60\u{1f600} mail \[MASKED:email:[0-9a-f]{12}\] \u00e9 end$/u, media)
        }
      }
      const json = redact(wideBytes(`${mark}{"nick":"bo","mail":"${MAIL}","n":1}`, wide), { media: 'json', labelled: true })
      assert.match(
        wideText(json, wide),
        /^\ufeff?{"nick":"\[MASKED:nick:[0-9a-f]{12}\]","mail":"\[MASKED:email:[0-9a-f]{12}\]","n":1}$/,
      )
      const clean = wideBytes(`${mark}{"name":"bo"}`, wide)
      assert.ok(redact(clean, { media: 'json', labelled: true }).equals(clean))
    }
  }
})

test('what holds something as it stands, too, or would not come out as it went in, is masked whole', () => {
  const wide = Buffer.from(`a mail ${MAIL} `, 'utf16le')
  for (const source of [
    Buffer.concat([Buffer.from(`plain ${MAIL}. `), wide]),
    Buffer.concat([wide, Buffer.from([0])]),
    Buffer.concat([wide, Buffer.from([0x00, 0xd8, 0x20, 0x00])]),
  ])
    assert.match(redact(source, { media: 'text' }).toString('latin1'), /^\[MASKED:unreadable:[0-9a-f]{12}\]$/)
  const listed = Buffer.from(`A=1\0MAIL=${MAIL}\0B=2\0`)
  assert.match(redact(listed, { media: 'text' }).toString(), /^A=1\0MAIL=\[MASKED:email:[0-9a-f]{12}\]\0B=2\0$/)
})

test('what is binary stays what it is', () => {
  const small = Buffer.alloc(512)
  for (let at = 0; at < small.length; at += 2) small.writeUInt16LE((at * 37) % 300, at)
  const program = Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]),
    Buffer.alloc(2_000),
    Buffer.from(`mail ${MAIL}`, 'utf16le'),
  ])
  const packed = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * at * 7919 + (at >> 3)) & 0xff))
  for (const source of [small, program, packed, Buffer.alloc(64)]) {
    assert.ok(redact(source, { media: 'unknown' }).equals(source))
  }
})

test('of a text that comes in pieces nothing passes from where it turns out to be so', () => {
  for (const wide of WIDES) {
    for (const media of ['text', 'unknown', 'live', 'events'] as const) {
      for (const size of [1, 7, 4096]) {
        const masker = testMasker()
        const streamed = new StreamedBody({ media, fields: fieldsOf(false), answer: true })
        const source = wideBytes(`first line\nmail ${MAIL} last\n`, wide)
        const out: Uint8Array[] = []
        for (let at = 0; at < source.length; at += size)
          out.push(streamed.redact(masker, source.subarray(at, at + size), false).bytes)
        out.push(streamed.redact(masker, new Uint8Array(), true).bytes)
        const got = Buffer.concat(out)
        assert.equal(got.length, source.length)
        assert.ok(!got.toString('latin1').replaceAll('\0', '').includes('example'), `${media} ${size}`)
      }
    }
  }
})
