import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import { boundaryOf, MAX_PARTS } from '../../../../gateway/protocols/http/multipart-body.ts'
import { testMasker } from '../../../support/fakes.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const PNG = Buffer.from(`89504e470d0a1a0a0000000d${Buffer.from(` ${MAIL} `).toString('hex')}${'00'.repeat(16)}`, 'hex')

const of = (key: string): Field => (key === 'nick' ? NICK : SCAN)
const fields = {
  labelled: true,
  unnamed: SCAN,
  of,
  at: (bytes: Uint8Array, from: number, to: number) => of(Buffer.from(bytes.subarray(from, to)).toString()),
}

const unlabelled = { ...fields, labelled: false }

function redact(
  body: Buffer,
  { boundary = 'x', labelled = true }: { boundary?: string | undefined; labelled?: boolean } = {},
): Buffer {
  const source = Buffer.concat([Buffer.from('..'), body, Buffer.from('..')])
  const masker = testMasker()
  const sink = masker.sink(source.length)
  redactBody(masker, sink, [source, 2, source.length - 2], {
    ...{ media: 'multipart', boundary, fields: labelled ? fields : unlabelled, answer: false },
  })
  return Buffer.from(sink.finish().bytes)
}

const part = (head: string, body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`--x\r\n${head}\r\n\r\n`), Buffer.from(body), Buffer.from('\r\n')])
const form = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, Buffer.from('--x--\r\n')])
const MASK = /\[MASKED:nick:[0-9a-f]{12}\]/g

test('fields are masked by their labels, what has a type by that, and pictures are kept', () => {
  const nested = Buffer.from(`--y\r\nContent-Type: application/json\r\n\r\n{"nick":"deep"}\r\n--y--`)
  const masked = redact(
    form(
      part('Content-Disposition: form-data; name="nick"', 'bo\r\nthe tall'),
      part('content-disposition: form-data; name=note', `write to ${MAIL}`),
      part('Content-Disposition: form-data; name="operations"', '{"nick":"lou","id":7}'),
      part('Content-Type: application/json; charset=utf-8\r\nContent-Disposition: form-data; name="typed"', '{"nick":12}'),
      part(`Content-Disposition: form-data; name="file"; filename="${MAIL}.png"\r\nContent-Type: image/png`, PNG),
      part('Content-Type: multipart/mixed; boundary="y"', nested),
    ),
  )
  const text = masked.toString('latin1')
  assert.equal(text.match(MASK)?.length, 4)
  for (const hidden of ['the tall', 'lou', '12}', 'deep', `to ${MAIL}`, `"${MAIL}`]) assert.ok(!text.includes(hidden), hidden)
  assert.ok(masked.includes(PNG) && text.includes('"id":7') && text.endsWith('\r\n--x--\r\n'))
})

test('what is no such body, or only nearly, is text', () => {
  const bodies = [
    `no parts ${MAIL}`,
    `--x\r\nno head ${MAIL}`,
    `--x ${MAIL}\r\n--x\r\n\r\n`,
    `before ${MAIL}\r\n--x--\r\nbehind ${MAIL}`,
    `--x\r\n\r\n--xy ${MAIL}`,
    `--x\n\n${MAIL}\n--x--`,
    `--x \t\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n${MAIL}`,
    `--x\r\n\r\n--x\r\n${MAIL}`,
    '--x',
    '',
  ]
  for (const body of bodies) {
    assert.ok(!redact(Buffer.from(body)).toString().includes(MAIL), body)
    const text = redact(Buffer.from(body), { labelled: false }).toString()
    assert.ok(!text.includes(MAIL), body)
    assert.equal(text.replace(/\[MASKED:email:[0-9a-f]{12}\]/g, MAIL), body)
  }
})

