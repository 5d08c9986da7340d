import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import type { JsonFields } from '../../../../gateway/protocols/http/json-body.ts'
import type { Media } from '../../../../gateway/protocols/http/media.ts'
import { StreamedBody } from '../../../../gateway/protocols/http/streamed-body.ts'
import { testMasker } from '../../../support/fakes.ts'

const MAIL = ['lovelace', 'example.org'].join('@')
const UNLABELLED: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'nick', entity: 'nick' }
const of = (key: string): Field => (key === 'nick' ? NICK : UNLABELLED)
const fieldsOf = (labelled: boolean): JsonFields => ({
  labelled,
  unnamed: UNLABELLED,
  at: (source, from, to, inside) => {
    const own = labelled ? of(Buffer.from(source.subarray(from, to)).toString()) : UNLABELLED
    return own === UNLABELLED && inside?.action === 'mask' ? inside : own
  },
  of,
})

/** As it comes, in pieces of this size. */
function streamed(body: Buffer, media: Media, { size = body.length, labelled = true } = {}): Buffer {
  const masker = testMasker()
  const stream = new StreamedBody({ media, fields: fieldsOf(labelled), answer: true })
  const out: Uint8Array[] = []
  for (let at = 0; at < body.length; at += size) out.push(stream.redact(masker, body.subarray(at, at + size), false).bytes)
  out.push(stream.redact(masker, Buffer.alloc(0), true).bytes)
  return Buffer.concat(out)
}

function whole(body: Buffer, media: Media): Buffer {
  const masker = testMasker()
  const sink = masker.sink(body.length)
  redactBody(masker, sink, [body, 0, body.length], { media, fields: fieldsOf(true), answer: true })
  return Buffer.from(sink.finish().bytes)
}

const SIZES = [1, 7, 100_000]

test('labels hold in JSON that is streamed under any type: one text, one in each line, and among other lines', () => {
  const texts = [
    '{"nick":"bo"}',
    '[{"a":[1,"x"],\n "nick" : "bo"}]\n',
    '{"a":1}\n{"nick":"bo"}\r\n{"\\u006eick":"bo"}\n',
    '\ufeff {"nick":{"of":["bo"]}}{"nick":"bo"}',
    'starting\n[info] {x\n  {"nick":"bo"} done\n[1] and so on\n',
  ]
  for (const media of ['text', 'unknown', 'opaque', 'live'] as const)
    for (const text of texts) {
      for (const size of SIZES) {
        const got = streamed(Buffer.from(text), media, { size }).toString()
        assert.ok(!got.includes('bo"'), `${media} ${size}: ${got}`)
        assert.equal(
          got.replace(/\[MASKED:nick:[0-9a-f]+\]|\*+/g, 'bo').replaceAll('\\u006e', 'n'),
          text.replaceAll('\\u006e', 'n'),
        )
      }
      assert.ok(!whole(Buffer.from(text), media).includes('bo"'), `${media} whole: ${text}`)
    }
})

test('JSON under any type in which a labelled key has nothing to hide comes through as it is', () => {
  for (const value of ['""', '[]', '{}'])
    for (const text of [`{\n "nick": ${value},\n "other": "public"\n}\n`, `[\n {"nick": ${value}},\n {\n "id": 5 }\n]\n`]) {
      for (const media of ['text', 'unknown', 'opaque'] as const) {
        assert.equal(whole(Buffer.from(text), media).toString(), text)
        for (const size of SIZES) assert.equal(streamed(Buffer.from(text), media, { size }).toString(), text)
      }
      const mail = text.replace(/"public"|5/, `"${MAIL}"`)
      assert.ok(!whole(Buffer.from(mail), 'text').includes(MAIL))
    }
})

