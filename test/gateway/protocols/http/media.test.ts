import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAmbiguous, isBinaryPart, isOpaque, mediaOf } from '../../../../gateway/protocols/http/media.ts'

const media = (type: string) => mediaOf([['Content-Type', type]])

test('a body is read by its type, parameters and case aside', () => {
  const types = {
    json: [
      'application/json',
      'Application/JSON; charset=utf-8',
      'application/problem+json',
      'application/x-json',
      'application/vnd.shop.json',
    ],
    form: ['application/x-www-form-urlencoded'],
    multipart: ['multipart/form-data; boundary=x', 'multipart/mixed'],
    events: ['text/event-stream', 'application/x-ndjson', 'application/jsonl'],
    text: ['text/plain', 'application/xml', 'image/svg+xml', 'text/csv'],
    opaque: ['image/png', 'application/zip'],
    unknown: ['', 'application/octet-stream', 'application/x-git-upload-pack-result', 'nonsense'],
  }
  for (const [expected, names] of Object.entries(types)) for (const name of names) assert.equal(media(name), expected, name)
})

test('who says two types that are read alike says one; of a list the first counts', () => {
  const said = (...types: readonly string[]) => isAmbiguous(types.map((type) => ['Content-Type', type]))
  assert.equal(said(), false)
  assert.equal(said('text/plain', 'Text/HTML; charset=utf-8'), false)
  assert.equal(said('application/json, application/problem+json'), false)
  assert.equal(said('multipart/mixed; boundary="a,b"', 'multipart/mixed; boundary="a,b"'), false)
  assert.equal(media('application/json; a="b,c", application/json'), 'json')
  for (const types of [
    ['text/plain', 'application/json'],
    ['text/plain, application/json'],
    ['text/plain; charset=utf-8, application/json'],
    ['text/plain; a="b\\"", application/json'],
    ['multipart/mixed; boundary=a', 'multipart/mixed; boundary=b'],
    ['', 'application/json'],
  ])
    assert.equal(said(...types), true, String(types))
  const hostile = `text/plain; a=${'"\\'.repeat(1 << 15)}`
  assert.equal(said(hostile), false)
})

test('what calls itself a picture and is a text is read as text', () => {
  assert.equal(isOpaque('opaque', Buffer.from('password: hunter2')), false)
  assert.equal(isOpaque('opaque', Buffer.from('GIF89a password: hunter2')), false)
  assert.equal(isOpaque('opaque', Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47]), Buffer.alloc(40, 1)])), true)
})

test('an unknown type is opaque where it begins like what is packed, and surely is', () => {
  for (const text of ['plain \u00e9\n\t\x1b[1m', '0023\x02Enumerating', 'A\xffB', 'MZ is how it begins', '\x7fELF'])
    assert.equal(isOpaque('unknown', Buffer.from(text, 'latin1')), false, text)
  assert.equal(isOpaque('unknown', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(40)])), true)
  assert.equal(
    isOpaque('text', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(40)])),
    false,
    'a declared text is looked at whatever is in it',
  )
})

test('a part is binary where it surely is: neither a cut character nor a stray byte makes one of a text', () => {
  const text = 'a line of a text that says nothing of anybody\n'.repeat(200)
  const packed = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) & 0xff))
  for (const media of ['unknown', 'opaque'] as const) {
    assert.equal(isBinaryPart(media, packed), true)
    assert.equal(isBinaryPart(media, Buffer.alloc(22)), true)
    for (const part of [
      Buffer.from(`\u00e9${text}`).subarray(1),
      Buffer.from(`\u{1f600}${text}`).subarray(1),
      Buffer.from(`\0${text}`),
      Buffer.from(`caf\u00e9 ${text}`, 'latin1'),
      Buffer.from(text, 'utf16le'),
      Buffer.from(text, 'utf16le').subarray(1),
      Buffer.from('MAIL=nobody\0PASS=none at all\0'.repeat(200)),
      Buffer.from('\0'),
      Buffer.alloc(0),
    ])
      assert.equal(isBinaryPart(media, part), false, part.subarray(0, 8).toString('hex'))
  }
  assert.equal(isBinaryPart('text', packed), false)
})