test('whatever stands in it, nothing of it is lost and a planted value never comes out', () => {
  const pieces = [
    '--x',
    '--x--',
    '\r\n',
    '\n',
    ':',
    'Content-Type: multipart/mixed; boundary=x',
    ` ${MAIL} `,
    'a',
    '{',
    '"',
    '-',
    '\r',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), (words) => {
      const body = words.join('')
      assert.ok(!redact(Buffer.from(body)).toString().includes(MAIL), JSON.stringify(body))
      const text = redact(Buffer.from(body), { labelled: false }).toString()
      assert.ok(!text.includes(MAIL), JSON.stringify(body))
      assert.equal(text.replace(/\[MASKED:email:[0-9a-f]{12}\]/g, MAIL), body)
    }),
    { numRuns: 1000 },
  )
})

test('a boundary is what the type says, within the standard’s limit', () => {
  const of = (type: string): string | undefined => boundaryOf([['Content-Type', type]])
  assert.equal(of('multipart/form-data; boundary=abc'), 'abc')
  assert.equal(of('multipart/form-data; charset=x; BOUNDARY="a b";'), 'a b')
  assert.equal(of("multipart/form-data; boundary*=UTF-8''a%2Db"), 'a-b')
  const doubtful = [
    'x="; boundary=BBB"; boundary=AAA',
    'boundary=AAA; boundary=BBB',
    "boundary=AAA; boundary*=UTF-8''BBB",
    'boundary*0=AA; boundary*1=A',
    'boundary="a\\"b"',
    'boundary=AAA,BBB',
    'boundary="AAA "',
  ].map((parameters) => `multipart/form-data; ${parameters}`)
  const twice = ['a', 'b'].map((each): [string, string] => ['Content-Type', `multipart/mixed; boundary=${each}`])
  assert.equal(boundaryOf(twice), undefined)
  for (const none of [
    ...doubtful,
    'multipart/form-data',
    'multipart/mixed; boundary=',
    `multipart/mixed; boundary=${'b'.repeat(71)}`,
  ])
    assert.equal(of(none), undefined)
})

const HIDDEN = ['4', '7', '1', '1'].join('')
const FORM = 'Content-Disposition: form-data'

test('a name that readers may take for a labelled one hides its part, whichever of them the target is', () => {
  const heads = [
    `${FORM}; filename="; name=note"; name="nick"`,
    `${FORM}; name="note"; name="nick"`,
    `${FORM}; name="nick"; name="note"`,
    `${FORM}; name="note"\r\n${FORM}; name="nick"`,
    `${FORM};\r\n name="nick"`,
    `Content-Disposition : form-data; name="nick"`,
    `${FORM}; name*=UTF-8''nick`,
    `${FORM}; name*=utf-8'en'%6eick; filename="a"`,
    `${FORM}; name="note"; name*=UTF-8''nick`,
    `${FORM}; name*=UTF-7''nick`,
    `${FORM}; name*0="ni"; name*1="ck"`,
    `${FORM}; name='nick'`,
    `${FORM}; name="n\\ick"`,
    `${FORM}; name="note"; filename="a\\"; name="nick"`,
    `${FORM}; name="=?utf-8?q?nick?="`,
    `${FORM}, name="nick"`,
    `${FORM}; name="nick`,
    `${FORM}; name="nick\0"`,
    `${FORM}; name="note"\rContent-Disposition: form-data; name="nick"`,
    `X: y\n${FORM}; name="nick"`,
    `no header\r\n${FORM}; name="nick"`,
    `X: ${'y'.repeat(16 * 1024)}\r\n${FORM}; name="nick"`,
    `${'X: y\r\n'.repeat(40)}${FORM}; name="nick"`,
  ]
  for (const head of heads) {
    const text = redact(form(part(head, HIDDEN), part(`${FORM}; name="note"`, 'kept'))).toString()
    assert.ok(!text.includes(HIDDEN) && text.includes('kept'), head.slice(0, 200))
  }
  assert.ok(redact(form(part(`${FORM}; name="note"; filename="a; b"`, HIDDEN))).includes(HIDDEN))
  const known = redact(form(part(`${FORM};\r\n name*=UTF-8''nick`, HIDDEN))).toString()
  assert.ok(known.match(MASK) !== null && known.includes('name*='), 'what is clear is masked by its label, behind its head')
})

