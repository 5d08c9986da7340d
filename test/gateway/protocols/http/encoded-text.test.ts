import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { redactPairs } from '../../../../gateway/protocols/http/encoded-text.ts'
import { testMasker } from '../../../support/fakes.ts'

const MAIL = `ann${String.fromCharCode(64)}example.org`

function redact(text: string): string {
  const source = Buffer.from(text)
  const masker = testMasker()
  const sink = masker.sink(source.length)
  redactPairs(masker, sink, [source, 0, source.length], (key) =>
    key === 'nick name' ? { path: 'q', action: 'mask', label: 'nick', entity: 'nick' } : { path: 'q', action: 'scan' },
  )
  return Buffer.from(sink.finish().bytes).toString()
}

test('clean pairs keep their bytes, however they were encoded', () => {
  for (const text of ['', '&', '=', 'a', 'a=b&c', 'a=1+2%2b3&&b=%zz%4&c=%ff', 'x=%e4%BD%a0']) assert.equal(redact(text), text)
})

test('a value is what it decodes to', () => {
  for (const written of [MAIL, encodeURIComponent(MAIL), MAIL.replace('n', '%6E'), MAIL.replace('ann', '%61%6e%6E')]) {
    const [, mail] = /^a=1&m=\[MASKED:email:([0-9a-f]{12})\]&z=x\+y$/.exec(redact(`a=1&m=${written}&z=x+y`)) ?? []
    assert.ok(mail, written)
  }
  assert.match(redact(`m=to+${MAIL}+and%26`), /^m=to%20\[MASKED:email:[0-9a-f]{12}\]%20and%26$/)
})

test('labels go by the decoded name; names are looked at as well', () => {
  assert.match(redact('nick+name=bo&nick%20name='), /^nick\+name=\[MASKED:nick:[0-9a-f]{12}\]&nick%20name=$/)
  assert.match(redact(`${encodeURIComponent(MAIL)}=1`), /^\[MASKED:email:[0-9a-f]{12}\]=1$/)
})

test('pairs with a planted value never have it in them, in any encoding of its characters', () => {
  const encoded = fc
    .array(fc.boolean(), { minLength: MAIL.length, maxLength: MAIL.length })
    .map((flags) => [...MAIL].map((char, at) => (flags[at] ? `%${char.charCodeAt(0).toString(16)}` : char)).join(''))
  fc.assert(
    fc.property(encoded, fc.webQueryParameters(), (mail, rest) => {
      const text = redact(`${rest}&m=${mail}`)
      assert.match(text, /&m=\[MASKED:email:[0-9a-f]{12}\]$/)
    }),
  )
})

test('a value is judged by its name', () => {
  const horse = ['correct', 'Horse9', 'battery'].join('+')
  assert.match(
    redact(`a=1&pass%77ord=${horse}&grant_type=password&token_type=bearer&token=abc123def456&page_token=abc123def456`),
    /^a=1&pass%77ord=\[MASKED:password:[0-9a-f]{12}\]&grant_type=password&token_type=bearer&token=\[MASKED:secret:[0-9a-f]{12}\]&page_token=abc123def456$/,
  )
})