test('JSON with a labelled key that breaks off, or is none after all, is masked line by line; other lines are not touched', () => {
  for (const text of ['{"nick":"bo","n":NaN,"nick":"bo"}\nlast', '[{"nick":"bo"},\n{"nick":"bo', '{"nick":"bo"] {"nick":"bo"}']) {
    for (const size of SIZES) {
      const got = streamed(Buffer.from(`first: "x"\n${text}`), 'text', { size }).toString()
      assert.ok(!got.includes('bo'), got)
      assert.ok(got.startsWith('first: "x"\n'), got)
    }
  }
  const plain = '{ "name": bo }\n[12:30] "nick" is it\nif (x) {\n  {"a": 1\n'
  for (const size of SIZES) assert.equal(streamed(Buffer.from(plain), 'text', { size }).toString(), plain)
})

test('what begins like no text, and is one behind that, is masked there; what is none stays as it is, wherever it stands', () => {
  const line = `a line with ${MAIL} in it, and some more of the same that says nothing\n`
  const noise = randomBytes(20_000)
  for (const media of ['unknown', 'opaque'] as const) {
    for (const before of [
      Buffer.from([0]),
      Buffer.from('0023\x02'),
      Buffer.alloc(64),
      Buffer.from([0xff, 0xfe, 0x01]),
      noise,
      Buffer.from('GIF89a'),
    ]) {
      for (const size of [100_000, 4_096]) {
        const body = Buffer.concat([
          before,
          Buffer.from(line.repeat(before.length === 6 ? 60 : 3)),
          noise,
          Buffer.from(size === 4_096 ? '' : line),
        ])
        const got = streamed(body, media, { size, labelled: false })
        assert.equal(got.length, body.length)
        assert.ok(!got.includes(MAIL), `${media}, ${size}: behind ${before.subarray(0, 8).toString('hex')}`)
        assert.deepEqual(got, Buffer.from(body.toString('latin1').replaceAll(MAIL, '*'.repeat(MAIL.length)), 'latin1'))
      }
      assert.ok(!whole(Buffer.concat([before, Buffer.from(line)]), media).includes(MAIL))
    }
  }
})

test('what has lengths in it keeps them: labelled JSON among other bytes is covered, and nothing behind it is lost', () => {
  const head = Buffer.concat([Buffer.from('a.json'), Buffer.alloc(506)])
  const broken = Buffer.from('hello\n{"nick": "bo", // what\n "n": 1}\n')
  const zeros = Buffer.alloc(5 << 20)
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 13]), Buffer.from('{"nick":"bo"}')])
  assert.equal(whole(message, 'unknown').length, message.length)
  assert.ok(!whole(message, 'unknown').includes('bo"'))
  const bodies = [
    Buffer.concat([head, Buffer.from('hello\n{"nick":"bo"}\n'), head]),
    Buffer.concat([head, broken, zeros, Buffer.from(`\n${MAIL}\n`), head]),
  ]
  for (const media of ['unknown', 'opaque'] as const)
    for (const body of bodies)
      for (const got of [streamed(body, media, { size: 65_536 }), whole(body, media)]) {
        assert.equal(got.length, body.length)
        assert.ok(!got.includes('"bo"}') && !got.includes(MAIL))
        assert.deepEqual(got.subarray(-head.length).equals(head), body.subarray(-head.length).equals(head))
      }
})

test('what begins as a text in UTF-16 is one, whatever stands behind it or however few of its characters are ASCII', () => {
  const cyrillic = '\u0418\u0432\u0430\u043d \u041f\u0435\u0442\u0440\u043e\u0432'
  const texts = [`a row; ${MAIL}\r\n`.repeat(400), `${cyrillic.repeat(12)}; ${MAIL}\r\n`.repeat(200)]
  for (const media of ['unknown', 'opaque'] as const)
    for (const text of texts)
      for (const behind of [Buffer.alloc(0), Buffer.alloc(256), randomBytes(2_000)]) {
        const body = Buffer.concat([Buffer.from(`\ufeff${text}`, 'utf16le'), behind])
        const wide = Buffer.from(MAIL, 'utf16le')
        assert.ok(!streamed(body, media, { size: 4_096, labelled: false }).includes(wide))
        assert.ok(!whole(body, media).includes(wide))
      }
})