test('a delimiter that only some readers take for one hides what follows it', () => {
  for (const between of ['\n--x\n\n', '\r\n--x \r\n\r\n', '\r\n--xy\r\n\r\n', '\r\n--x\n\n']) {
    const text = redact(form(part(`${FORM}; name="nick"`, `a${between}${HIDDEN}`))).toString()
    assert.ok(!text.includes(HIDDEN), JSON.stringify(between))
  }
  const body = form(part(`${FORM}; name="nick"`, HIDDEN))
  assert.ok(!redact(body, { boundary: undefined }).includes(HIDDEN))
  assert.ok(
    redact(Buffer.from(body.toString().replaceAll('\r\n', '\n')))
      .toString()
      .match(MASK) !== null,
  )
})

test('however a head is put together, one reader’s labelled name is never in clear', () => {
  const words = [
    '; ',
    ';',
    'name=',
    'name*=',
    '"',
    "'",
    'nick',
    'note',
    "UTF-8''",
    'filename=',
    '\\',
    ' ',
    '\r\n ',
    ',',
    '=',
    '%6e',
  ]
  const readers: readonly ((head: string) => readonly string[])[] = [
    (head) => [...head.matchAll(/;\s*name\s*=\s*"((?:[^"\\]|\\.)*)"/g)].map(([, name = '']) => name.replace(/\\(.)/g, '$1')),
    (head) => [...head.matchAll(/;\s*name\s*=\s*([^\s;"]+)/g)].map(([, name = '']) => name),
    (head) => [...head.matchAll(/;\s*name\s*=\s*'([^']*)'/g)].map(([, name = '']) => name),
    (head) => [...head.matchAll(/;\s*name\*=UTF-8''([\w%]+)\s*(?:;|$)/g)].map(([, name = '']) => name.replaceAll('%6e', 'n')),
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 14 }), (made) => {
      const head = `${FORM}; ${made.join('')}`
      const unfolded = head.replaceAll('\r\n', '')
      if (!readers.some((read) => read(unfolded).includes('nick'))) return
      assert.ok(!redact(form(part(head, HIDDEN))).includes(HIDDEN), JSON.stringify(head))
    }),
    { numRuns: 5_000 },
  )
})

test('so many parts are looked into and no more, also where they stand in one another', () => {
  const unit = '--y\r\nA: b\r\n\r\nc\r\n'
  const flat = Buffer.from(unit.replaceAll('y', 'x').repeat(5_000))
  const nested = form(...Array.from({ length: 50 }, () => part('Content-Type: multipart/mixed; boundary=y', unit.repeat(100))))
  for (const body of [flat, nested, Buffer.from('--x\n'.repeat(50_000))]) {
    for (const kind of [fields, unlabelled]) {
      const masker = testMasker()
      const sink = masker.sink(body.length)
      let writes = 0
      const counting = new Proxy(masker, {
        get(target, key) {
          if (key === 'write') writes++
          const value: unknown = Reflect.get(target, key)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      redactBody(counting, sink, [body, 0, body.length], { media: 'multipart', boundary: 'x', fields: kind, answer: false })
      // A header and a body of each part, and what stands around those inside.
      assert.ok(writes <= 3 * MAX_PARTS, String(writes))
      const out = Buffer.from(sink.finish().bytes)
      assert.ok(kind.labelled ? out.length < body.length : out.equals(body))
    }
  }
})

test('a field is judged by its name, as a header of a part is', () => {
  const horse = ['correct', 'Horse9', 'battery'].join('-')
  for (const labelled of [true, false]) {
    const text = redact(
      form(
        part('Content-Disposition: form-data; name="user[password]"', horse),
        part(`Content-Disposition: form-data; name="note"\r\nX-Api-Token: ${horse}`, horse),
      ),
      { labelled },
    ).toString('latin1')
    assert.match(text, /"user\[password\]"\r\n\r\n\[MASKED:password:[0-9a-f]{12}\]\r\n/)
    assert.match(text, /X-Api-Token: \[MASKED:secret:[0-9a-f]{12}\]\r\n\r\ncorrect-Horse9-battery\r\n/)
  }
})
