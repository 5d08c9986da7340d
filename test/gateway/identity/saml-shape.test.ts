import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTame } from '../../../gateway/identity/saml-shape.ts'
import { cpuClock } from '../../support/cpu-time.ts'
import { type Assertion, assertionOf, responseOf, samlKeys, signed } from '../../support/saml-issuer.ts'

const asked = { request: '_1', acs: 'https://sallyport.example.org/acs' }
const response = (inside: string): string => responseOf(asked, inside)
const inFull = (more: Partial<Assertion> = {}): string => response(assertionOf({ ...asked, ...more }))

test('what issuers write is tame: signed, with comments, instructions, odd text and a thousand groups', async () => {
  const keys = await samlKeys()
  for (const xml of [
    signed(inFull(), keys),
    signed(signed(inFull(), keys), keys, 'Response'),
    `<?xml version="1.0" encoding="UTF-8"?>\n${inFull()}\n`,
    inFull({ subject: 'ada<!-- > </x> -->@<![CDATA[<a>]]>example.org > &lt;' }),
    inFull().replace('<saml:Subject>', `<saml:Subject  a = 'x>y"' >`),
    inFull({ groups: Array.from({ length: 1_000 }, (_, n) => `group-${n}`) }),
  ])
    assert.equal(isTame(xml), true, xml.slice(0, 200))
})

const WILD: Readonly<Record<string, string>> = {
  'never closed': `${response('')}${'<a>'.repeat(40_000)}`,
  'never closed inside': response('<a>'.repeat(40_000)),
  'only begun': '<'.repeat(140_000),
  'comments that are never closed': response('<!--'.repeat(35_000)),
  'closed as another': response('<a></b>'),
  'an attribute without quotes': response('<a b=c/>'),
  'a quote without an end': response(`<a b="${'x'.repeat(100_000)}`),
  deep: response(`${'<a>'.repeat(41)}${'</a>'.repeat(41)}`),
  'deep, each with a namespace': response(
    Array.from({ length: 4_000 }, (_, n) => `<a xmlns:n${n}="n:${n}">`).join('') + '</a>'.repeat(4_000),
  ),
  'crowded with attributes': response(`<a ${Array.from({ length: 31 }, (_, n) => `a${n}="1"`).join(' ')}/>`),
  'many assertions': response('<saml:Assertion/>'.repeat(8_000)),
  'many values': response('<saml:AttributeValue/>'.repeat(6_000)),
  'many comments': response('<!---->'.repeat(20_000)),
  blank: response(`<a ${' '.repeat(140_000)}b`),
  'a document type': `<!DOCTYPE a>${response('')}`,
}
for (const [title, xml] of Object.entries(WILD))
  test(`refused before it is parsed, and soon: ${title}`, () => {
    const usedMs = cpuClock()
    assert.equal(isTame(xml), false)
    assert.ok(usedMs() < 1_000)
  })