test('a text in another encoding, between NULs or among a few control characters is a text, under any type', () => {
  const rows = (row: (at: number) => string): string => Array.from({ length: 100 }, (_, at) => row(at)).join('')
  const secret = (at: number): string => `Zk8wTq${at}vB3`
  const mail = (at: number): string => ['hm', at, MAIL.slice(MAIL.indexOf('@'))].join('')
  const texts: Readonly<Record<string, string>> = {
    'Latin-1': rows((at) => `J\xfcrg;M\xfcller;${mail(at)};Stra\xdfe 1;password=${secret(at)}\n`),
    'Cyrillic of one byte each': rows(
      (at) => `\xcf\xee\xf7\xf2\xe0 \xe8 \xcf\xe0\xf0\xee\xeb\xfc: ${mail(at)} \xcf\xe0\xf0\xee\xeb\xfc\n`,
    ),
    'an environment': rows((at) => `MAIL=${mail(at)}\0DB_PASSWORD=${secret(at)}\0`),
    'records padded with NUL': rows((at) => `M\xfcller\0\0\0\0\0\0${mail(at)}\0\0\0\0password=${secret(at)}\0\0\0\0\0\0\0`),
    'messages with lengths': rows((at) => `\0\0\0\0\x1f\x0a\x12${mail(at)}\x12\x08\x08\x96\x01\x1a\x14password=${secret(at)}`),
    'one stray byte': `\x01${rows((at) => `${mail(at)} password=${secret(at)}\n`)}`,
  }
  const before = 'id;vorname;name;ort\n'.repeat(400)
  for (const [name, text] of Object.entries(texts))
    for (const media of ['unknown', 'opaque'] as const)
      for (const body of [Buffer.from(text, 'latin1'), Buffer.from(`${before}${text}`, 'latin1')]) {
        const left = /hm\d+@|Zk8wTq/
        assert.doesNotMatch(whole(body, media).toString('latin1'), left, name)
        for (const size of [100, 65_536]) {
          const got = streamed(body, media, { size }).toString('latin1')
          assert.doesNotMatch(got, left, `${name}, ${size}`)
          assert.equal(got.length, body.length)
        }
      }
})

test('labels hold in JSON that stands among a few bytes that are no text', () => {
  for (const text of ['{"nick":"bo"}\x01', '\0{"nick":"bo"}\n', `${'\x02\x03'.repeat(20)}\n{"nick":"bo"}\n`])
    for (const media of ['unknown', 'opaque'] as const) {
      assert.ok(!whole(Buffer.from(text), media).includes('bo"'), text)
      for (const size of SIZES) assert.ok(!streamed(Buffer.from(text), media, { size }).includes('bo"'), text)
    }
})

test('programs, packed files and tables of numbers come through as they are', () => {
  // As git answers: a few words, and a little that is packed.
  for (let count = 0; count < 200; count++) {
    const pack = Buffer.concat([
      Buffer.from('0008NAK\n0023\x02Enumerating objects: 3, done.\n002f\x01PACK'),
      randomBytes(300),
      Buffer.from('0000'),
    ])
    assert.ok(whole(pack, 'unknown').equals(pack))
    assert.ok(streamed(pack, 'unknown').equals(pack))
  }
  const numbers = Buffer.from(Uint16Array.from({ length: 8_000 }, (_, at) => at % 251).buffer)
  const elf = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01'), Buffer.alloc(3_000), Buffer.from(`${MAIL} `.repeat(300))])
  for (const body of [numbers, elf, randomBytes(1_000_000)])
    for (const size of [1_400, 65_536])
      if (body !== elf || size > 4_096) assert.ok(streamed(body, 'unknown', { size }).equals(body), String(size))
})
