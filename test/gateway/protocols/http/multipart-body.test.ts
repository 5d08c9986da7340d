import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import { boundaryOf } from '../../../../gateway/protocols/http/multipart-body.ts'
import { testMasker } from '../../../support/fakes.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const PNG = Buffer.from(`89504e470d0a1a0a0000${Buffer.from(` ${MAIL} `).toString('hex')}00`, 'hex')

const of = (key: string): Field => (key === 'nick' ? NICK : SCAN)
const fields = {
  labelled: true,
  unnamed: SCAN,
  of,
  at: (bytes: Uint8Array, from: number, to: number) => of(Buffer.from(bytes.subarray(from, to)).toString()),
}

function redact(body: Buffer, boundary = 'x'): Buffer {
  const source = Buffer.concat([Buffer.from('..'), body, Buffer.from('..')])
  const masker = testMasker()
  const sink = masker.sink(source.length)
  redactBody(masker, sink, [source, 2, source.length - 2], { media: 'multipart', boundary, fields, answer: false })
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
      part('Content-Type: application/json; charset=utf-8\nContent-Disposition: form-data; name="typed"', '{"nick":12}'),
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
    const text = redact(Buffer.from(body)).toString()
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
      const text = redact(Buffer.from(body)).toString()
      assert.ok(!text.includes(MAIL), JSON.stringify(body))
      assert.equal(text.replace(/\[MASKED:email:[0-9a-f]{12}\]/g, MAIL), body)
    }),
    { numRuns: 1000 },
  )
})

test('a boundary is what the type says, within the standard’s limit', () => {
  const of = (type: string): string | undefined => boundaryOf([['Content-Type', type]])
  assert.equal(of('multipart/form-data; boundary=abc'), 'abc')
  assert.equal(of('multipart/form-data; charset=x; BOUNDARY="a \\"b"'), 'a "b')
  for (const none of ['multipart/form-data', 'multipart/mixed; boundary=', `multipart/mixed; boundary=${'b'.repeat(71)}`])
    assert.equal(of(none), undefined)
})
